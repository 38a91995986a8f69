import { GeometryError } from '../errors.ts';
import { SlicePreprocessor } from '../slice/letterbox.ts';
import type { CroppedMask, Grid, MaskVolume } from '../volume/grid.ts';
import { nearestDistancesMm } from './edt.ts';
import { type OverlapCounts, overlapCounts, requireSameGrid } from './overlap.ts';
import { regionVoxels } from './surface-points.ts';

/** Slices of the `paper` protocol are 256 x 256. */
export const PAPER_SLICE_SIZE_PX = 256;

/** Hausdorff distance counted for an empty prediction: the slice's diagonal, 256 sqrt(2). */
export const PAPER_EMPTY_HAUSDORFF_PX = 362;

const DICE_EPSILON = 1e-6;

/** One slice of the `paper` table. */
export interface PaperSlice {
  readonly slice: number;
  readonly dice: number;
  readonly hausdorffPx: number;
  readonly emptyPrediction: boolean;
}

/**
 * Slices `start .. end - 1` that the authors' preprocessing script keeps: 30 % of the half-height
 * either side of the middle. The last one is left out, as there.
 */
export function centralSlices(slices: number): { readonly start: number; readonly end: number } {
  const middle = (slices - 1) / 2;
  const start = Math.ceil(middle - 0.3 * middle);
  return { start, end: Math.max(start, Math.floor(middle + 0.3 * middle)) };
}

/**
 * Compares one scan slice by slice as the paper's protocol asks: central slices whose label holds
 * liver. Never mix these numbers with those of `comparisonPanel`.
 * @throws GeometryError `paper-slice-size` where slices are not 256 x 256, `grid-shape`,
 * `grid-spacing`
 */
export function paperSlices(prediction: MaskVolume, label: MaskVolume): PaperSlice[] {
  requireSameGrid(prediction, label);
  requirePaperSize(label);
  const { start, end } = centralSlices(label.grid.slices);
  const result: PaperSlice[] = [];
  for (let k = start; k < end; k++) {
    const measured = measurePaperSlice(sliceOf(prediction, k), sliceOf(label, k));
    if (measured) result.push({ slice: k, ...measured });
  }
  return result;
}

/** One slice of 256 x 256 on its own; `undefined` where the label has no liver there. */
export function measurePaperSlice(
  prediction: MaskVolume,
  label: MaskVolume,
): Omit<PaperSlice, 'slice'> | undefined {
  const counts = overlapCounts(prediction.data, label.data);
  if (counts.labelVoxels === 0) return undefined;
  const emptyPrediction = counts.predictionVoxels === 0;
  return {
    dice: emptyPrediction ? 0 : smoothedDice(counts),
    hausdorffPx: emptyPrediction ? PAPER_EMPTY_HAUSDORFF_PX : regionHausdorffPx(prediction, label),
    emptyPrediction,
  };
}

const smoothedDice = (counts: OverlapCounts): number =>
  (2 * counts.sharedVoxels + DICE_EPSILON) /
  (counts.predictionVoxels + counts.labelVoxels + DICE_EPSILON);

/**
 * Hausdorff distance between two regions of one slice, in pixels. All pixels count: the farthest
 * pixel of a region can lie in its interior (a disc against a ring), so outlines would not do.
 * Infinite where exactly one is empty, 0 where both are.
 */
export function regionHausdorffPx(a: MaskVolume, b: MaskVolume): number {
  const { columns, rows } = a.grid;
  const box = { columnStart: 0, columnEnd: columns, rowStart: 0, rowEnd: rows };
  const whole = { ...box, sliceStart: 0, sliceEnd: 1 };
  const [pointsA, pointsB] = [regionVoxels(a, whole), regionVoxels(b, whole)];
  const pixel = { column: 1, row: 1, slice: 1 };
  let farthest = 0;
  for (const distances of [
    nearestDistancesMm(pointsA, pointsB, pixel),
    nearestDistancesMm(pointsB, pointsA, pixel),
  ]) {
    for (const distance of distances) farthest = Math.max(farthest, distance);
  }
  return farthest;
}

/**
 * Brings every slice to 256 x 256 by nearest neighbour (source index floor((n + 0.5) * size / 256),
 * as PIL does), so that masks at native geometry can enter the protocol.
 */
export function toPaperGrid(mask: MaskVolume): MaskVolume {
  const { columns, rows, slices, spacingMm } = mask.grid;
  const size = PAPER_SLICE_SIZE_PX;
  const data = new Uint8Array(size * size * slices);
  const source = (n: number, length: number): number => Math.floor(((n + 0.5) * length) / size);
  const fromColumn = Int32Array.from({ length: size }, (_, i) => source(i, columns));
  let at = 0;
  for (let k = 0; k < slices; k++) {
    for (let j = 0; j < size; j++) {
      const base = (k * rows + source(j, rows)) * columns;
      for (let i = 0; i < size; i++) data[at++] = mask.data[base + fromColumn[i]!]!;
    }
  }
  const grid = {
    columns: size,
    rows: size,
    slices,
    spacingMm: {
      column: (spacingMm.column * columns) / size,
      row: (spacingMm.row * rows) / size,
      slice: spacingMm.slice,
    },
  };
  return { grid, data };
}

function sliceOf(mask: MaskVolume, k: number): MaskVolume {
  const area = mask.grid.columns * mask.grid.rows;
  return {
    grid: { ...mask.grid, slices: 1 },
    data: mask.data.subarray(k * area, (k + 1) * area),
  };
}

function requirePaperSize(mask: MaskVolume): void {
  const { columns, rows } = mask.grid;
  if (columns === PAPER_SLICE_SIZE_PX && rows === PAPER_SLICE_SIZE_PX) return;
  throw new GeometryError({
    code: 'paper-slice-size',
    subject: 'masks of the paper protocol',
    expected: `slices of ${PAPER_SLICE_SIZE_PX}x${PAPER_SLICE_SIZE_PX} pixels`,
    found: `${columns}x${rows}`,
    remedy: 'Resample both masks with toPaperGrid first.',
  });
}

/** Means over the central slices with liver; null for no such slices. */
export interface PaperCaseMeans {
  readonly slices: number;
  readonly dice: number | null;
  readonly hausdorffPx: number | null;
}

/**
 * Protocol `paper` of one case: its central slices (`centralSlices`) whose label holds liver, at the
 * 256 x 256 of the model. Label and final mask both go there as the trainer takes labels there: the
 * letterbox of the slice, triangle filter, share of at least one half.
 *
 * @param prediction the mask in its box; `undefined` where it is empty, likewise `label`
 * @param grid the canonical grid that both boxes lie in
 */
export function paperMeans(
  prediction: CroppedMask | undefined,
  label: CroppedMask | undefined,
  grid: Grid,
): PaperCaseMeans {
  const resample = sliceResampler(grid);
  const { start, end } = centralSlices(grid.slices);
  let [slices, dice, hausdorffPx] = [0, 0, 0];
  for (let k = start; k < end; k++) {
    if (!label || !holdsSlice(label, k)) continue;
    const measured = measurePaperSlice(resample(prediction, k), resample(label, k));
    if (!measured) continue;
    slices++;
    dice += measured.dice;
    hausdorffPx += measured.hausdorffPx;
  }
  if (slices === 0) return { slices, dice: null, hausdorffPx: null };
  return { slices, dice: dice / slices, hausdorffPx: hausdorffPx / slices };
}

/** Pixels of the model's square; distances of the protocol are counted in them. */
const SQUARE: Grid = {
  columns: PAPER_SLICE_SIZE_PX,
  rows: PAPER_SLICE_SIZE_PX,
  slices: 1,
  spacingMm: { column: 1, row: 1, slice: 1 },
};

function sliceResampler(grid: Grid): (mask: CroppedMask | undefined, k: number) => MaskVolume {
  // A mask is an image whose window is [0, 1]: the model's own way to its square serves it as well.
  const preprocessor = new SlicePreprocessor(grid, [0, 1], PAPER_SLICE_SIZE_PX);
  const native = new Uint8Array(grid.columns * grid.rows);
  const share = new Float32Array(PAPER_SLICE_SIZE_PX ** 2);
  return (mask, k) => {
    const data = new Uint8Array(share.length);
    if (!mask || !holdsSlice(mask, k)) return { grid: SQUARE, data };
    paste(mask, k, grid.columns, native.fill(0));
    preprocessor.apply(native, share);
    for (let at = 0; at < data.length; at++) data[at] = share[at]! >= 0.5 ? 1 : 0;
    return { grid: SQUARE, data };
  };
}

const holdsSlice = ({ box }: CroppedMask, k: number): boolean =>
  k >= box.sliceStart && k < box.sliceEnd;

function paste({ mask, box }: CroppedMask, k: number, columns: number, native: Uint8Array): void {
  const { columns: width, rows: height } = mask.grid;
  for (let j = 0; j < height; j++) {
    const from = ((k - box.sliceStart) * height + j) * width;
    const to = (box.rowStart + j) * columns + box.columnStart;
    native.set(mask.data.subarray(from, from + width), to);
  }
}
