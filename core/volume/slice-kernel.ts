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

/** Stands in for NaN and infinities: air, so that they never pass for tissue. */
export const NON_FINITE_HU = -1024;

export interface SliceShape {
  readonly rows: number;
  readonly columns: number;
}

/**
 * Gathers rows of one canonical slice out of the stored voxels, the first of them at `origin`.
 * `out` is rows x columns; integer voxels cannot be other than finite.
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

/** Like `gatherIntegers`; returns how many voxels were not finite and became `NON_FINITE_HU`. */
export function gatherFloats(
  raw: NumberArray,
  origin: number,
  strides: CanonicalStrides,
  { rows, columns }: SliceShape,
  { slope, inter }: Scaling,
  out: Float32Array,
): number {
  const step = strides.column;
  let to = 0;
  let nonFinite = 0;
  for (let row = 0; row < rows; row++) {
    let from = origin + row * strides.row;
    for (const end = to + columns; to < end; to++) {
      const value = raw[from]! * slope + inter;
      if (value - value === 0) out[to] = value;
      else {
        out[to] = NON_FINITE_HU;
        nonFinite++;
      }
      from += step;
    }
  }
  return nonFinite;
}
