import type { TargetMeasures } from '../contract/measures.ts';
import { boundingBox, countSet } from '../mask/bounds.ts';
import { edgeVoxels, surfelAreasMm2, surfels } from '../metrics/surface-points.ts';
import {
  type CroppedMask,
  type Grid,
  type MaskVolume,
  type VoxelBox,
  voxelVolumeMl,
} from '../volume/grid.ts';
import type { AxialSlice } from '../volume/reader.ts';
import { huStatistics } from './hu-statistics.ts';

/**
 * Measures one organ.
 *
 * @param mask on the canonical grid `grid`; undefined where it is empty
 * @param slices of the image, each once, in any order; pixels outside the mask are not kept. Memory:
 *   eight bytes for every voxel of the mask, and two for every voxel of its box.
 */
export async function measureTarget(
  target: string,
  mask: CroppedMask | undefined,
  grid: Grid,
  slices: AsyncIterable<AxialSlice>,
): Promise<TargetMeasures> {
  const box = mask && boundingBox(mask.mask);
  const hu = await collect(mask, box, grid, slices);
  const voxels = mask ? countSet(mask.mask.data) : 0;
  return {
    target,
    voxels,
    volumeMl: voxels * voxelVolumeMl(grid),
    surfaceAreaMm2: mask && box ? surfaceAreaMm2(mask.mask, box) : 0,
    longestAxialDiameterMm: mask && box ? longestAxialDiameterMm(mask.mask, box) : null,
    cutByFieldOfView: cutByFieldOfView(mask, grid),
    inside: huStatistics(hu.inside),
    eroded: huStatistics(hu.eroded),
  };
}

/** Whether the mask reaches the first or last slice, or the sides of the image. */
export function cutByFieldOfView(
  cropped: CroppedMask | undefined,
  grid: Grid,
): TargetMeasures['cutByFieldOfView'] {
  // The crop is of the mask as drawn; the clean-up may have left less.
  const final = cropped && boundingBox(cropped.mask);
  if (!final) return { ends: false, sides: false };
  const { columnStart, rowStart, sliceStart } = cropped.box;
  const within = (start: number, end: number, offset: number, size: number): boolean =>
    offset + start > 0 && offset + end < size;
  return {
    ends: !within(final.sliceStart, final.sliceEnd, sliceStart, grid.slices),
    sides:
      !within(final.columnStart, final.columnEnd, columnStart, grid.columns) ||
      !within(final.rowStart, final.rowEnd, rowStart, grid.rows),
  };
}

function surfaceAreaMm2(mask: MaskVolume, box: VoxelBox): number {
  const table = surfelAreasMm2(mask.grid.spacingMm);
  return surfels(mask, box).code.reduce((sum, code) => sum + table[code]!, 0);
}

const EDGE = 1;
const INTERIOR = 2;

/** The mask with its edge told from its interior. */
function layers(mask: MaskVolume, box: VoxelBox): Uint8Array {
  const { columns, rows } = mask.grid;
  const marked = mask.data.map((set) => (set === 0 ? 0 : INTERIOR));
  const edge = edgeVoxels(mask, box);
  for (let k = 0; k < edge.slices; k++)
    for (let n = edge.sliceOffset[k]!; n < edge.sliceOffset[k + 1]!; n++) {
      const j = Math.floor(edge.position[n]! / edge.columns);
      const i = edge.position[n]! % edge.columns;
      const row = (k + box.sliceStart) * rows + j + box.rowStart;
      marked[row * columns + i + box.columnStart] = EDGE;
    }
  return marked;
}

async function collect(
  mask: CroppedMask | undefined,
  box: VoxelBox | undefined,
  grid: Grid,
  slices: AsyncIterable<AxialSlice>,
): Promise<{ inside: Float32Array; eroded: Float32Array }> {
  const marked = mask && box ? layers(mask.mask, box) : new Uint8Array(0);
  const inside = new Float32Array(countWhere(marked, EDGE));
  const eroded = new Float32Array(countWhere(marked, INTERIOR));
  let insideAt = 0;
  let erodedAt = 0;
  // Read to the end even where nothing is drawn: a damaged image must not pass for measured.
  for await (const { index, hu } of slices) {
    if (!mask || index < mask.box.sliceStart || index >= mask.box.sliceEnd) continue;
    const { columns, rows } = mask.mask.grid;
    for (let j = 0; j < rows; j++) {
      const from = ((index - mask.box.sliceStart) * rows + j) * columns;
      const image = (j + mask.box.rowStart) * grid.columns + mask.box.columnStart;
      for (let i = 0; i < columns; i++) {
        const layer = marked[from + i]!;
        if (layer === 0) continue;
        inside[insideAt++] = hu[image + i]!;
        if (layer === INTERIOR) eroded[erodedAt++] = hu[image + i]!;
      }
    }
  }
  return { inside, eroded };
}

function countWhere(marked: Uint8Array, least: number): number {
  let count = 0;
  for (let n = 0; n < marked.length; n++) if (marked[n]! >= least) count += 1;
  return count;
}

/** See `TargetMeasures.longestAxialDiameterMm`. */
function longestAxialDiameterMm({ grid, data }: MaskVolume, box: VoxelBox): number {
  let longest = 0;
  for (let k = box.sliceStart; k < box.sliceEnd; k++) {
    const area = grid.columns * grid.rows;
    const slice = data.subarray(k * area, (k + 1) * area);
    longest = Math.max(longest, diameterMm(outerPoints(slice, grid)));
  }
  return longest;
}

type Point = readonly [xMm: number, yMm: number];

/** The outermost midpoints between voxels of every row and every column: the others lie between. */
function outerPoints(slice: Uint8Array, { columns, rows, spacingMm }: Grid): Point[] {
  const points: Point[] = [];
  const top = new Int32Array(columns).fill(-1);
  const bottom = new Int32Array(columns);
  for (let j = 0; j < rows; j++) {
    const row = slice.subarray(j * columns, (j + 1) * columns);
    const first = row.indexOf(1);
    if (first < 0) continue;
    let last = first;
    for (let i = first; i < columns; i++) {
      if (row[i] === 0) continue;
      last = i;
      if (top[i]! < 0) top[i] = j;
      bottom[i] = j;
    }
    for (const i of [first - 0.5, last + 0.5])
      points.push([i * spacingMm.column, j * spacingMm.row]);
  }
  for (let i = 0; i < columns; i++) {
    if (top[i]! < 0) continue;
    for (const j of [top[i]! - 0.5, bottom[i]! + 0.5])
      points.push([i * spacingMm.column, j * spacingMm.row]);
  }
  return points;
}

/** The longest distance between two of the points: its ends are corners of their convex hull. */
function diameterMm(points: readonly Point[]): number {
  const hull = convexHull(points);
  let longest = 0;
  for (let a = 0; a < hull.length; a++)
    for (let b = a + 1; b < hull.length; b++)
      longest = Math.max(longest, Math.hypot(hull[a]![0] - hull[b]![0], hull[a]![1] - hull[b]![1]));
  return longest;
}

/** Andrew's monotone chain. */
function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (ordered: readonly Point[]): Point[] => {
    const chain: Point[] = [];
    for (const point of ordered) {
      while (chain.length > 1 && !turnsLeft(chain.at(-2)!, chain.at(-1)!, point)) chain.pop();
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

const turnsLeft = (a: Point, b: Point, c: Point): boolean =>
  (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0;
