import { GeometryError } from '../errors.ts';
import { VoxelScan } from '../mask/voxel-scan.ts';
import { type Grid, type MaskVolume, type VoxelBox, voxelVolumeMl } from '../volume/grid.ts';

/** Two spacings are one when no axis differs by more than this. */
const SPACING_TOLERANCE_MM = 1e-4;

/** Voxels of the prediction, of the label, and of both. */
export interface OverlapCounts {
  readonly predictionVoxels: number;
  readonly labelVoxels: number;
  readonly sharedVoxels: number;
}

/**
 * Refuses masks that do not lie on one grid: a metric between them would be a number about nothing.
 * @throws GeometryError `grid-shape` or `grid-spacing`
 */
export function requireSameGrid(prediction: MaskVolume, label: MaskVolume): void {
  const [p, l] = [prediction.grid, label.grid];
  if (p.columns !== l.columns || p.rows !== l.rows || p.slices !== l.slices) {
    throw new GeometryError({
      code: 'grid-shape',
      subject: 'prediction and label',
      expected: `a label of ${shapeText(p)} voxels like the prediction`,
      found: shapeText(l),
      remedy: 'Resample the label onto the image grid, or compare with the label of this image.',
    });
  }
  const differenceMm = Math.max(
    Math.abs(p.spacingMm.column - l.spacingMm.column),
    Math.abs(p.spacingMm.row - l.spacingMm.row),
    Math.abs(p.spacingMm.slice - l.spacingMm.slice),
  );
  // Written so that NaN, from a broken header, is refused as well.
  if (differenceMm <= SPACING_TOLERANCE_MM) return;
  throw new GeometryError({
    code: 'grid-spacing',
    subject: 'prediction and label',
    expected: `a spacing of ${spacingText(p)} mm as in the prediction`,
    found: `${spacingText(l)} mm`,
    remedy: 'Check the headers of image and label; distances in mm would be wrong.',
  });
}

const shapeText = (grid: Grid): string => `${grid.columns}x${grid.rows}x${grid.slices}`;

const spacingText = ({ spacingMm }: Grid): string =>
  `${spacingMm.column}x${spacingMm.row}x${spacingMm.slice}`;

/** Counts voxels from `start` to `end` (indices into `data`; the whole volume unless told). */
export function overlapCounts(
  prediction: Uint8Array,
  label: Uint8Array,
  start = 0,
  end = prediction.length,
): OverlapCounts {
  let predictionVoxels = 0;
  let labelVoxels = 0;
  let sharedVoxels = 0;
  for (let i = start; i < end; i++) {
    const p = prediction[i]!;
    const l = label[i]!;
    predictionVoxels += p;
    labelVoxels += l;
    sharedVoxels += p & l;
  }
  return { predictionVoxels, labelVoxels, sharedVoxels };
}

/**
 * Dice coefficient 2|A and B| / (|A| + |B|), in [0, 1].
 * Both empty: 1, a true negative (house convention; MONAI and DeepMind give NaN there).
 */
export function dice(counts: OverlapCounts): number {
  const total = counts.predictionVoxels + counts.labelVoxels;
  return total === 0 ? 1 : (2 * counts.sharedVoxels) / total;
}

/** Intersection over union, in [0, 1]; both empty: 1. */
export function iou(counts: OverlapCounts): number {
  const union = counts.predictionVoxels + counts.labelVoxels - counts.sharedVoxels;
  return union === 0 ? 1 : counts.sharedVoxels / union;
}

/** Volumes in ml, and prediction minus label: positive where the prediction is too large. */
export interface VolumeComparison {
  readonly predictionMl: number;
  readonly labelMl: number;
  readonly errorMl: number;
  /** 100 * error / label volume; both empty: 0; label empty and prediction not: infinite. */
  readonly errorPercent: number;
}

export function compareVolumes(counts: OverlapCounts, grid: Grid): VolumeComparison {
  const unit = voxelVolumeMl(grid);
  const difference = counts.predictionVoxels - counts.labelVoxels;
  return {
    predictionMl: counts.predictionVoxels * unit,
    labelMl: counts.labelVoxels * unit,
    errorMl: difference * unit,
    errorPercent: difference === 0 ? 0 : (100 * difference) / counts.labelVoxels,
  };
}

/** Overlap of the whole volume and Dice of each axial slice, in one pass over the masks' box. */
export interface SliceOverlap {
  readonly total: OverlapCounts;
  /** `null` where neither mask has a voxel in the slice. */
  readonly sliceDice: (number | null)[];
  /** Voxels of each slice. */
  readonly predictionVoxels: number[];
  readonly labelVoxels: number[];
}

/** `box` must hold every voxel of both masks; `undefined` where both are empty. */
export function overlapBySlice(
  prediction: MaskVolume,
  label: MaskVolume,
  box: VoxelBox | undefined,
): SliceOverlap {
  const total = { predictionVoxels: 0, labelVoxels: 0, sharedVoxels: 0 };
  const { slices } = label.grid;
  const sliceDice = new Array<number | null>(slices).fill(null);
  const predictionVoxels = new Array<number>(slices).fill(0);
  const labelVoxels = new Array<number>(slices).fill(0);
  if (!box) return { total, sliceDice, predictionVoxels, labelVoxels };
  const scans = [new VoxelScan(prediction.data), new VoxelScan(label.data)];
  for (let k = box.sliceStart; k < box.sliceEnd; k++) {
    const slice = countSlice(prediction, label, box, k, scans);
    total.predictionVoxels += slice.predictionVoxels;
    total.labelVoxels += slice.labelVoxels;
    total.sharedVoxels += slice.sharedVoxels;
    predictionVoxels[k] = slice.predictionVoxels;
    labelVoxels[k] = slice.labelVoxels;
    if (slice.predictionVoxels + slice.labelVoxels > 0) sliceDice[k] = dice(slice);
  }
  return { total, sliceDice, predictionVoxels, labelVoxels };
}

function countSlice(
  prediction: MaskVolume,
  label: MaskVolume,
  box: VoxelBox,
  k: number,
  scans: readonly VoxelScan[],
): OverlapCounts {
  const { columns, rows } = label.grid;
  const [p, l] = [prediction.data, label.data];
  let predictionVoxels = 0;
  let labelVoxels = 0;
  let sharedVoxels = 0;
  for (let j = box.rowStart; j < box.rowEnd; j++) {
    const base = (k * rows + j) * columns;
    const stop = base + box.columnEnd;
    const firsts = scans.map((scan) => scan.first(base + box.columnStart, stop));
    const start = Math.min(...firsts.map((at) => (at < 0 ? stop : at)));
    for (let at = start; at < stop; at++) {
      predictionVoxels += p[at]!;
      labelVoxels += l[at]!;
      sharedVoxels += p[at]! & l[at]!;
    }
  }
  return { predictionVoxels, labelVoxels, sharedVoxels };
}
