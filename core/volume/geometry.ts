import type { InputGeometry } from '../contract/manifest.ts';
import { InputError } from '../errors.ts';
import { type Affine, type AffineSource, bestAffine, linearPart, spacings } from './affine.ts';
import type { Grid } from './grid.ts';
import type { NiftiHeader } from './header.ts';
import {
  column,
  determinant,
  dot,
  type Matrix3,
  normaliseColumns,
  type Vector3,
} from './matrix3.ts';
import {
  axisDirections,
  type CanonicalTransform,
  canonicalTransform,
  obliquenessDegrees,
  orientationCode,
} from './orientation.ts';

/** Where a volume lies in the patient, and how its stored voxels map to the canonical grid. */
export interface Geometry {
  /** Sizes of the stored axes, fastest in memory first. */
  readonly shape: Vector3;
  readonly affine: Affine;
  readonly affineSource: AffineSource;
  /** Axis codes of the stored axes, e.g. `RAS`. */
  readonly orientation: string;
  /** Largest angle between a stored axis and its patient axis, in degrees. */
  readonly obliqueDegrees: number;
  /** Largest |cosine| between two stored axes: 0 where they are orthogonal. */
  readonly shearCosine: number;
  readonly transform: CanonicalTransform;
  /** Millimetres in a unit of the affine: 1 unless the header says metres or micrometres. */
  readonly unitMm: number;
  /** The canonical grid; spacings from the affine, in millimetres. */
  readonly grid: Grid;
}

/** Axes further from a right angle than this (0.57 degrees) make millimetres meaningless. */
const SHEAR_LIMIT_COSINE = 0.01;

/** Of the unit-length axis directions; below it the axes span no volume. */
const SINGULAR_LIMIT = 1e-4;

/** 2^31 voxels: ten times the largest clinical CT, small enough for exact byte counts. */
const VOXEL_LIMIT = 2 ** 31;

/**
 * Per axis of the canonical grid: twice the finest clinical matrix, and a metre and a half at 0.1 mm. A
 * few bytes of header must not ask for gigabytes.
 */
const IN_PLANE_LIMIT = 4096;
const SLICE_LIMIT = 16384;

/** Spatial bits of xyzt_units; unknown (0) is taken for millimetres, as everyone does. */
const UNIT_MM: Readonly<Record<number, number>> = { 0: 1, 1: 1000, 2: 1, 3: 0.001 };

const CONVERT_ANEW =
  'Convert the series anew with a tool that keeps the orientation, e.g. dcm2niix.';

/**
 * Throws `InputError`: `not-3d`, `four-dimensional`, `volume-too-large`, `bad-spacing`, `bad-qform`,
 * `singular-affine`, `sheared-affine`.
 */
export function geometryOf(header: NiftiHeader, subject: string): Geometry {
  const shape = shapeOf(header, subject);
  spacings(header, subject);
  const { affine, source } = bestAffine(header, subject);
  const linear = linearPart(affine);
  const { directions: units, lengths } = normaliseColumns(linear);
  requireRegular(affine, units, subject);
  const shearCosine = shear(units);
  requireOrthogonal(shearCosine, header, source, subject);
  const directions = axisDirections(linear);
  const transform = canonicalTransform(directions);
  const unitMm = UNIT_MM[header.xyztUnits & 7] ?? 1;
  const grid = canonicalGrid(shape, scaleBy(lengths, unitMm), transform);
  if (grid.columns > IN_PLANE_LIMIT || grid.rows > IN_PLANE_LIMIT || grid.slices > SLICE_LIMIT)
    throw volumeTooLarge(shape.join(' x '), subject);
  return {
    shape,
    affine,
    affineSource: source,
    orientation: orientationCode(directions),
    obliqueDegrees: obliquenessDegrees(linear, directions),
    shearCosine,
    transform,
    unitMm,
    grid,
  };
}

const scaleBy = (v: Vector3, by: number): Vector3 => [v[0] * by, v[1] * by, v[2] * by];

function canonicalGrid(shape: Vector3, spacing: Vector3, { storedAxis }: CanonicalTransform): Grid {
  const [column, row, slice] = storedAxis;
  return {
    columns: shape[column],
    rows: shape[row],
    slices: shape[slice],
    spacingMm: { column: spacing[column], row: spacing[row], slice: spacing[slice] },
  };
}

function shapeOf({ dim }: NiftiHeader, subject: string): Vector3 {
  const axes = dim[0]!;
  const sizes = dim.slice(1, axes + 1);
  const shown = sizes.join(' x ');
  if (axes < 3 || sizes.filter((size) => size > 1).length < 2) {
    throw new InputError({
      code: 'not-3d',
      subject,
      expected: 'a three-dimensional CT volume',
      found: `${axes} axes (${shown})`,
      remedy: 'Stack the slices of the series into one volume first.',
    });
  }
  if (sizes.slice(3).some((size) => size > 1)) {
    throw new InputError({
      code: 'four-dimensional',
      subject,
      expected: 'one three-dimensional CT volume',
      found: `a series of volumes (${shown})`,
      remedy: 'Split the series and give one phase per file (portal venous is what LiTS shows).',
    });
  }
  const shape: Vector3 = [sizes[0]!, sizes[1]!, sizes[2]!];
  if (shape[0] * shape[1] * shape[2] > VOXEL_LIMIT) {
    throw volumeTooLarge(shown, subject);
  }
  return shape;
}

const volumeTooLarge = (found: string, subject: string): InputError =>
  new InputError({
    code: 'volume-too-large',
    subject,
    expected: `slices of at most ${IN_PLANE_LIMIT} x ${IN_PLANE_LIMIT}, at most ${SLICE_LIMIT} of them and 2^31 voxels`,
    found,
    remedy: 'The header is damaged, or this is no clinical CT.',
  });

function requireRegular(affine: Affine, units: Matrix3, subject: string): void {
  const volume = Math.abs(determinant(units));
  if (affine.flat().every(Number.isFinite) && volume > SINGULAR_LIMIT) return;
  throw new InputError({
    code: 'singular-affine',
    subject,
    expected: 'an affine whose three axes span the space',
    found: `[${affine
      .slice(0, 3)
      .map((row) => `[${row.join(', ')}]`)
      .join(', ')}]`,
    remedy: CONVERT_ANEW,
  });
}

const shear = (units: Matrix3): number =>
  Math.max(
    Math.abs(dot(column(units, 0), column(units, 1))),
    Math.abs(dot(column(units, 0), column(units, 2))),
    Math.abs(dot(column(units, 1), column(units, 2))),
  );

function requireOrthogonal(
  shearCosine: number,
  header: NiftiHeader,
  source: AffineSource,
  subject: string,
): void {
  if (shearCosine <= SHEAR_LIMIT_COSINE) return;
  const degrees = 90 - (Math.acos(Math.min(1, shearCosine)) * 180) / Math.PI;
  throw new InputError({
    code: 'sheared-affine',
    subject,
    expected: 'axes at right angles to each other',
    found: `an angle off by ${degrees.toFixed(2)} degrees (gantry tilt?)`,
    // A qform cannot be sheared: where there is one beside this sform, one of the two is wrong.
    remedy:
      source === 'sform' && header.qformCode > 0
        ? 'The qform of this file is orthogonal. If it is a _Tilt_ file that an older dcm2niix (before 2023) resampled, only its sform was left as before: convert with a newer dcm2niix, or copy the qform into the sform (nibabel: img.set_sform(img.get_qform(), 1)).'
        : 'Resample the volume to a rectangular grid, e.g. a newer dcm2niix (2023 or later) writes a _Tilt_ file.',
  });
}

/** What the manifest and the report keep of header and geometry. */
export const describeGeometry = (header: NiftiHeader, geometry: Geometry): InputGeometry => ({
  niftiVersion: header.version,
  dtype: header.dtype,
  shape: [...geometry.shape],
  orientation: geometry.orientation,
  affine: geometry.affine.map((row) => [...row]),
  affineSource: geometry.affineSource,
  grid: geometry.grid,
  ...(header.descrip.trim() !== '' && { description: header.descrip.trim() }),
});
