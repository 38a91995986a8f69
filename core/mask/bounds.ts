import type { CroppedMask, Grid, MaskVolume, VoxelBox } from '../volume/grid.ts';
import { VoxelScan } from './voxel-scan.ts';

/**
 * The smallest box that holds every voxel of the mask, or `undefined` if the mask is empty. Reads
 * the inside of the box only as far as needed, so it costs about one pass over the background.
 */
export function boundingBox(mask: MaskVolume): VoxelBox | undefined {
  const { columns, rows, slices } = mask.grid;
  const area = columns * rows;
  const scan = new VoxelScan(mask.data);
  const first = scan.first(0, area * slices);
  if (first < 0) return undefined;
  const sliceStart = Math.floor(first / area);
  const sliceEnd = Math.floor(scan.last(0, area * slices) / area) + 1;
  let columnStart = columns;
  let columnEnd = 0;
  let rowStart = rows;
  let rowEnd = 0;
  for (let k = sliceStart; k < sliceEnd; k++) {
    for (let j = 0; j < rows; j++) {
      const base = (k * rows + j) * columns;
      // Before anything is known the whole row is the prefix; later only what lies outside.
      const head = scan.first(base, base + columnStart);
      if (head >= 0) columnStart = head - base;
      const tail = scan.last(base + columnEnd, base + columns);
      if (tail >= 0) columnEnd = tail - base + 1;
      if (j >= rowStart && j < rowEnd) continue;
      const occupied = head >= 0 || tail >= 0 || scan.first(base, base + columns) >= 0;
      if (!occupied) continue;
      if (j < rowStart) rowStart = j;
      if (j >= rowEnd) rowEnd = j + 1;
    }
  }
  return { columnStart, columnEnd, rowStart, rowEnd, sliceStart, sliceEnd };
}

/** The smallest box around both; `undefined` only where both are. */
export function unionBox(a: VoxelBox | undefined, b: VoxelBox | undefined): VoxelBox | undefined {
  if (!a || !b) return a ?? b;
  return {
    columnStart: Math.min(a.columnStart, b.columnStart),
    columnEnd: Math.max(a.columnEnd, b.columnEnd),
    rowStart: Math.min(a.rowStart, b.rowStart),
    rowEnd: Math.max(a.rowEnd, b.rowEnd),
    sliceStart: Math.min(a.sliceStart, b.sliceStart),
    sliceEnd: Math.max(a.sliceEnd, b.sliceEnd),
  };
}

/** The grid of a box: same spacing, fewer voxels. */
export const boxGrid = (box: VoxelBox, grid: Grid): Grid => ({
  columns: box.columnEnd - box.columnStart,
  rows: box.rowEnd - box.rowStart,
  slices: box.sliceEnd - box.sliceStart,
  spacingMm: grid.spacingMm,
});

/** Copies a box out of a mask. The box must lie inside the mask's grid. */
export function cropMask(mask: MaskVolume, box: VoxelBox): CroppedMask {
  const grid = boxGrid(box, mask.grid);
  const data = new Uint8Array(grid.columns * grid.rows * grid.slices);
  let target = 0;
  for (let k = box.sliceStart; k < box.sliceEnd; k++) {
    for (let j = box.rowStart; j < box.rowEnd; j++) {
      const base = (k * mask.grid.rows + j) * mask.grid.columns;
      data.set(mask.data.subarray(base + box.columnStart, base + box.columnEnd), target);
      target += grid.columns;
    }
  }
  return { mask: { grid, data }, box };
}

/** Words whose bytes can be added up before one of them could pass 255. */
const WORDS_PER_SUM = 255;

/** Voxels that are set; `data` holds 0 and 1. Four of them are added at a time. */
export function countSet(data: Uint8Array): number {
  const head = Math.min(data.length, (4 - (data.byteOffset % 4)) % 4);
  const count = (data.length - head) >> 2;
  const words =
    count > 0 ? new Uint32Array(data.buffer, data.byteOffset + head, count) : new Uint32Array(0);
  let voxels = 0;
  for (let from = 0; from < words.length; from += WORDS_PER_SUM) {
    const to = Math.min(words.length, from + WORDS_PER_SUM);
    let sums = 0;
    for (let at = from; at < to; at++) sums = (sums + words[at]!) | 0;
    voxels += (sums & 0xff) + ((sums >>> 8) & 0xff) + ((sums >>> 16) & 0xff) + (sums >>> 24);
  }
  for (let at = 0; at < head; at++) voxels += data[at]!;
  for (let at = head + words.length * 4; at < data.length; at++) voxels += data[at]!;
  return voxels;
}
