import type { MaskVolume, VoxelBox } from '../volume/grid.ts';
import { boundingBox } from './bounds.ts';
import {
  type Connectivity,
  joinRuns,
  paintRun,
  type RowRuns,
  type RunForest,
  rowCount,
  rowRuns,
} from './runs.ts';

/** How many connected parts a mask has, and how large they are. */
export interface Components {
  readonly count: number;
  /** Voxels of each component, in raster order of its first voxel. */
  readonly sizesVoxels: readonly number[];
  /** Index into `sizesVoxels` of the largest (the first one where sizes tie); -1 where none. */
  readonly largest: number;
}

/**
 * Counts the connected components of a mask. The default connectivity is 26, as in
 * connected-components-3d: a thin lobe that continues over a voxel corner stays one liver.
 */
export function connectedComponents(mask: MaskVolume, connectivity: Connectivity = 26): Components {
  return label(mask, connectivity).components;
}

/**
 * Clears every component but the largest **in the given mask's own bytes**: for whole volumes, where a
 * second copy would cost more memory than the work itself. Returns what the mask was made of.
 */
export function eraseSmallerComponents(
  mask: MaskVolume,
  connectivity: Connectivity = 26,
): Components {
  const { components, runs, forest, numbers } = label(mask, connectivity);
  if (!runs || !forest || components.count < 2) return components;
  for (let row = 0; row < rowCount(runs); row++) {
    for (let run = runs.rowOffset[row]!; run < runs.rowOffset[row + 1]!; run++) {
      if (numbers[forest.find(run)] === components.largest) continue;
      paintRun(mask.data, mask.grid, runs, row, run, 0);
    }
  }
  return components;
}

interface Labelling {
  readonly components: Components;
  readonly runs?: RowRuns;
  readonly forest?: RunForest;
  /** Component number of each root run. */
  readonly numbers: Int32Array;
}

function label(mask: MaskVolume, connectivity: Connectivity): Labelling {
  const box = boundingBox(mask);
  if (!box) {
    return {
      components: { count: 0, sizesVoxels: [], largest: -1 },
      numbers: new Int32Array(0),
    };
  }
  const runs = rowRuns(mask.data, mask.grid, box, 'foreground');
  const forest = joinRuns(runs, connectivity);
  const numbers = new Int32Array(runs.count);
  const sizesVoxels: number[] = [];
  for (let run = 0; run < runs.count; run++) {
    const root = forest.find(run);
    if (root === run) numbers[run] = sizesVoxels.push(0) - 1;
    const number = numbers[root]!;
    sizesVoxels[number] = sizesVoxels[number]! + runs.end[run]! - runs.start[run]!;
  }
  let largest = 0;
  for (let i = 1; i < sizesVoxels.length; i++) {
    if (sizesVoxels[i]! > sizesVoxels[largest]!) largest = i;
  }
  return { components: { count: sizesVoxels.length, sizesVoxels, largest }, runs, forest, numbers };
}

/**
 * Sets, **in the given mask's own bytes**, every background voxel from which no path through faces
 * (6-connected) leads out of the volume: the rule of `scipy.ndimage.binary_fill_holes` with its
 * default structure, in 3-D. Returns the number of voxels set.
 */
export function fillHoles(mask: MaskVolume): number {
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
