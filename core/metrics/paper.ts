import type { CroppedMask, Grid } from '../volume/grid.ts';
import { nearestDistancesMm } from './edt.ts';
import { type OverlapCounts, overlapCounts } from './overlap.ts';
import { regionVoxels } from './surface-points.ts';

/** Slices of the `paper` protocol are 256 x 256. */
export const PAPER_SLICE_SIZE_PX = 256;

/** Hausdorff distance counted for an empty prediction: the slice's diagonal, 256 sqrt(2). */
const EMPTY_HAUSDORFF_PX = 362;

const DICE_EPSILON = 1e-6;

/**
 * Slices `start .. end - 1` that the authors' preprocessing script keeps: 30 % of the half-height
 * either side of the middle. The last one is left out, as there.
 */
function centralSlices(slices: number): { readonly start: number; readonly end: number } {
  const middle = (slices - 1) / 2;
  const start = Math.ceil(middle - 0.3 * middle);
  return { start, end: Math.max(start, Math.floor(middle + 0.3 * middle)) };
}

interface SliceMeasures {
  readonly dice: number;
  readonly hausdorffPx: number;
}

/** One slice in the model's square; `undefined` where the label has no liver there. */
function measureSlice(prediction: Square, label: Square): SliceMeasures | undefined {
  const counts = overlapCounts(prediction, label);
  if (counts.labelVoxels === 0) return undefined;
  if (counts.predictionVoxels === 0) return { dice: 0, hausdorffPx: EMPTY_HAUSDORFF_PX };
  return { dice: smoothedDice(counts), hausdorffPx: regionHausdorffPx(prediction, label) };
}

const smoothedDice = (counts: OverlapCounts): number =>
  (2 * counts.sharedVoxels + DICE_EPSILON) /
  (counts.predictionVoxels + counts.labelVoxels + DICE_EPSILON);

/**
 * Hausdorff distance between two regions of one slice, none of them empty, in pixels. All pixels count:
 * the farthest pixel of a region can lie in its interior (a disc against a ring), so outlines would not
 * do.
 */
function regionHausdorffPx(a: Square, b: Square): number {
  const size = PAPER_SLICE_SIZE_PX;
  const box = { columnStart: 0, columnEnd: size, rowStart: 0, rowEnd: size };
  const points = (data: Square) =>
    regionVoxels({ grid: SQUARE, data }, { ...box, sliceStart: 0, sliceEnd: 1 });
  const [pointsA, pointsB] = [points(a), points(b)];
  let farthest = 0;
  for (const distances of [
    nearestDistancesMm(pointsA, pointsB, SQUARE.spacingMm),
    nearestDistancesMm(pointsB, pointsA, SQUARE.spacingMm),
  ]) {
    for (const distance of distances) farthest = Math.max(farthest, distance);
  }
  return farthest;
}

/** Means over the central slices with liver; null for no such slices. */
export interface PaperCaseMeans {
  readonly slices: number;
  readonly dice: number | null;
  readonly hausdorffPx: number | null;
}

/** Slice k of a mask in the model's square: 256 x 256 bytes in rows, 0 or 1. */
export type ToSquare = (mask: CroppedMask, k: number) => Square;
type Square = Uint8Array;

/**
 * Protocol `paper` of one case: its central slices whose label holds liver, at the 256 x 256 of the
 * model. Never mix these numbers with those of `comparisonPanel`.
 *
 * @param prediction the mask in its box; `undefined` where it is empty, likewise `label`
 * @param slices of the canonical grid that both boxes lie in
 * @param toSquare as the trainer takes labels there
 */
export function paperMeans(
  prediction: CroppedMask | undefined,
  label: CroppedMask | undefined,
  slices: number,
  toSquare: ToSquare,
): PaperCaseMeans {
  const square = (mask: CroppedMask | undefined, k: number): Square =>
    mask && k >= mask.box.sliceStart && k < mask.box.sliceEnd
      ? toSquare(mask, k)
      : new Uint8Array(PAPER_SLICE_SIZE_PX ** 2);
  const { start, end } = centralSlices(slices);
  const from = Math.max(start, label?.box.sliceStart ?? end);
  const to = Math.min(end, label?.box.sliceEnd ?? start);
  let [measured, dice, hausdorffPx] = [0, 0, 0];
  for (let k = from; k < to; k++) {
    const measures = measureSlice(square(prediction, k), square(label, k));
    if (!measures) continue;
    measured++;
    dice += measures.dice;
    hausdorffPx += measures.hausdorffPx;
  }
  if (measured === 0) return { slices: 0, dice: null, hausdorffPx: null };
  return { slices: measured, dice: dice / measured, hausdorffPx: hausdorffPx / measured };
}

/** Distances of the protocol are counted in pixels of the square. */
const SQUARE: Grid = {
  columns: PAPER_SLICE_SIZE_PX,
  rows: PAPER_SLICE_SIZE_PX,
  slices: 1,
  spacingMm: { column: 1, row: 1, slice: 1 },
};
