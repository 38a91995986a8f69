// `npx tsx bench/label.ts`: boxes and strokes that a simulated user needs for a Dice of .95 on 20 slices of test
// patients, on the label page's own code. Needs the real data; numbers in README.md.
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { DirStore } from '../adapters/dir-store.ts';
import { openRuntimeInThread } from '../adapters/onnx-thread.ts';
import { DEFAULT_BUNDLE } from '../cli/command.ts';
import { readFile } from '../cli/files.ts';
import { BoxDrawing } from '../core/labelling/box-drawing.ts';
import { boxBetween, extentOf, type Spot } from '../core/labelling/paint.ts';
import { quantile } from '../core/metrics/quantile.ts';
import { createRandom } from '../core/random.ts';
import { openBundle } from '../core/stage/open-bundle.ts';
import { openNifti } from '../core/volume/reader.ts';
import { correct, dice, nothingDone, outline, type Truth, type Work } from './simulated-user.ts';

const DATA = process.env.SAMMIX_DATA ?? path.join(import.meta.dirname, '../../shared/data');
/** Test side of the split that docs/validation.md names. */
const PATIENTS = ['03', '09', '13', '17', '20'];
/** Heights of the slices in the liver, 0 its lowest and 1 its highest. */
const LEVELS = [0.125, 0.375, 0.625, 0.875];
const GOAL = 0.95;
/** A hand puts each side of a box so far off at most. */
const BOX_OFF_VOXELS = 2;

interface Slice {
  readonly hu: Float32Array;
  readonly truth: Truth;
}

async function planesOf(file: string) {
  const reader = await openNifti(readFile(file), { subject: file });
  const planes: Float32Array[] = [];
  for await (const { index, hu } of reader.axialSlices()) planes[index] = hu.slice();
  return { planes, grid: reader.geometry.grid };
}

async function slicesOf(patient: string) {
  const file = (kind: string) =>
    path.join(DATA, 'volumes_ircad', `ircad_${patient}_${kind}.nii.gz`);
  const { planes, grid } = await planesOf(file('ct'));
  const { planes: labels } = await planesOf(file('liver'));
  const shown = [...labels.keys()].filter((at) => labels[at]!.some((value) => value > 0));
  const { columns, rows, spacingMm } = grid;
  const slices = LEVELS.map((level): Slice => {
    const at = shown[Math.round(level * (shown.length - 1))]!;
    const mask = Uint8Array.from(labels[at]!, (value) => (value > 0 ? 1 : 0));
    const truth = { columns, rows, mask, columnMm: spacingMm.column, rowMm: spacingMm.row };
    return { hu: planes[at]!, truth };
  });
  return { grid, slices };
}

const folder = process.argv[2] ?? DEFAULT_BUNDLE;
const bundle = await openBundle(new DirStore(folder), folder);
const runtime = await openRuntimeInThread(Promise.resolve(bundle), {
  threads: availableParallelism(),
  providers: ['cpu'],
});
const random = createRandom(1);
const off = (): number => random.integer(-BOX_OFF_VOXELS, BOX_OFF_VOXELS);
const boxMs: number[] = [];

interface Ended extends Work {
  readonly dice: number;
  /** After the box, before any stroke. */
  readonly first: number;
}

async function byBox({ hu, truth }: Slice, drawing: BoxDrawing): Promise<Ended> {
  const [a, b] = extentOf(truth) as [Spot, Spot];
  const box = boxBetween(
    truth,
    { x: a.x + off(), y: a.y + off() },
    { x: b.x + off(), y: b.y + off() },
  );
  const work = nothingDone();
  const embedding = await drawing.embed(hu);
  const started = performance.now();
  const mask = await drawing.draw(embedding, box);
  boxMs.push(performance.now() - started);
  work.boxes += 1;
  const [left, top, right, bottom] = box;
  work.dragMm += Math.hypot((right - left) * truth.columnMm, (bottom - top) * truth.rowMm);
  const first = dice(mask, truth.mask);
  correct(mask, truth, GOAL, work);
  return { ...work, first, dice: dice(mask, truth.mask) };
}

function byHand({ truth }: Slice, begin: typeof outline | undefined): Ended {
  const work = nothingDone();
  const mask = new Uint8Array(truth.mask.length);
  begin?.(mask, truth, work);
  const first = dice(mask, truth.mask);
  correct(mask, truth, GOAL, work);
  return { ...work, first, dice: dice(mask, truth.mask) };
}

function tell(name: string, ended: readonly Ended[]): void {
  const quartiles = (of: (one: Ended) => number, digits = 0): string => {
    const [low, middle, high] = [0.25, 0.5, 0.75].map((at) => quantile(ended.map(of), at));
    return `${middle!.toFixed(digits)} [${low!.toFixed(digits)}, ${high!.toFixed(digits)}]`;
  };
  const reached = ended.filter((one) => one.dice >= GOAL).length;
  const actions = (one: Ended): number => one.boxes + one.strokes + one.fills;
  console.log(
    `${name}: ${reached} of ${ended.length} reached ${GOAL}; boxes, strokes and fills ${quartiles(actions)}, ` +
      `dragged ${quartiles(({ dragMm }) => dragMm)} mm, strokes ${quartiles(({ strokes }) => strokes)}, ` +
      `Dice before the first correction ${quartiles(({ first }) => first, 3)}, ` +
      `${ended.filter(({ first }) => first >= GOAL).length} needed none`,
  );
}

const [box, brush, outlined]: [Ended[], Ended[], Ended[]] = [[], [], []];
for (const patient of PATIENTS) {
  const { grid, slices } = await slicesOf(patient);
  const drawing = new BoxDrawing(bundle.manifest, runtime.infer, grid);
  for (const slice of slices) {
    box.push(await byBox(slice, drawing));
    outlined.push(byHand(slice, outline));
    brush.push(byHand(slice, undefined));
  }
  console.error(`${patient}: ${slices.length} slices`);
}
await runtime.close();
tell('box, then brush', box);
tell('outline and fill, then brush', outlined);
tell('brush alone', brush);
console.log(
  `box to mask ${quantile(boxMs, 0.5).toFixed(0)} ms, at most ${Math.max(...boxMs).toFixed(0)} ms`,
);
