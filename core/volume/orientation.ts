import { column, type Matrix3, nearestOrthogonal, normaliseColumns } from './matrix3.ts';

type Axis = 0 | 1 | 2;

/** Which patient axis (0 = left-right, 1 = posterior-anterior, 2 = inferior-superior) a stored axis
 * runs along, and whether towards right, anterior or superior (+1) or against it (-1). */
export interface AxisDirection {
  readonly patientAxis: Axis;
  readonly sign: 1 | -1;
}

export type AxisDirections = readonly [AxisDirection, AxisDirection, AxisDirection];

/**
 * How stored voxels are taken to the canonical grid: canonical axis c (0 = columns, 1 = rows,
 * 2 = slices) is the stored axis `storedAxis[c]`, read backwards where `flipped[c]`.
 */
export interface CanonicalTransform {
  readonly storedAxis: readonly [Axis, Axis, Axis];
  readonly flipped: readonly [boolean, boolean, boolean];
}

const AXES: readonly Axis[] = [0, 1, 2];

const CODES: readonly (readonly [positive: string, negative: string])[] = [
  ['R', 'L'],
  ['A', 'P'],
  ['S', 'I'],
];

/**
 * The patient axis nearest to each stored axis, by nibabel's `io_orientation`: the shear is taken
 * out first, then axes choose from strongest to weakest, so that oblique volumes never give two
 * stored axes the same patient axis.
 *
 * @param linear upper left 3x3 of a regular voxel-to-RAS affine.
 */
export function axisDirections(linear: Matrix3): AxisDirections {
  const rotation = nearestOrthogonal(normaliseColumns(linear).directions);
  const strength = (axis: Axis): number => Math.max(...column(rotation, axis).map(Math.abs));
  const order = [...AXES].sort((a, b) => strength(b) - strength(a));
  const free = new Set<Axis>(AXES);
  const found = new Map<Axis, AxisDirection>();
  for (const storedAxis of order) {
    const direction = column(rotation, storedAxis);
    const patientAxis = [...free].reduce((best, axis) =>
      Math.abs(direction[axis]) > Math.abs(direction[best]) ? axis : best,
    );
    free.delete(patientAxis);
    found.set(storedAxis, { patientAxis, sign: direction[patientAxis] < 0 ? -1 : 1 });
  }
  return [found.get(0)!, found.get(1)!, found.get(2)!];
}

/** Axis codes as nibabel's `aff2axcodes`: the direction in which each stored index grows. */
export const orientationCode = (directions: AxisDirections): string =>
  directions.map(({ patientAxis, sign }) => CODES[patientAxis]![sign > 0 ? 0 : 1]).join('');

/** To LPS+: columns grow to the patient's left, rows to posterior, slices to superior. */
export function canonicalTransform(directions: AxisDirections): CanonicalTransform {
  const stored = (patientAxis: Axis): Axis =>
    directions.findIndex((direction) => direction.patientAxis === patientAxis) as Axis;
  const storedAxis = [stored(0), stored(1), stored(2)] as const;
  return {
    storedAxis,
    flipped: [
      directions[storedAxis[0]].sign > 0,
      directions[storedAxis[1]].sign > 0,
      directions[storedAxis[2]].sign < 0,
    ],
  };
}

/** Largest angle in degrees between a stored axis and the patient axis assigned to it. */
export function obliquenessDegrees(linear: Matrix3, directions: AxisDirections): number {
  const rotation = nearestOrthogonal(normaliseColumns(linear).directions);
  const cosines = AXES.map((axis) =>
    Math.abs(column(rotation, axis)[directions[axis].patientAxis]),
  );
  return (Math.acos(Math.min(1, ...cosines)) * 180) / Math.PI;
}
