import type { Grid, VoxelBox } from '../volume/grid.ts';
import { VoxelScan } from './voxel-scan.ts';

/**
 * A binary volume (or its background) as maximal runs of equal voxels along the columns axis. A
 * liver of ten million voxels is about forty thousand runs, so everything that works on
 * connectivity works on these and touches the voxels only to read and to write them.
 */
export interface RowRuns {
  readonly box: VoxelBox;
  readonly count: number;
  /** First column of each run, in volume coordinates. */
  readonly start: Int32Array;
  /** One past the last column of each run. */
  readonly end: Int32Array;
  /**
   * Runs of row (j, k) are `rowOffset[r] .. rowOffset[r + 1] - 1`, where
   * `r = (k - box.sliceStart) * (box.rowEnd - box.rowStart) + (j - box.rowStart)`.
   */
  readonly rowOffset: Int32Array;
}

/** Runs of the set voxels (`foreground`) or the unset ones (`background`) inside a box. */
export function rowRuns(
  data: Uint8Array,
  grid: Grid,
  box: VoxelBox,
  phase: 'foreground' | 'background',
): RowRuns {
  const scan = new VoxelScan(data);
  const rows = box.rowEnd - box.rowStart;
  const rowOffset = new Int32Array(rows * (box.sliceEnd - box.sliceStart) + 1);
  let start = new Int32Array(1024);
  let end = new Int32Array(1024);
  let count = 0;
  let row = 0;
  for (let k = box.sliceStart; k < box.sliceEnd; k++) {
    for (let j = box.rowStart; j < box.rowEnd; j++) {
      const base = (k * grid.rows + j) * grid.columns;
      const stop = base + box.columnEnd;
      let at = base + box.columnStart;
      while (at < stop) {
        const from = phase === 'foreground' ? nextSet(scan, at, stop) : scan.firstZero(at, stop);
        if (from >= stop) break;
        at = phase === 'foreground' ? scan.firstZero(from, stop) : nextSet(scan, from, stop);
        if (count === start.length) {
          start = grown(start);
          end = grown(end);
        }
        start[count] = from - base;
        end[count] = at - base;
        count++;
      }
      rowOffset[++row] = count;
    }
  }
  return { box, count, start, end, rowOffset };
}

const nextSet = (scan: VoxelScan, from: number, stop: number): number => {
  const found = scan.first(from, stop);
  return found < 0 ? stop : found;
};

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** Sets every voxel of one row's run to a value. */
export function paintRun(
  data: Uint8Array,
  grid: Grid,
  runs: RowRuns,
  row: number,
  run: number,
  value: 0 | 1,
): void {
  const rows = runs.box.rowEnd - runs.box.rowStart;
  const k = runs.box.sliceStart + Math.floor(row / rows);
  const j = runs.box.rowStart + (row % rows);
  const base = (k * grid.rows + j) * grid.columns;
  data.fill(value, base + runs.start[run]!, base + runs.end[run]!);
}

/** Number of rows (pairs of j and k) that the runs cover. */
export const rowCount = (runs: RowRuns): number => runs.rowOffset.length - 1;

/**
 * Which voxels touch: 6 through faces, 18 through faces and edges, 26 also through corners.
 */
export type Connectivity = 6 | 18 | 26;

/** Disjoint sets with path halving; the smaller index becomes the root, so roots are in raster order. */
export class RunForest {
  readonly #parent: Int32Array;

  constructor(size: number) {
    this.#parent = new Int32Array(size);
    for (let i = 0; i < size; i++) this.#parent[i] = i;
  }

  find(item: number): number {
    const parent = this.#parent;
    let at = item;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  }

  join(a: number, b: number): void {
    const rootA = this.find(a);
    const rootB = this.find(b);
    if (rootA < rootB) this.#parent[rootB] = rootA;
    else if (rootB < rootA) this.#parent[rootA] = rootB;
  }
}

/** Joins all runs that touch under the given connectivity. */
export function joinRuns(runs: RowRuns, connectivity: Connectivity): RunForest {
  const forest = new RunForest(runs.count);
  const rows = runs.box.rowEnd - runs.box.rowStart;
  const slices = runs.box.sliceEnd - runs.box.sliceStart;
  // How far a run reaches sideways into the next row of the slice, and into the slice before it.
  const sideways = connectivity === 6 ? 0 : 1;
  const corner = connectivity === 26 ? 1 : 0;
  for (let k = 0; k < slices; k++) {
    for (let j = 0; j < rows; j++) {
      const row = k * rows + j;
      if (runs.rowOffset[row] === runs.rowOffset[row + 1]) continue;
      if (j > 0) joinRows(runs, forest, row, row - 1, sideways);
      if (k === 0) continue;
      const below = row - rows;
      joinRows(runs, forest, row, below, sideways);
      if (connectivity === 6) continue;
      if (j > 0) joinRows(runs, forest, row, below - 1, corner);
      if (j < rows - 1) joinRows(runs, forest, row, below + 1, corner);
    }
  }
  return forest;
}

/** Merge-like sweep over two rows; runs touch when they overlap after widening by `reach`. */
function joinRows(runs: RowRuns, forest: RunForest, a: number, b: number, reach: number): void {
  const { start, end, rowOffset } = runs;
  const stopA = rowOffset[a + 1]!;
  const stopB = rowOffset[b + 1]!;
  let i = rowOffset[a]!;
  let j = rowOffset[b]!;
  while (i < stopA && j < stopB) {
    if (start[i]! < end[j]! + reach && start[j]! < end[i]! + reach) forest.join(i, j);
    if (end[i]! < end[j]!) i++;
    else j++;
  }
}
