// `npx tsx bench/evaluate-memory.ts [cases] [model cases]`: memory of `sammix evaluate` while the number
// of cases grows, with masks from a folder (default 1000 cases) and with the tests' tiny bundle
// (default 100). Each evaluation is a process of its own; its resident memory is read when a tenth of
// the cases is done and again at the last case.

import { spawn } from 'node:child_process';
import { link, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { encodePhantom, phantomCase } from '../phantom/phantom.ts';

const BIN = path.join(import.meta.dirname, '../cli/bin.mjs');
const TINY_BUNDLE = path.join(import.meta.dirname, '../test/golden/tiny-bundle');
const SIZE = { columns: 64, rows: 64, slices: 24 };
/** Distinct phantoms; the others are further names of the same files. */
const PHANTOMS = 10;

interface Grown {
  readonly cases: number;
  readonly seconds: number;
  /** Resident memory when a tenth of the cases was done, at the last; largest, report included. */
  readonly earlyMiB: number;
  readonly lastMiB: number;
  readonly peakMiB: number;
}

const [cases = 1000, modelCases = 100] = process.argv.slice(2).map(Number);
const folder = await mkdtemp(path.join(tmpdir(), 'sammix-evaluate-memory-'));
try {
  const runs = [
    ['masks from a folder', cases, (data: string) => ['--predictions', `${data}-masks`]],
    ['tiny bundle', modelCases, () => ['--bundle', TINY_BUNDLE, '--threads', '2']],
  ] as const;
  for (const [name, count, options] of runs) {
    const dataset = await writeDataset(path.join(folder, name.replaceAll(' ', '-')), count);
    const grown = await evaluate(dataset, options(dataset));
    console.log(JSON.stringify({ name, ...grown }));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Images and labels as nnU-Net lays them out, and the labels again as masks in a folder beside. */
async function writeDataset(dataset: string, count: number): Promise<string> {
  const folders = [`${dataset}/imagesTr`, `${dataset}/labelsTr`, `${dataset}-masks`] as const;
  for (const made of folders) await mkdir(made, { recursive: true });
  const files = (n: number): [image: string, label: string, mask: string] => {
    const name = `case-${String(n).padStart(5, '0')}`;
    const [images, labels, masks] = folders;
    return [`${images}/${name}_0000.nii`, `${labels}/${name}.nii`, `${masks}/${name}.nii`];
  };
  for (let n = 0; n < count; n++) {
    const named = files(n);
    if (n < PHANTOMS) {
      const { ct, label } = encodePhantom(phantomCase({ seed: n + 1, ...SIZE }));
      for (const [at, bytes] of [ct, label, label].entries()) await writeFile(named[at]!, bytes);
    } else {
      for (const [at, first] of files(n % PHANTOMS).entries()) await link(first, named[at]!);
    }
  }
  return dataset;
}

async function evaluate(dataset: string, options: readonly string[]): Promise<Grown> {
  const startedMs = performance.now();
  const out = `${dataset}-out`;
  const child = spawn(process.execPath, [BIN, 'evaluate', dataset, '--out', out, ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  let [earlyMiB, lastMiB, peakMiB, total, done] = [0, 0, 0, 0, 0];
  for await (const line of createInterface({ input: child.stderr })) {
    const memory = await memoryMiB(child.pid!);
    // The lines after the last case come when the report is written: its peak is among them.
    if (memory) peakMiB = memory.peakMiB;
    const position = /\((\d+)\/(\d+)/.exec(line);
    if (!position || !memory) continue;
    [done, total] = [Number(position[1]), Number(position[2])];
    if (done <= Math.ceil(total / 10)) earlyMiB = memory.residentMiB;
    lastMiB = memory.residentMiB;
  }
  const code = await closed;
  if (code !== 0 || done !== total) throw new Error(`ended with ${code} after ${done}/${total}`);
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  return { cases: total, seconds, earlyMiB, lastMiB, peakMiB };
}

/** From Linux's /proc; undefined once the process has ended. */
async function memoryMiB(
  pid: number,
): Promise<{ residentMiB: number; peakMiB: number } | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const field = (name: string): number =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024);
  return status === '' ? undefined : { residentMiB: field('VmRSS'), peakMiB: field('VmHWM') };
}
