import type { MaskVolume } from '../volume/grid.ts';
import { boundingBox, type VoxelBox } from './bounds.ts';
import { joinRuns } from './run-forest.ts';
import { paintRun, type RowRuns, rowCount, rowRuns } from './runs.ts';

/** A copy of the mask with its holes filled, and how many voxels that added. */
export function fillHoles(mask: MaskVolume): {
  readonly mask: MaskVolume;
  readonly filledVoxels: number;
} {
  const copy = { grid: mask.grid, data: mask.data.slice() };
  return { mask: copy, filledVoxels: fillHolesInPlace(copy) };
}

/**
 * Sets, **in the given mask's own bytes**, every background voxel from which no path through faces
 * (6-connected) leads out of the volume: the rule of `scipy.ndimage.binary_fill_holes` with its
 * default structure, in 3-D. Returns the number of voxels set.
 */
export function fillHolesInPlace(mask: MaskVolume): number {
  // All outside the bounding box is background that leads out, so only the inside needs a look.
  const box = boundingBox(mask);
  if (!box) return 0;
  const runs = rowRuns(mask.data, mask.grid, box, 'background');
  const forest = joinRuns(runs, 6);
  const open = new Uint8Array(runs.count);
  forEachRun(runs, (row, run) => {
    if (reachesFace(runs, box, row, run)) open[forest.find(run)] = 1;
  });
  let filled = 0;
  forEachRun(runs, (row, run) => {
    if (open[forest.find(run)] !== 0) return;
    paintRun(mask.data, mask.grid, runs, row, run, 1);
    filled += runs.end[run]! - runs.start[run]!;
  });
  return filled;
}

function forEachRun(runs: RowRuns, visit: (row: number, run: number) => void): void {
  for (let row = 0; row < rowCount(runs); row++) {
    for (let run = runs.rowOffset[row]!; run < runs.rowOffset[row + 1]!; run++) visit(row, run);
  }
}

function reachesFace(runs: RowRuns, box: VoxelBox, row: number, run: number): boolean {
  const rows = box.rowEnd - box.rowStart;
  const j = row % rows;
  const k = Math.floor(row / rows);
  return (
    runs.start[run] === box.columnStart ||
    runs.end[run] === box.columnEnd ||
    j === 0 ||
    j === rows - 1 ||
    k === 0 ||
    k === box.sliceEnd - box.sliceStart - 1
  );
}
