import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { buildSegmentContext } from '../../gpu-jobs/infer/build.ts';

const run = promisify(execFile);

export const ROOT = path.join(import.meta.dirname, '..', '..');
const EMULATOR = path.join(import.meta.dirname, 'emulator');
const VENV = path.join(ROOT, 'node_modules', '.cache', 'sammix-emulator');

/** How the sites' files name the images, and which folder stands for each. */
export const SEGMENT_IMAGE = 'emulator/segment:1';
export const TRAIN_IMAGE = 'emulator/train:1';

/** The trainer's own environment, which "npm test" makes. */
export const TRAINER = path.join(ROOT, 'gpu-jobs', 'train');
export const TRAINER_PYTHON = path.join(TRAINER, '.venv', 'bin', 'python');
export const ACCOUNT = '123456789012';

export interface Emulator {
  readonly endpoint: string;
  /** Logs of functions and jobs, and orders to the emulator. */
  readonly work: string;
  /** Who may do everything, and who may do nothing. */
  readonly administrator: Credentials;
  readonly nobody: Credentials;
  /** Why jobs are not confined as ECS confines them; null where they are. */
  readonly softer: string | null;
  /** From then on roles may do what their policies say, and nothing else. */
  checkPermissions(checked: boolean): Promise<void>;
  stop(): Promise<void>;
}

interface Ready {
  readonly softer: string | null;
  readonly administrator: Credentials;
  readonly nobody: Credentials;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** For this process's clients, and for the programs that it starts. */
export function become({ accessKeyId, secretAccessKey }: Credentials): void {
  process.env.AWS_ACCESS_KEY_ID = accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = secretAccessKey;
}

/**
 * Starts moto's server with the deployed artefacts running behind it, on a free port, and points
 * this process's AWS clients at it.
 */
export async function startEmulator(work: string): Promise<Emulator> {
  const python = await emulatorPython();
  const images = {
    [SEGMENT_IMAGE]: await segmentFolder(work),
    ...(existsSync(TRAINER_PYTHON) && { [TRAIN_IMAGE]: await trainFolder(work) }),
  };
  const port = await freePort();
  const process_ = spawn(
    python,
    [
      path.join(EMULATOR, 'launcher.py'),
      '--port',
      String(port),
      '--work',
      work,
      ...Object.entries(images).flatMap(([uri, folder]) => ['--image', `${uri}=${folder}`]),
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } },
  );
  const { administrator, nobody, softer } = await untilReady(process_);
  if (softer !== null) console.log(`\nSKIPPED: a job's user, root and network; ${softer}.\n`);
  const endpoint = `http://localhost:${port}`;
  process.env.AWS_ENDPOINT_URL = endpoint;
  become(administrator);
  return {
    endpoint,
    work,
    softer,
    administrator,
    nobody,
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

/** A virtual environment with the pinned emulator, made once for its lock and kept with the other caches. */
export async function emulatorPython(): Promise<string> {
  const python = path.join(VENV, 'bin', 'python');
  const lock = path.join(EMULATOR, 'requirements.lock');
  const stamp = path.join(VENV, 'lock.sha256');
  const wanted = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return python;
  await run('python3', ['-m', 'venv', '--clear', VENV]);
  await run(python, ['-m', 'pip', 'install', '-q', '-r', lock]);
  await writeFile(stamp, wanted);
  return python;
}

/** What the segment image's /app holds, with this checkout's onnxruntime-node. */
async function segmentFolder(work: string): Promise<string> {
  const folder = path.join(work, 'images', 'segment');
  await mkdir(folder, { recursive: true });
  buildSegmentContext(folder);
  await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  await copyFile(path.join(EMULATOR, 'probe.mjs'), path.join(folder, 'probe.mjs'));
  return folder;
}

/** What the train image's /app holds; its Python is the trainer's own environment. */
async function trainFolder(work: string): Promise<string> {
  const folder = path.join(work, 'images', 'train');
  await mkdir(path.join(folder, 'bin'), { recursive: true });
  await symlink(path.join(TRAINER, 'sammix_train'), path.join(folder, 'sammix_train'));
  await symlink(path.join(TRAINER, 'Dockerfile'), path.join(folder, 'Dockerfile'));
  await symlink(path.join(TRAINER, '.venv'), path.join(folder, '.venv'));
  const python = `#!/bin/sh\nexport PYTHONDONTWRITEBYTECODE=1\nexec "${TRAINER_PYTHON}" "$@"\n`;
  await writeFile(path.join(folder, 'bin', 'python'), python, { mode: 0o755 });
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
