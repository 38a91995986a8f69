import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { lockFolder } from '../../adapters/dir-lock.ts';
import { ConfigError } from '../../core/errors.ts';
import { exists } from '../files.ts';
import type { Progress } from '../progress.ts';

const run = promisify(execFile);

/** Direct dependencies of a training, and the lock that pins them and everything below them. */
const NEEDED = 'requirements-fit.txt';
const LOCK = 'requirements.lock';
/** Written last: an environment without it was not finished. */
const READY = 'ready';
const OLDEST_PYTHON = [3, 11] as const;
const PYTHONS = ['python3.13', 'python3.12', 'python3.11', 'python3', 'python'];
/** All that a training imports. */
const IMPORTS = 'import nibabel, numpy, onnx, onnxruntime, safetensors, scipy, torch, torchvision';

interface Size {
  readonly downloadGb: number;
  readonly diskGb: number;
}
/**
 * On disk as measured (x86-64, Python 3.11): the Linux wheels of PyTorch bring the CUDA libraries, 5.2 GB of it. What
 * is downloaded for that, and sizes elsewhere, are estimates.
 */
const SIZES: Readonly<Partial<Record<NodeJS.Platform, Size>>> = {
  linux: { downloadGb: 3, diskGb: 6 },
};
const OTHER_SIZE: Size = { downloadGb: 0.4, diskGb: 1.5 };

export interface EnvironmentOptions {
  /** Folder of the trainer's sources and requirements. */
  readonly trainer: string;
  /** An environment that the user made. */
  readonly python: string | undefined;
  /** Folder for environments that are made here. */
  readonly cache: string;
  /** Whether to go on with what is about to be downloaded. */
  readonly agree: (question: string) => Promise<boolean>;
}

/** Where programs keep what they can make again. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.XDG_CACHE_HOME) return path.join(env.XDG_CACHE_HOME, 'sammix');
  if (process.platform === 'darwin') return path.join(homedir(), 'Library', 'Caches', 'sammix');
  if (process.platform === 'win32' && env.LOCALAPPDATA)
    return path.join(env.LOCALAPPDATA, 'sammix', 'cache');
  return path.join(homedir(), '.cache', 'sammix');
}

/**
 * The Python that trains: the user's, one that an earlier training has prepared, or a new virtual
 * environment, about whose download the user is asked.
 *
 * @throws ConfigError with the next thing to do
 */
export async function trainerPython(
  options: EnvironmentOptions,
  progress: Progress,
): Promise<string> {
  const { trainer, python, cache } = options;
  if (python !== undefined) {
    await requireImports(python, trainer);
    return python;
  }
  const folder = path.join(cache, `trainer-${await environmentId(trainer)}`);
  const own = pythonIn(folder);
  if (await exists(path.join(folder, READY))) return own;
  const base = await findPython();
  await announce(folder, options);
  const release = await lockFolder(`${folder}.lock`);
  try {
    // Another training may have made it while this one waited for an answer.
    if (!(await exists(path.join(folder, READY)))) await prepare(folder, base, trainer, progress);
  } finally {
    await release();
  }
  return own;
}

const pythonIn = (folder: string): string =>
  process.platform === 'win32'
    ? path.join(folder, 'Scripts', 'python.exe')
    : path.join(folder, 'bin', 'python');

/** Changes with what is to be installed. */
async function environmentId(trainer: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of [NEEDED, LOCK]) hash.update(await readFile(path.join(trainer, name)));
  return hash.digest('hex').slice(0, 12);
}

/** A Python that is new enough and can make environments. */
async function findPython(): Promise<string> {
  const seen: string[] = [];
  for (const name of PYTHONS) {
    const version = await run(name, ['-c', 'import sys; print(*sys.version_info[:3], sep=".")'])
      .then(({ stdout }) => stdout.trim())
      .catch(() => undefined);
    if (version === undefined) continue;
    seen.push(`${name} ${version}`);
    if (isNewEnough(version)) return name;
  }
  throw new ConfigError({
    code: 'no-python',
    subject: 'sammix train',
    expected: `Python ${OLDEST_PYTHON.join('.')} or newer, which the trainer needs`,
    found: seen.length === 0 ? 'no Python on the PATH' : seen.join(', '),
    remedy:
      'Install one (python.org, your package manager, or conda), or name it with --python PATH.',
  });
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1]);
}

/** Says what is about to happen, and asks. */
async function announce(folder: string, { cache, agree }: EnvironmentOptions): Promise<void> {
  const { downloadGb, diskGb } = SIZES[process.platform] ?? OTHER_SIZE;
  await mkdir(cache, { recursive: true });
  const { bavail, bsize } = await statfs(cache);
  const freeGb = (bavail * bsize) / 1e9;
  if (freeGb < diskGb)
    throw new ConfigError({
      code: 'no-room',
      subject: cache,
      expected: `${diskGb} GB for the trainer's Python environment`,
      found: `${freeGb.toFixed(1)} GB`,
      remedy: 'Make room, or set XDG_CACHE_HOME to a folder on another disk.',
    });
  const question =
    `The trainer needs PyTorch and a few packages beside it: about ${downloadGb} GB to download, ${diskGb} GB on disk,\n` +
    `once, into ${folder}`;
  if (await agree(question)) return;
  throw new ConfigError({
    code: 'not-agreed',
    subject: 'sammix train',
    expected: 'agreement to that download',
    found: 'none',
    remedy:
      'Say --yes, or name an environment that has the packages with --python PATH (see docs/train.md).',
  });
}

async function prepare(
  folder: string,
  base: string,
  trainer: string,
  progress: Progress,
): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  progress.line(`making the trainer's environment with ${base}`);
  await run(base, ['-m', 'venv', folder]).catch((cause: unknown) => {
    throw notInstalled(base, lastLines(cause), `${REMEDY_VENV} ${REMEDY}`, cause);
  });
  const files = [NEEDED, LOCK].map((name) => path.join(trainer, name));
  await install(pythonIn(folder), files, progress);
  await requireImports(pythonIn(folder), trainer);
  await writeFile(path.join(folder, READY), '');
}

const REMEDY_VENV = 'On Debian and Ubuntu, venv is a package of its own (python3-venv).';
const REMEDY =
  "Check the network (pip's own settings for proxies and mirrors count) and run the same command again, or make an environment yourself and name it with --python PATH.";

/** Shows what pip downloads, as it does. */
async function install(
  python: string,
  [needed, lock]: readonly string[],
  progress: Progress,
): Promise<void> {
  const child = spawn(
    python,
    ['-m', 'pip', 'install', '--no-input', '--progress-bar', 'off', '-r', needed!, '-c', lock!],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let problems = '';
  child.stderr.on('data', (chunk: Buffer) => {
    problems = (problems + chunk.toString('utf8')).slice(-4000);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  for await (const line of createInterface(child.stdout))
    if (/^\s*(Downloading|Installing) /.test(line) && !line.includes('.metadata'))
      progress.line(line.trim());
  if ((await ended) !== 0)
    throw notInstalled(needed!, problems.trim().split('\n').slice(-3).join(' '), REMEDY);
}

async function requireImports(python: string, trainer: string): Promise<void> {
  await run(python, ['-c', IMPORTS]).catch((cause: unknown) => {
    const files = [NEEDED, LOCK].map((name) => path.join(trainer, name));
    const remedy = `Install them: ${python} -m pip install -r ${files[0]} -c ${files[1]}`;
    throw notInstalled(python, lastLines(cause), remedy, cause);
  });
}

/** The end of what a program had to say, or why it could not be started. */
function lastLines(error: unknown): string {
  const { stderr = '', message } = error as { stderr?: string; message: string };
  return (stderr.trim() || message).split('\n').slice(-1).join(' ');
}

const notInstalled = (
  subject: string,
  found: string,
  remedy: string,
  cause?: unknown,
): ConfigError =>
  new ConfigError(
    {
      code: 'trainer-not-installed',
      subject,
      expected: 'a Python environment with what the trainer needs',
      found: found || 'nothing said',
      remedy,
    },
    { cause },
  );
