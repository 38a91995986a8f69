import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** What a measured process says of itself in the last line of its output. */
export interface Measured {
  /** Of the work alone, without start and imports. */
  readonly seconds: number;
  readonly peakMiB: number;
}

/** The Python with torch, onnxruntime, nibabel and Pillow: the trainer's environment. */
const PYTHON = path.join(import.meta.dirname, '../gpu-jobs/train/.venv/bin/python');

/** The Python with pydicom, which `npm test` makes too. */
const DICOM_PYTHON = path.join(import.meta.dirname, '../test/golden/dicom/.venv/bin/python');

/** The Python with bench/requirements-dicom.txt, for compressed series; undefined where nobody named one. */
const COMPRESSING_PYTHON = process.env.SAMMIX_BENCH_DICOM_PYTHON;

/** Two threads a side, and no spinning that would starve the other side on a small machine. */
export const THREADS = 2;

const ENVIRONMENT = { ...process.env, OMP_NUM_THREADS: String(THREADS) };

export const ours = <T extends Measured>(task: string, ...args: string[]): Promise<T> => {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const file = path.join(import.meta.dirname, 'tasks.ts');
  return measure<T>(process.execPath, ['--import', tsx, file, task, ...args]);
};

/** A task in one file without dependencies, as esbuild makes it for a Lambda function. */
export async function oursBundled<T extends Measured>(
  entry: string,
  ...args: string[]
): Promise<T> {
  const outfile = path.join(import.meta.dirname, 'work', `${entry}.mjs`);
  await build({
    entryPoints: [path.join(import.meta.dirname, `${entry}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
  });
  return measure<T>(process.execPath, [outfile, ...args]);
}

export const peer = <T extends Measured>(task: string, ...args: string[]): Promise<T> =>
  measure<T>(PYTHON, [path.join(import.meta.dirname, 'peers.py'), task, ...args]);

/** Writes a scan of `slices` slices as `scan.nii.gz` and `series/` into a folder. */
export const makeSeries = (scan: string, folder: string, slices: string): Promise<object> =>
  measure(DICOM_PYTHON, [path.join(import.meta.dirname, 'make_series.py'), scan, folder, slices]);

/** The same with images that are compressed; undefined where there is no Python for it, which is said. */
export async function makeCompressed(
  scan: string,
  folder: string,
  slices: string,
  syntax: string,
): Promise<string | undefined> {
  if (COMPRESSING_PYTHON === undefined) {
    console.log(`LEFT OUT: ${syntax}, which needs SAMMIX_BENCH_DICOM_PYTHON (bench/README.md)`);
    return undefined;
  }
  const made = [path.join(import.meta.dirname, 'make_series.py'), scan, folder, slices, syntax];
  if (!existsSync(path.join(folder, 'series'))) await measure(COMPRESSING_PYTHON, made);
  return path.join(folder, 'series');
}

export const dcm2niix = (series: string, out: string): Promise<Measured> =>
  measure<Measured>(COMPRESSING_PYTHON!, [
    path.join(import.meta.dirname, 'dcm2niix.py'),
    series,
    out,
  ]);

/** Runs a process whose last line of output is JSON. */
export async function measure<T>(command: string, args: readonly string[]): Promise<T> {
  const { output } = await run(command, args);
  return JSON.parse(output.trim().split('\n').at(-1)!) as T;
}

/** Wall seconds of a process that says nothing of itself. */
export async function wallSeconds(command: string, args: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  await run(command, args);
  return (performance.now() - startedMs) / 1000;
}

function run(command: string, args: readonly string[]): Promise<{ output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve({ output: Buffer.concat(chunks.slice(-64)).toString('utf8') });
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}`));
    });
  });
}
