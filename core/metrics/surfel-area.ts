import type { Grid } from '../volume/grid.ts';

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
