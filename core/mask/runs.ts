import type { Grid } from '../volume/grid.ts';
import type { VoxelBox } from './bounds.ts';
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
