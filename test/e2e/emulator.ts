import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { buildSegmentContext } from '../../gpu-jobs/segment/build.ts';

const run = promisify(execFile);

export const ROOT = path.join(import.meta.dirname, '..', '..');
const EMULATOR = path.join(import.meta.dirname, 'emulator');
const VENV = path.join(ROOT, 'node_modules', '.cache', 'sammix-emulator');

/** How the sites' files name the image that `imageFolder` stands for. */
export const IMAGE_URI = 'emulator/segment:1';
export const ACCOUNT = '123456789012';

export interface Emulator {
  readonly endpoint: string;
  /** Logs of functions and jobs, and orders to the emulator. */
  readonly work: string;
  /** From then on roles may do what their policies say, and nothing else. */
  checkPermissions(checked: boolean): Promise<void>;
  stop(): Promise<void>;
}

interface Ready {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/**
 * Starts moto's server with the deployed artefacts running behind it, on a free port, and points
 * this process's AWS clients at it.
 */
export async function startEmulator(work: string): Promise<Emulator> {
  const python = await emulatorPython();
  const image = await imageFolder(work);
  const port = await freePort();
  const process_ = spawn(
    python,
    [
      path.join(EMULATOR, 'launcher.py'),
      '--port',
      String(port),
      '--work',
      work,
      '--image',
      `${IMAGE_URI}=${image}`,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } },
  );
  const { accessKeyId, secretAccessKey } = await untilReady(process_);
  const endpoint = `http://localhost:${port}`;
  process.env.AWS_ENDPOINT_URL = endpoint;
  process.env.AWS_ACCESS_KEY_ID = accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = secretAccessKey;
  return {
    endpoint,
    work,
    checkPermissions: async (checked) => {
      const headers = { 'content-type': 'text/plain' };
      const body = checked ? '0' : 'inf';
      await fetch(`${endpoint}/moto-api/reset-auth`, { method: 'POST', headers, body });
    },
    stop: async () => {
      process_.kill('SIGKILL');
      await once(process_, 'exit');
    },
  };
}

/** A virtual environment with the pinned emulator, made once and kept with the other caches. */
async function emulatorPython(): Promise<string> {
  const python = path.join(VENV, 'bin', 'python');
  if (existsSync(path.join(VENV, 'ready'))) return python;
  await run('python3', ['-m', 'venv', '--clear', VENV]);
  await run(python, ['-m', 'pip', 'install', '-q', '-r', path.join(EMULATOR, 'requirements.txt')]);
  await writeFile(path.join(VENV, 'ready'), '');
  return python;
}

/** What the segment image's /app holds, with this checkout's onnxruntime-node. */
async function imageFolder(work: string): Promise<string> {
  const folder = path.join(work, 'image');
  await mkdir(folder, { recursive: true });
  buildSegmentContext(folder);
  await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

async function untilReady(process_: ChildProcess): Promise<Ready> {
  const lines = createInterface({ input: process_.stdout! });
  const gone = once(process_, 'exit').then(([code]) => {
    throw new Error(`the emulator ended with ${code} before it was ready`);
  });
  const ready = (async () => {
    for await (const line of lines) if (line.includes('"ready"')) return JSON.parse(line) as Ready;
    throw new Error('the emulator said nothing');
  })();
  return Promise.race([ready, gone]);
}
