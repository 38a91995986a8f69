import type { MaskVolume } from '../volume/grid.ts';
import { boundingBox } from './bounds.ts';
import { type Connectivity, joinRuns, type RunForest } from './run-forest.ts';
import { paintRun, type RowRuns, rowCount, rowRuns } from './runs.ts';

export type { Connectivity } from './run-forest.ts';

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

/** Component number per voxel: 0 background, then 1, 2, … in raster order of the first voxel. */
export function componentLabels(mask: MaskVolume, connectivity: Connectivity = 26): Uint32Array {
  const labels = new Uint32Array(mask.data.length);
  const { runs, forest, numbers } = label(mask, connectivity);
  if (!runs || !forest) return labels;
  const { columns, rows } = mask.grid;
  const boxRows = runs.box.rowEnd - runs.box.rowStart;
  for (let row = 0; row < rowCount(runs); row++) {
    const k = runs.box.sliceStart + Math.floor(row / boxRows);
    const j = runs.box.rowStart + (row % boxRows);
    const base = (k * rows + j) * columns;
    for (let run = runs.rowOffset[row]!; run < runs.rowOffset[row + 1]!; run++) {
      const value = numbers[forest.find(run)]! + 1;
      labels.fill(value, base + runs.start[run]!, base + runs.end[run]!);
    }
  }
  return labels;
}

/** A copy of the mask with only its largest component, and what the mask was made of. */
export function largestComponent(
  mask: MaskVolume,
  connectivity: Connectivity = 26,
): { readonly mask: MaskVolume; readonly components: Components } {
  const copy = { grid: mask.grid, data: mask.data.slice() };
  return { mask: copy, components: eraseSmallerComponents(copy, connectivity) };
}

/**
 * The same, clearing every other component **in the given mask's own bytes**: for whole volumes,
 * where a second copy would cost more memory than the work itself.
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
