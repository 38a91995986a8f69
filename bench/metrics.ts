import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gunzipSync } from 'node:zlib';
import type { MetricName } from '../core/contract/panel.ts';
import { metricValue } from '../core/contract/panel.ts';
import { boundingBox, unionBox } from '../core/mask/bounds.ts';
import { eraseSmallerComponents, fillHoles } from '../core/mask/clean.ts';
import { dice, overlapBySlice } from '../core/metrics/overlap.ts';
import { comparisonPanel } from '../core/metrics/panel.ts';
import { monaiHausdorffMm } from '../core/metrics/surface.ts';
import type { MaskVolume } from '../core/volume/grid.ts';
import { type BenchRow, row } from './row.ts';

const SHAPE = { columns: 512, rows: 512, slices: 300 } as const;
const DATA = process.env.SAMMIX_DATA ?? join(import.meta.dirname, '../../shared/data');
const REAL_LABEL = join(DATA, 'volumes/ircad_17_liver.nii.gz');

/** The python with the packages of test/golden/metrics/requirements.txt. */
const PYTHON = process.env.SAMMIX_BENCH_PYTHON;

const PANEL: readonly MetricName[] = [
  'dice',
  'hdMm',
  'hd95Mm',
  'labelToPredictionMm',
  'predictionToLabelMm',
  'nsd1Mm',
  'nsd2Mm',
  'nsd3Mm',
];

/** Runs peer and ours in turn on the same two 512x512x300 masks, after one warm-up of each. */
export async function rows(pairs = 3): Promise<BenchRow[]> {
  if (PYTHON === undefined) {
    console.log('metrics: not measured, SAMMIX_BENCH_PYTHON names no Python (bench/README.md)');
    return [];
  }
  const label = existsSync(REAL_LABEL) ? realLabel() : phantomLabel();
  const prediction = perturbed(label);
  const folder = mkdtempSync(join(tmpdir(), 'metrics-bench-'));
  try {
    writeFileSync(join(folder, 'label.raw'), label.data);
    writeFileSync(join(folder, 'prediction.raw'), prediction.data);
    const peer = await Peer.start(PYTHON, folder, label);
    try {
      const panel = (): number[] => {
        const result = comparisonPanel(prediction, label);
        return PANEL.map((name) => metricValue(result, name));
      };
      return [
        await compare(
          peer,
          pairs,
          5,
          'metric panel vs DeepMind surface-distance',
          'deepmind',
          panel,
        ),
        await compare(peer, pairs, 5, 'Dice, HD and HD95 vs MONAI', 'monai', () =>
          monaiMetrics(prediction, label),
        ),
        await compare(
          peer,
          pairs,
          1,
          'components + hole fill vs connected-components-3d + scipy',
          'components',
          () => cleanUp(prediction),
        ),
      ];
    } finally {
      peer.stop();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What MONAI's three calls give, and no more. */
function monaiMetrics(prediction: MaskVolume, label: MaskVolume): number[] {
  const box = unionBox(boundingBox(prediction), boundingBox(label))!;
  const { total } = overlapBySlice(prediction, label, box);
  const { hdMm, hd95Mm } = monaiHausdorffMm(prediction, label, box);
  return [dice(total), hdMm, hd95Mm];
}

/** Components, the largest of them, its holes: on a copy, whose making counts. */
function cleanUp(mask: MaskVolume): number[] {
  const copy = { grid: mask.grid, data: mask.data.slice() };
  const { count, sizesVoxels, largest } = eraseSmallerComponents(copy);
  return [count, sizesVoxels[largest]! + fillHoles(copy)];
}

async function compare(
  peer: Peer,
  pairs: number,
  goal: number,
  name: string,
  work: string,
  ours: () => number[],
): Promise<BenchRow> {
  requireEqual(name, ours(), (await peer.run(work)).values);
  const ratios: number[] = [];
  for (let n = 0; n < pairs; n++) {
    const { seconds } = await peer.run(work);
    const start = performance.now();
    ours();
    ratios.push((seconds * 1000) / (performance.now() - start));
  }
  return row(name, work, ratios, { atLeast: goal });
}

function requireEqual(name: string, ours: readonly number[], theirs: readonly number[]): void {
  const equal = theirs.every((v, n) => Math.abs(v - ours[n]!) <= 1e-6 * Math.abs(v));
  if (!equal || ours.length !== theirs.length) {
    throw new Error(`${name}: ours ${ours.join(', ')}, theirs ${theirs.join(', ')}`);
  }
}

/** The Python process; it does one piece of work per line of its input. */
class Peer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process;
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  static async start(python: string, folder: string, { grid }: MaskVolume): Promise<Peer> {
    const { slice, row: rowMm, column } = grid.spacingMm;
    const numbers = [grid.slices, grid.rows, grid.columns, slice, rowMm, column].map(String);
    const script = join(import.meta.dirname, 'metrics_peer.py');
    const child = spawn(python, [script, folder, ...numbers]);
    child.stderr.pipe(process.stderr);
    const peer = new Peer(child);
    await peer.#next();
    return peer;
  }

  async run(work: string): Promise<{ seconds: number; values: number[] }> {
    this.#process.stdin.write(`${work}\n`);
    return JSON.parse(await this.#next()) as { seconds: number; values: number[] };
  }

  async #next(): Promise<string> {
    const line = await this.#lines.next();
    if (!line.done) return line.value;
    throw new Error(`${PYTHON} ended early: install test/golden/metrics/requirements.txt`);
  }

  stop(): void {
    this.#process.stdin.end();
  }
}

/** A real liver (512 x 512 x 119), its slices repeated by the nearest rule up to 300. */
function realLabel(): MaskVolume {
  const bytes = gunzipSync(readFileSync(REAL_LABEL));
  const [column, row, slice] = [80, 84, 88].map((at) => bytes.readFloatLE(at));
  const stored = bytes.readInt16LE(46);
  const width = bytes.readInt16LE(72) / 8;
  const start = bytes.readFloatLE(108);
  const area = SHAPE.columns * SHAPE.rows;
  const data = new Uint8Array(area * SHAPE.slices);
  for (let k = 0; k < SHAPE.slices; k++) {
    const from = start + Math.floor(((k + 0.5) * stored) / SHAPE.slices) * area * width;
    for (let n = 0; n < area; n++) data[k * area + n] = bytes[from + n * width] === 0 ? 0 : 1;
  }
  const sliceMm = (slice! * stored) / SHAPE.slices;
  return { grid: { ...SHAPE, spacingMm: { column: column!, row: row!, slice: sliceMm } }, data };
}

/** An ellipsoid of a liver's size, where no CT is at hand. */
function phantomLabel(): MaskVolume {
  const data = new Uint8Array(SHAPE.columns * SHAPE.rows * SHAPE.slices);
  let at = 0;
  for (let k = 0; k < SHAPE.slices; k++) {
    for (let j = 0; j < SHAPE.rows; j++) {
      for (let i = 0; i < SHAPE.columns; i++, at++) {
        const r = ((k - 150) / 100) ** 2 + ((j - 240) / 110) ** 2 + ((i - 190) / 130) ** 2;
        if (r <= 1) data[at] = 1;
      }
    }
  }
  return { grid: { ...SHAPE, spacingMm: { column: 0.743, row: 0.743, slice: 0.64 } }, data };
}

/** What a fair segmentation does: a shift of 2-4 voxels, a speck far away, and a few cavities. */
function perturbed(label: MaskVolume): MaskVolume {
  const { columns, rows: height, slices } = label.grid;
  const data = new Uint8Array(label.data.length);
  data.set(
    label.data.subarray(0, data.length - (2 * height + 3) * columns + 4),
    (2 * height + 3) * columns - 4,
  );
  for (let k = 20; k < slices; k += 40) {
    for (let j = 16; j < height; j += 24) {
      for (let i = 16; i < columns; i += 24) {
        const at = (k * height + j) * columns + i;
        if (data[at] === 1) data.fill(0, at, at + 3);
      }
    }
  }
  const speck = (40 * height + 400) * columns + 400;
  for (let j = 0; j < 5; j++) data.fill(1, speck + j * columns, speck + j * columns + 5);
  return { grid: label.grid, data };
}

if (process.argv[1] === import.meta.filename) {
  console.log(JSON.stringify(await rows(), null, 2));
}
