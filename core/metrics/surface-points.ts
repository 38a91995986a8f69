import { boxGrid } from '../mask/bounds.ts';
import type { Grid, MaskVolume, VoxelBox } from '../volume/grid.ts';

/** Points of a lattice, slice by slice. Two sets can be compared when their lattices are the same. */
export interface LatticePoints {
  readonly columns: number;
  readonly rows: number;
  readonly slices: number;
  /** Points of slice k are `sliceOffset[k] .. sliceOffset[k + 1] - 1`. */
  readonly sliceOffset: Int32Array;
  /** `row * columns + column` of each point, ascending within a slice. */
  readonly position: Int32Array;
}

/** Surface elements: lattice corners between voxels, with their 2x2x2 neighbourhood code. */
export interface Surfels extends LatticePoints {
  /** 1..254; see `surfelAreasMm2` for the bit order. */
  readonly code: Uint8Array;
}

/**
 * DeepMind's surface: every corner between eight voxels that are not all equal, voxels outside the
 * box counting as background. The lattice is one larger than the box on each axis.
 */
export function surfels(mask: MaskVolume, box: VoxelBox): Surfels {
  const voxels = boxGrid(box, mask.grid);
  const columns = voxels.columns + 1;
  const rows = voxels.rows + 1;
  const slices = voxels.slices + 1;
  const sliceOffset = new Int32Array(slices + 1);
  const position = new GrowingInts();
  const code = new GrowingInts();
  const padded = new PaddedSlices(mask, box);
  // Rounded up so that both can be read four corners at a time.
  let before = new Uint8Array((columns * rows + 3) & ~3);
  let after = new Uint8Array(before.length);
  for (let k = 0; k < slices; k++) {
    planarCodes(padded.slice(k), columns, rows, after);
    const beforeWords = new Uint32Array(before.buffer);
    const afterWords = new Uint32Array(after.buffer);
    for (let word = 0; word < afterWords.length; word++) {
      const a = beforeWords[word]!;
      if (a === afterWords[word] && (a === 0 || a === 0x0f0f0f0f)) continue;
      for (let at = word * 4; at < word * 4 + 4; at++) {
        const value = (before[at]! << 4) | after[at]!;
        if (value === 0 || value === 255) continue;
        position.push(at);
        code.push(value);
      }
    }
    sliceOffset[k + 1] = position.length;
    [before, after] = [after, before];
  }
  return {
    columns,
    rows,
    slices,
    sliceOffset,
    position: position.values(),
    code: Uint8Array.from(code.values()),
  };
}

/** Four bits per corner of one slice: 8 before in row and column, 4, 2, 1 after in both. */
function planarCodes(padded: Uint8Array, columns: number, rows: number, out: Uint8Array): void {
  const width = columns + 1;
  for (let j = 0; j < rows; j++) {
    const upper = j * width;
    const lower = upper + width;
    const target = j * columns;
    let left = padded[upper]! * 4 + padded[lower]!;
    for (let i = 0; i < columns; i++) {
      const right = padded[upper + i + 1]! * 4 + padded[lower + i + 1]!;
      out[target + i] = left * 2 + right;
      left = right;
    }
  }
}

/**
 * MONAI's and medpy's surface: voxels of the mask with at least one of six neighbours outside it,
 * the volume's outside included (mask XOR its erosion by the face-connected cross).
 */
export function edgeVoxels(mask: MaskVolume, box: VoxelBox): LatticePoints {
  const { columns, rows, slices } = boxGrid(box, mask.grid);
  const sliceOffset = new Int32Array(slices + 1);
  const position = new GrowingInts();
  const padded = new PaddedSlices(mask, box);
  const width = columns + 2;
  let below = padded.slice(-1);
  let here = padded.slice(0);
  for (let k = 0; k < slices; k++) {
    const above = padded.slice(k + 1);
    for (let j = 0; j < rows; j++) {
      const base = (j + 1) * width + 1;
      for (let at = base; at < base + columns; at++) {
        if (here[at] === 0) continue;
        const inside =
          here[at - 1]! &
          here[at + 1]! &
          here[at - width]! &
          here[at + width]! &
          below[at]! &
          above[at]!;
        if (inside === 0) position.push(j * columns + at - base);
      }
    }
    sliceOffset[k + 1] = position.length;
    below = here;
    here = above;
  }
  return { columns, rows, slices, sliceOffset, position: position.values() };
}

/** Every voxel of the mask inside the box (for distances between regions, not surfaces). */
export function regionVoxels(mask: MaskVolume, box: VoxelBox): LatticePoints {
  const { columns, rows, slices } = boxGrid(box, mask.grid);
  const sliceOffset = new Int32Array(slices + 1);
  const position = new GrowingInts();
  for (let k = 0; k < slices; k++) {
    for (let j = 0; j < rows; j++) {
      const row = (k + box.sliceStart) * mask.grid.rows + j + box.rowStart;
      const base = row * mask.grid.columns + box.columnStart;
      for (let i = 0; i < columns; i++)
        if (mask.data[base + i] !== 0) position.push(j * columns + i);
    }
    sliceOffset[k + 1] = position.length;
  }
  return { columns, rows, slices, sliceOffset, position: position.values() };
}

/** Slices of a box with a border of background one voxel wide; three buffers are used in turn. */
class PaddedSlices {
  readonly #mask: MaskVolume;
  readonly #box: VoxelBox;
  readonly #buffers: readonly Uint8Array[];
  #turn = 0;

  constructor(mask: MaskVolume, box: VoxelBox) {
    const { columns, rows } = boxGrid(box, mask.grid);
    this.#mask = mask;
    this.#box = box;
    this.#buffers = [0, 1, 2].map(() => new Uint8Array((columns + 2) * (rows + 2)));
  }

  /** Slice k of the box (background where k is outside it); valid for the next two calls. */
  slice(k: number): Uint8Array {
    const { grid, data } = this.#mask;
    const box = this.#box;
    this.#turn = (this.#turn + 1) % 3;
    const buffer = this.#buffers[this.#turn]!;
    if (k < 0 || k >= box.sliceEnd - box.sliceStart) return buffer.fill(0);
    const width = box.columnEnd - box.columnStart + 2;
    for (let j = box.rowStart; j < box.rowEnd; j++) {
      const base = ((k + box.sliceStart) * grid.rows + j) * grid.columns;
      const row = data.subarray(base + box.columnStart, base + box.columnEnd);
      buffer.set(row, (j - box.rowStart + 1) * width + 1);
    }
    return buffer;
  }
}

/** An Int32Array that doubles when full: plain arrays of a million numbers are slow to grow. */
class GrowingInts {
  #array = new Int32Array(4096);
  length = 0;

  push(value: number): void {
    if (this.length === this.#array.length) {
      const larger = new Int32Array(this.#array.length * 2);
      larger.set(this.#array);
      this.#array = larger;
    }
    this.#array[this.length++] = value;
  }

  values(): Int32Array {
    return this.#array.slice(0, this.length);
  }
}

/**
 * Marching-cubes area of the surface inside one 2x2x2 neighbourhood, for each of its 256 codes.
 *
 * A code holds one bit per voxel around a lattice corner: 128 is the neighbour before the corner
 * in slice, row and column, 64 the next column, 32 the next row, 8 the next slice, so that 1 is the
 * neighbour after it on all three axes (the bit order of DeepMind's surface-distance 0.1).
 *
 * The surface separates the rarer phase from the other one. Each face-connected group of that phase
 * is cut off on its own, through the midpoints of the edges that leave it; eight corners allow six
 * kinds of group. With the voxel's face areas F = (row x column, slice x column, slice x row) / 8,
 * and T = |F|, the area of the triangle that cuts off a single corner, the areas are
 *
 * - single corner: T
 * - edge along axis a: 4 hypot(F_b, F_c), a rectangle
 * - three corners of a face with normal a: 4 F_a + 3 T, a bent pentagon
 * - whole face with normal a: 8 F_a, a square
 * - corner with its three neighbours: 6 T, a flat hexagon
 * - chain along axes a, b, c: 4 T + 2 hypot(F_a, F_b) + 2 hypot(F_b, F_c), a bent hexagon
 *
 * Where a polygon is bent its area depends on how it is split into triangles; these splits are the
 * ones that DeepMind's table of normals (lookup_tables.py, Apache-2.0) uses, and the golden test
 * compares all 256 areas with it.
 */
export function surfelAreasMm2(spacingMm: Grid['spacingMm']): Float64Array {
  const { slice, row, column } = spacingMm;
  const faces = [(row * column) / 8, (slice * column) / 8, (slice * row) / 8];
  return Float64Array.from({ length: 256 }, (_, code) => codeArea(code, faces));
}

function codeArea(code: number, faces: readonly number[]): number {
  const set = corners(code);
  let rest = set.length <= 4 ? set : corners(255 - code);
  let area = 0;
  while (rest.length > 0) {
    const group = groupAround(rest[0]!, rest);
    area += groupArea(group, faces);
    rest = rest.filter((corner) => !group.includes(corner));
  }
  return area;
}

/** Corners 0..7 of a code as offsets: bit 2 slice, bit 1 row, bit 0 column (0 = code bit 128). */
const corners = (code: number): number[] =>
  [0, 1, 2, 3, 4, 5, 6, 7].filter((offset) => (code & (128 >> offset)) !== 0);

/** Axis masks of slice, row and column in a corner's offset. */
const AXES = [4, 2, 1] as const;

function groupAround(seed: number, among: readonly number[]): number[] {
  const group = [seed];
  for (const corner of group) {
    for (const axis of AXES) {
      const next = corner ^ axis;
      if (among.includes(next) && !group.includes(next)) group.push(next);
    }
  }
  return group;
}

function groupArea(group: readonly number[], faces: readonly number[]): number {
  const [f0, f1, f2] = [faces[0]!, faces[1]!, faces[2]!];
  const triangle = Math.hypot(f0, f1, f2);
  /** Edges of the group along each axis: they tell the kind of group and how it lies. */
  const edges = AXES.map((axis) => group.filter((c) => group.includes(c ^ axis)).length / 2);
  const along = edges.reduce((sum, count) => sum + count, 0);
  const free = edges.indexOf(0);
  if (along === 0) return triangle;
  if (along === 1) {
    const [b, c] = faces.filter((_, axis) => edges[axis] === 0);
    return 4 * Math.hypot(b!, c!);
  }
  if (along === 2) return 4 * faces[free]! + 3 * triangle;
  if (along === 4) return 8 * faces[free]!;
  const middle = chainMiddle(group);
  if (middle < 0) return 6 * triangle;
  const [a, c] = faces.filter((_, axis) => axis !== middle);
  return 4 * triangle + 2 * Math.hypot(a!, faces[middle]!) + 2 * Math.hypot(faces[middle]!, c!);
}

/** The axis of a four-corner chain's middle edge; -1 for a corner with its three neighbours. */
function chainMiddle(group: readonly number[]): number {
  const degree = (corner: number): number =>
    AXES.filter((axis) => group.includes(corner ^ axis)).length;
  return AXES.findIndex((axis) =>
    group.some((c) => group.includes(c ^ axis) && degree(c) === 2 && degree(c ^ axis) === 2),
  );
}
