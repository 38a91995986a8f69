import { InputError } from '../errors.ts';
import type { NiftiHeader } from './header.ts';
import {
  determinant,
  fromColumns,
  type Matrix3,
  nearestOrthogonal,
  normaliseColumns,
  scale,
  type Vector3,
} from './matrix3.ts';

export type AffineRow = readonly [number, number, number, number];

/** Voxel index (i, j, k, 1) to RAS+ position (x, y, z, 1), in rows: nibabel's `img.affine`. */
export type Affine = readonly [AffineRow, AffineRow, AffineRow, AffineRow];

export type AffineSource = 'sform' | 'qform' | 'pixdim';

const LAST_ROW: AffineRow = [0, 0, 0, 1];

export const linearPart = (affine: Affine): Matrix3 => [
  [affine[0][0], affine[0][1], affine[0][2]],
  [affine[1][0], affine[1][1], affine[1][2]],
  [affine[2][0], affine[2][1], affine[2][2]],
];

const compose = (m: Matrix3, origin: Vector3): Affine => [
  [...m[0], origin[0]],
  [...m[1], origin[1]],
  [...m[2], origin[2]],
  LAST_ROW,
];

/**
 * The affine by nibabel's `get_best_affine`: the sform if its code is positive, else the qform if
 * its code is positive, else spacings about the volume's centre with x running to the left.
 * Throws `InputError` (`bad-qform`, `bad-spacing`).
 */
export function bestAffine(
  header: NiftiHeader,
  subject: string,
): { affine: Affine; source: AffineSource } {
  if (header.sformCode > 0) return { affine: sformAffine(header), source: 'sform' };
  if (header.qformCode > 0) return { affine: qformAffine(header, subject), source: 'qform' };
  return { affine: pixdimAffine(header, subject), source: 'pixdim' };
}

export function sformAffine(header: NiftiHeader): Affine {
  const row = (n: number): AffineRow => header.srow.slice(4 * n, 4 * n + 4) as [...AffineRow];
  return [row(0), row(1), row(2), LAST_ROW];
}

/** NIfTI "method 2": quaternion, spacings and qfac. A qfac other than -1 counts as 1. */
export function qformAffine(header: NiftiHeader, subject: string): Affine {
  const spacing = spacings(header, subject);
  const qfac = header.pixdim[0] === -1 ? -1 : 1;
  const [a, b, c] = rotationColumns(quaternion(header, subject));
  const linear = fromColumns(
    scale(a, spacing[0]),
    scale(b, spacing[1]),
    scale(c, spacing[2] * qfac),
  );
  return compose(linear, header.qoffset as [...Vector3]);
}

function pixdimAffine(header: NiftiHeader, subject: string): Affine {
  const [dx, dy, dz] = spacings(header, subject);
  const middle = (axis: number, step: number): number => (-(header.dim[axis]! - 1) / 2) * step;
  return compose(
    [
      [-dx, 0, 0],
      [0, dy, 0],
      [0, 0, dz],
    ],
    [middle(1, -dx), middle(2, dy), middle(3, dz)],
  );
}

/** Spacings of the three spatial axes, made positive as nibabel does. */
export function spacings(header: NiftiHeader, subject: string): Vector3 {
  const values = header.pixdim.slice(1, 4).map(Math.abs) as [number, number, number];
  if (values.every((value) => Number.isFinite(value) && value > 0)) return values;
  throw new InputError({
    code: 'bad-spacing',
    subject,
    expected: 'three positive voxel spacings',
    found: `pixdim[1..3] = [${header.pixdim.slice(1, 4).join(', ')}]`,
    remedy: 'Convert the series anew, or set the spacing by hand if you know it.',
  });
}

type Quaternion = readonly [w: number, x: number, y: number, z: number];

/** Three times the precision of the stored numbers: so far may |bcd| exceed 1 (nibabel's rule). */
const QUATERNION_TOLERANCE = { 1: 3 * 2 ** -23, 2: 3 * 2 ** -52 } as const;

function quaternion(header: NiftiHeader, subject: string): Quaternion {
  const [x, y, z] = header.quatern as [...Vector3];
  const rest = 1 - (x * x + y * y + z * z);
  if (Math.abs(rest) < QUATERNION_TOLERANCE[header.version]) return [0, x, y, z];
  if (rest > 0) return [Math.sqrt(rest), x, y, z];
  throw new InputError({
    code: 'bad-qform',
    subject,
    expected: 'a quaternion (quatern_b, c, d) no longer than 1',
    found: `[${header.quatern.join(', ')}]`,
    remedy: 'The orientation is damaged: convert the series anew.',
  });
}

function rotationColumns([w, x, y, z]: Quaternion): readonly [Vector3, Vector3, Vector3] {
  const s = 2 / (w * w + x * x + y * y + z * z);
  return [
    [1 - s * (y * y + z * z), s * (x * y + w * z), s * (x * z - w * y)],
    [s * (x * y - w * z), 1 - s * (x * x + z * z), s * (y * z + w * x)],
    [s * (x * z + w * y), s * (y * z - w * x), 1 - s * (x * x + y * y)],
  ];
}

export interface QformFields {
  readonly qfac: 1 | -1;
  /** b, c, d. */
  readonly quatern: Vector3;
  readonly qoffset: Vector3;
  readonly spacing: Vector3;
}

/** The qform nearest to an affine; shear is lost, as in nibabel's `set_qform`. */
export function qformOfAffine(affine: Affine): QformFields {
  const { directions, lengths } = normaliseColumns(linearPart(affine));
  const qfac = determinant(directions) < 0 ? -1 : 1;
  const proper: Matrix3 = [
    [directions[0][0], directions[0][1], directions[0][2] * qfac],
    [directions[1][0], directions[1][1], directions[1][2] * qfac],
    [directions[2][0], directions[2][1], directions[2][2] * qfac],
  ];
  const [w, x, y, z] = quaternionOfRotation(nearestOrthogonal(proper));
  const sign = w < 0 ? -1 : 1;
  return {
    qfac,
    quatern: [x * sign, y * sign, z * sign],
    qoffset: [affine[0][3], affine[1][3], affine[2][3]],
    spacing: lengths,
  };
}

/** Divides by the largest of the four components, so that no digits are lost (Shepperd 1978). */
function quaternionOfRotation(r: Matrix3): Quaternion {
  const trace = r[0][0] + r[1][1] + r[2][2];
  const candidates = [trace, r[0][0], r[1][1], r[2][2]];
  const largest = candidates.indexOf(Math.max(...candidates));
  const twice = Math.sqrt(largest === 0 ? 1 + trace : 1 + 2 * candidates[largest]! - trace);
  const f = 1 / (2 * twice);
  const wx = (r[2][1] - r[1][2]) * f;
  const wy = (r[0][2] - r[2][0]) * f;
  const wz = (r[1][0] - r[0][1]) * f;
  const xy = (r[0][1] + r[1][0]) * f;
  const xz = (r[0][2] + r[2][0]) * f;
  const yz = (r[1][2] + r[2][1]) * f;
  if (largest === 0) return [twice / 2, wx, wy, wz];
  if (largest === 1) return [wx, twice / 2, xy, xz];
  if (largest === 2) return [wy, xy, twice / 2, yz];
  return [wz, xz, yz, twice / 2];
}
