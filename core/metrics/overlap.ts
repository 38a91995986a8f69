import { GeometryError } from '../errors.ts';
import { type Grid, type MaskVolume, voxelVolumeMl } from '../volume/grid.ts';

/** Two spacings are one when no axis differs by more than this. */
export const SPACING_TOLERANCE_MM = 1e-4;

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
