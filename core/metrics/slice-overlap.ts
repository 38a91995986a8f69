import type { VoxelBox } from '../mask/bounds.ts';
import { VoxelScan } from '../mask/voxel-scan.ts';
import type { MaskVolume } from '../volume/grid.ts';
import { dice, type OverlapCounts } from './overlap.ts';

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
