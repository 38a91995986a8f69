import { existsSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { DEFAULT_BUNDLE } from '../cli/command.ts';
import {
  dcm2niix,
  type Measured,
  makeCompressed,
  makeSeries,
  ours,
  oursBundled,
  peer,
  wallSeconds,
} from './process.ts';
import { type BenchRow, row } from './row.ts';

const WORK = path.join(import.meta.dirname, 'work');
const DATA = process.env.SAMMIX_DATA ?? path.join(import.meta.dirname, '../../shared/data');
/** A whole real scan at full resolution where the data is present, else the synthetic volume. */
const REAL = path.join(DATA, 'volumes/ircad_17_ct.nii.gz');

async function volume(slices: number): Promise<string> {
  const file = path.join(WORK, `ct-512x512x${slices}.nii.gz`);
  mkdirSync(WORK, { recursive: true });
  if (!existsSync(file)) await peer('make-volume', file, String(slices));
  return file;
}

const scratch = async (name: string): Promise<string> => {
  const folder = path.join(WORK, name);
  await rm(folder, { recursive: true, force: true });
  return folder;
};

const split = async (file: string, name = 'split'): Promise<Measured> =>
  oursBundled('split-task', file, await scratch(name), DEFAULT_BUNDLE);

/** A against B in turn, so that a change of the machine's speed meets both. */
async function pairs<A, B>(
  n: number,
  a: () => Promise<A>,
  b: () => Promise<B>,
): Promise<{ a: A; b: B }[]> {
  const measured: { a: A; b: B }[] = [];
  for (let pair = 0; pair < n; pair++) measured.push({ a: await a(), b: await b() });
  return measured;
}

export async function splitRows(n = 5): Promise<BenchRow[]> {
  const file = await volume(400);
  const nibabel = await pairs(
    n,
    () => split(file),
    async () => peer('split', file, await scratch('split-peer')),
  );
  const gzip = await pairs(
    n,
    () => split(file),
    () => wallSeconds('sh', ['-c', `gzip -dc '${file}' > /dev/null`]),
  );
  return [
    row(
      'split 512x512x400 int16 .nii.gz: nibabel seconds / ours',
      'nibabel + NumPy + Pillow',
      nibabel.map(({ a, b }) => b.seconds / a.seconds),
      { atLeast: 3 },
    ),
    row(
      'split 512x512x400 int16 .nii.gz: our peak memory / nibabel',
      'nibabel + NumPy + Pillow',
      nibabel.map(({ a, b }) => a.peakMiB / b.peakMiB),
      { atMost: 0.2 },
    ),
    row(
      'split 512x512x400 int16 .nii.gz: our seconds / gzip',
      'gzip -dc',
      gzip.map(({ a, b }) => a.seconds / b),
      { atMost: 1.3 },
    ),
  ];
}

export async function inferenceRows(n = 3): Promise<BenchRow[]> {
  const file = existsSync(REAL) ? REAL : await volume(400);
  await split(file, 'slabs');
  const slabs = path.join(WORK, 'slabs');
  const infer = () => ours<Measured>('infer', slabs, DEFAULT_BUNDLE);
  const ort = await pairs(n, infer, () => peer('ort', slabs, DEFAULT_BUNDLE));
  const torch = await pairs(n, infer, () => peer('torch', slabs, 'small'));
  const name = 'default bundle over a real scan (all slices, all graphs)';
  return [
    row(
      `${name}: our seconds / Python's`,
      'onnxruntime (Python)',
      ort.map(({ a, b }) => a.seconds / b.seconds),
      { atMost: 1.03 },
    ),
    row(
      `${name}: PyTorch's seconds / ours`,
      'PyTorch eager',
      torch.map(({ a, b }) => b.seconds / a.seconds),
      { atLeast: 1.5 },
    ),
  ];
}

interface MeasuredRun extends Measured {
  readonly graphSeconds: number;
}

const wholeRun = async (file: string): Promise<MeasuredRun> =>
  ours<MeasuredRun>('run', file, await scratch('run'), DEFAULT_BUNDLE);

const wholeRunRow = (what: string, runs: readonly MeasuredRun[]): BenchRow =>
  row(
    `sammix run ${what}: whole seconds / seconds inside its own graphs`,
    'its own session.run',
    runs.map(({ seconds, graphSeconds }) => seconds / graphSeconds),
    { atMost: 1.15 },
  );

export async function wholeRunRows(n = 3): Promise<BenchRow[]> {
  const file = existsSync(REAL) ? REAL : await volume(400);
  const runs: MeasuredRun[] = [];
  for (let at = 0; at < n; at++) runs.push(await wholeRun(file));
  return [wholeRunRow('on a real scan', runs)];
}

/** A series of 300 files beside one NIfTI file with the same voxels; needs the real scan. */
export async function dicomRows(n = 3): Promise<BenchRow[]> {
  if (!existsSync(REAL)) return [];
  const folder = path.join(WORK, 'series-300');
  if (!existsSync(path.join(folder, 'series'))) await makeSeries(REAL, folder, '300');
  const rows = [await seriesRow('300 slices of 512x512', path.join(folder, 'series'), n)];
  for (const [syntax, series] of await compressedSeries())
    rows.push(await seriesRow(`300 slices in ${syntax}`, series, n));
  return rows;
}

/** Reading alone, of what archives keep: what of the rows above is the codec's. */
export async function dicomCodecRows(n = 3): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const [syntax, series] of await compressedSeries())
    rows.push(await codecRow(syntax, series, n));
  return rows;
}

async function compressedSeries(): Promise<[syntax: string, series: string][]> {
  const made: [string, string][] = [];
  for (const syntax of existsSync(REAL) ? ['jpeg-lossless', 'jpeg-2000'] : []) {
    const folder = path.join(WORK, `series-300-${syntax}`);
    const series = await makeCompressed(REAL, folder, '300', syntax);
    if (series !== undefined) made.push([syntax, series]);
  }
  return made;
}

/** A series against the NIfTI file that was written beside it. */
async function seriesRow(what: string, series: string, n: number): Promise<BenchRow> {
  const nifti = path.join(path.dirname(series), 'scan.nii.gz');
  const runs = await pairs(
    n,
    () => wholeRun(series),
    () => wholeRun(nifti),
  );
  return row(
    `sammix run, DICOM series of ${what}: seconds / those of its NIfTI`,
    'sammix run of the NIfTI file',
    runs.map(({ a, b }) => a.seconds / b.seconds),
    { atMost: 1.3 },
  );
}

async function codecRow(syntax: string, series: string, n: number): Promise<BenchRow> {
  const out = await scratch('converted');
  const runs = await pairs(
    n,
    () => ours<Measured>('convert', series, path.join(out, 'ours.nii')),
    () => dcm2niix(series, out),
  );
  return row(
    `DICOM series of 300 slices in ${syntax} to NIfTI: our CPU seconds / dcm2niix's`,
    'dcm2niix',
    runs.map(({ a, b }) => a.seconds / b.seconds),
    { atMost: 2 },
  );
}

/** Peak memory against its limits in MiB: a ratio to a number that we promise. */
export async function memoryRows(): Promise<BenchRow[]> {
  const file = await volume(600);
  const splitPeak = (await split(file)).peakMiB;
  const run = await wholeRun(file);
  return [
    row('split 512x512x600: peak MiB / 200', '200 MiB', [splitPeak / 200], { atMost: 1 }),
    row('sammix run 512x512x600: peak MiB / 900', '900 MiB', [run.peakMiB / 900], { atMost: 1 }),
    wholeRunRow('512x512x600', [run]),
  ];
}
