import { SlicePreprocessor } from '../slice/preprocess.ts';
import type { CroppedMask, Grid, MaskVolume } from '../volume/grid.ts';
import { centralSlices, measurePaperSlice, PAPER_SLICE_SIZE_PX } from './paper-slice.ts';

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
