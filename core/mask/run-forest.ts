import type { RowRuns } from './runs.ts';

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
