import type { NumberArray } from './dtype.ts';
import type { CanonicalTransform } from './orientation.ts';
import type { Scaling } from './scaling.ts';

/** Where the voxel (i, j, k) of the canonical grid lies among the stored ones. */
export interface CanonicalStrides {
  /** Index of canonical voxel (0, 0, 0). */
  readonly origin: number;
  readonly column: number;
  readonly row: number;
  readonly slice: number;
}

/** Strides into an array of the stored axes `shape`, first axis fastest. */
export function canonicalStrides(
  shape: readonly [number, number, number],
  { storedAxis, flipped }: CanonicalTransform,
): CanonicalStrides {
  const stride = [1, shape[0], shape[0] * shape[1]] as const;
  let origin = 0;
  const step = (axis: 0 | 1 | 2): number => {
    const stored = storedAxis[axis];
    if (!flipped[axis]) return stride[stored];
    origin += stride[stored] * (shape[stored] - 1);
    return -stride[stored];
  };
  const [column, row, slice] = [step(0), step(1), step(2)];
  return { origin, column, row, slice };
}

/**
 * Stands in for NaN and infinities: air, so that they never pass for tissue, and a number that no file
 * holds (the float32 next to -1024), so that statistics can leave them out.
 */
export const NON_FINITE_HU = Math.fround(-1024.0001);

/** Voxels of a volume that are no usable number. */
export interface UnusableVoxels {
  /** NaN or infinite in the file. */
  notFinite: number;
  /** Finite in the file, but scaled beyond what float32 holds. */
  beyondFloat32: number;
}

export interface SliceShape {
  readonly rows: number;
  readonly columns: number;
}

/**
 * Gathers rows of one canonical slice out of the stored voxels, the first of them at `origin`.
 * `out` is rows x columns. For integers whose scaled values all lie within float32.
 */
export function gatherIntegers(
  raw: NumberArray,
  origin: number,
  strides: CanonicalStrides,
  { rows, columns }: SliceShape,
  { slope, inter }: Scaling,
  out: Float32Array,
): void {
  const step = strides.column;
  let to = 0;
  for (let row = 0; row < rows; row++) {
    let from = origin + row * strides.row;
    for (const end = to + columns; to < end; to++) {
      out[to] = raw[from]! * slope + inter;
      from += step;
    }
  }
}

/** Like `gatherIntegers` for any numbers; what is unusable becomes `NON_FINITE_HU` and is counted. */
export function gatherFloats(
  raw: NumberArray,
  origin: number,
  strides: CanonicalStrides,
  { rows, columns }: SliceShape,
  { slope, inter }: Scaling,
  out: Float32Array,
  unusable: UnusableVoxels,
): void {
  const step = strides.column;
  let to = 0;
  for (let row = 0; row < rows; row++) {
    let from = origin + row * strides.row;
    for (const end = to + columns; to < end; to++) {
      // Rounded to float32 here: what is finite before may be infinite after.
      out[to] = raw[from]! * slope + inter;
      const value = out[to]!;
      if (value - value !== 0) {
        out[to] = NON_FINITE_HU;
        if (Number.isFinite(raw[from]!)) unusable.beyondFloat32++;
        else unusable.notFinite++;
      }
      from += step;
    }
  }
}
