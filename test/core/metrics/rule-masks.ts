import type { MaskVolume } from '../../../core/volume/grid.ts';

/**
 * Masks by rule, in the same integer arithmetic as test/golden/metrics/masks.py (which documents
 * the steps), so that goldens store rules and numbers but no mask.
 */
export type Step = Readonly<Record<string, number | readonly number[]>>;

/** [slices, rows, columns], and spacing in the same order. */
export type Triple = readonly [number, number, number];

export function emptyMask(shape: Triple, spacing: Triple = [1, 1, 1]): MaskVolume {
  const [slices, rows, columns] = shape;
  return {
    grid: {
      columns,
      rows,
      slices,
      spacingMm: { slice: spacing[0], row: spacing[1], column: spacing[2] },
    },
    data: new Uint8Array(slices * rows * columns),
  };
}

export function ruleMask(shape: Triple, spacing: Triple, steps: readonly Step[]): MaskVolume {
  return steps.reduce(applyStep, emptyMask(shape, spacing));
}

/** Applies one step and returns a new mask. */
export function applyStep(mask: MaskVolume, step: Step): MaskVolume {
  const [name, argument] = Object.entries(step)[0]!;
  const p = typeof argument === 'number' ? [argument] : [...argument];
  const { slices, rows, columns } = mask.grid;
  switch (name) {
    case 'box':
      return mapped(mask, (v, k, j, i) => (inBox(p, k, j, i) ? 1 : v));
    case 'clear':
      return mapped(mask, (v, k, j, i) => (inBox(p, k, j, i) ? 0 : v));
    case 'ellipsoid':
      return mapped(mask, (v, k, j, i) => (inEllipsoid(p, k, j, i) ? 1 : v));
    case 'cavity':
      return mapped(mask, (v, k, j, i) => (inEllipsoid(p, k, j, i) ? 0 : v));
    case 'noise':
      return mapped(mask, (v, k, j, i) => (hash32(k, j, i, p[0]!) % 1000 < p[1]! ? 1 - v : v));
    case 'blobs':
      return blobSteps(p, [slices, rows, columns]).reduce(applyStep, mask);
    case 'shift':
      return mapped(mask, (_, k, j, i) => voxel(mask, k - p[0]!, j - p[1]!, i - p[2]!));
    case 'erode':
      return Array.from({ length: p[0]! }).reduce<MaskVolume>(eroded, mask);
    case 'code':
      return mapped(mask, (v, k, j, i) => {
        const d = [k - (slices >> 1) + 1, j - (rows >> 1) + 1, i - (columns >> 1) + 1];
        if (d.some((x) => x < 0 || x > 1)) return v;
        return p[0]! & (128 >> (d[0]! * 4 + d[1]! * 2 + d[2]!)) ? 1 : v;
      });
    default:
      throw new Error(`unknown step ${name}`);
  }
}

function mapped(
  mask: MaskVolume,
  value: (old: number, k: number, j: number, i: number) => number,
): MaskVolume {
  const { slices, rows, columns } = mask.grid;
  const data = new Uint8Array(mask.data.length);
  let at = 0;
  for (let k = 0; k < slices; k++) {
    for (let j = 0; j < rows; j++) {
      for (let i = 0; i < columns; i++, at++) data[at] = value(mask.data[at]!, k, j, i);
    }
  }
  return { grid: mask.grid, data };
}

/** The voxel at (k, j, i); background outside the volume. */
export function voxel({ grid, data }: MaskVolume, k: number, j: number, i: number): number {
  if (k < 0 || j < 0 || i < 0) return 0;
  if (k >= grid.slices || j >= grid.rows || i >= grid.columns) return 0;
  return data[(k * grid.rows + j) * grid.columns + i]!;
}

const eroded = (mask: MaskVolume): MaskVolume =>
  mapped(
    mask,
    (v, k, j, i) =>
      v &
      voxel(mask, k - 1, j, i) &
      voxel(mask, k + 1, j, i) &
      voxel(mask, k, j - 1, i) &
      voxel(mask, k, j + 1, i) &
      voxel(mask, k, j, i - 1) &
      voxel(mask, k, j, i + 1),
  );

const inBox = (p: number[], k: number, j: number, i: number): boolean =>
  k >= p[0]! && k < p[1]! && j >= p[2]! && j < p[3]! && i >= p[4]! && i < p[5]!;

function inEllipsoid(p: number[], k: number, j: number, i: number): boolean {
  const [a, b, c] = [p[3]! ** 2, p[4]! ** 2, p[5]! ** 2];
  const [dk, dj, di] = [k - p[0]!, j - p[1]!, i - p[2]!];
  return dk * dk * b * c + dj * dj * a * c + di * di * a * b <= a * b * c;
}

function blobSteps([seed, count, radius]: number[], shape: Triple): Step[] {
  return Array.from({ length: count! }, (_, n) => {
    const h = (axis: number): number => hash32(n, axis, 0, seed!);
    const centre = shape.map((size, axis) => h(axis) % size);
    const radii = shape.map((_size, axis) => 1 + (h(3 + axis) % radius!));
    return { ellipsoid: [...centre, ...radii] };
  });
}

/** One 32-bit hash of three integers; the twin of `hash32` in masks.py. */
function hash32(a: number, b: number, c: number, seed: number): number {
  let h = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) >>> 0;
  for (const v of [a, b, c]) {
    h = Math.imul(h ^ v, 0x85ebca6b) >>> 0;
    h = (h ^ (h >>> 13)) >>> 0;
    h = Math.imul(h, 0xc2b2ae35) >>> 0;
    h = (h ^ (h >>> 16)) >>> 0;
  }
  return h;
}
