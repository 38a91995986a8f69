import { boxGrid, type VoxelBox } from '../mask/bounds.ts';
import type { MaskVolume } from '../volume/grid.ts';

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
