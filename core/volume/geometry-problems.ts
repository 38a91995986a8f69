import type { Problem } from '../contract/manifest.ts';
import { InputError } from '../errors.ts';
import { type Affine, qformAffine, sformAffine } from './affine.ts';
import type { Geometry } from './geometry.ts';
import type { Grid } from './grid.ts';
import type { NiftiHeader } from './header.ts';
import { error, warning } from './problem.ts';

/** Thicker slices smear the dome and the lower edge of the liver. */
const THICK_SLICE_MM = 7.5;
const FEW_SLICES = 16;
const OBLIQUE_DEGREES = 10;
const SHEAR_WARNING_COSINE = 1e-3;
/** Corners of the volume may differ by this much between qform and sform: single precision. */
const AFFINE_AGREEMENT_MM = 0.1;
const SPACING_AGREEMENT_MM = 0.01;
/** Spacings that differ by more give two volumes of which nobody knows the right one. */
const SPACING_CONTRADICTION = 0.02;
/** Beyond these it is no patient: a wrong unit, a damaged header. */
const PATIENT_IN_PLANE_MM = [30, 2500] as const;
const PATIENT_AXIAL_MM = 3000;
/** Most of the patient lies between such slices: nothing can be measured. */
const SPARSE_SLICE_MM = 40;
/** A localizer is one picture, or two; its "axial slices" are its rows. */
const LEAST_ACROSS = 8;
/** A field of view of an adult's abdomen lies well inside. */
const IN_PLANE_FOV_MM = [100, 1000] as const;
const AXIAL_FOV_MM = [20, 2200] as const;

/** Warnings that need the header only. */
export function geometryProblems(header: NiftiHeader, geometry: Geometry): Problem[] {
  return [
    ...affineProblems(header, geometry),
    ...disagreements(header, geometry),
    ...gridProblems(geometry),
  ];
}

function affineProblems(header: NiftiHeader, geometry: Geometry): Problem[] {
  const found: Problem[] = [];
  if (geometry.affineSource === 'pixdim') {
    found.push(
      warning(
        'no-orientation',
        'neither sform nor qform is set; orientation taken as LAS by convention',
        'Check left and right on the overlay, or convert the series anew.',
      ),
    );
  }
  if (isIdentity(geometry.affine)) {
    found.push(
      warning(
        'identity-affine',
        'the affine is the identity: orientation and 1 mm spacing are probably lost (LiTS volumes 28-47 are like this)',
        'Do not trust millimetres, volume or orientation; use the original series if you can.',
      ),
    );
  }
  if (geometry.obliqueDegrees > OBLIQUE_DEGREES) {
    found.push(
      warning(
        'oblique',
        `axes are tilted ${geometry.obliqueDegrees.toFixed(1)} degrees against the patient; "axial" slices are oblique`,
        'Resample to the patient axes if the result looks wrong.',
      ),
    );
  }
  if (geometry.shearCosine > SHEAR_WARNING_COSINE) {
    found.push(
      warning(
        'slight-shear',
        `axes are off a right angle by ${toDegrees(geometry.shearCosine).toFixed(2)} degrees`,
        'Harmless for the mask; distances are off by about that share.',
      ),
    );
  }
  if (header.pixdim.slice(1, 4).some((value) => value < 0)) {
    found.push(
      warning('negative-spacing', 'pixdim is negative; its magnitude was used', 'Convert anew.'),
    );
  }
  return found;
}

const toDegrees = (sine: number): number => (Math.asin(Math.min(1, sine)) * 180) / Math.PI;

const isIdentity = (affine: Affine): boolean =>
  affine.every((row, r) =>
    row.every((value, c) => (c === 3 && r < 3) || value === (r === c ? 1 : 0)),
  );

function disagreements(header: NiftiHeader, geometry: Geometry): Problem[] {
  const found: Problem[] = [];
  const offMm = header.sformCode > 0 && header.qformCode > 0 ? formDistance(header, geometry) : 0;
  if (!(offMm <= AFFINE_AGREEMENT_MM)) {
    found.push(
      warning(
        'qform-sform-disagree',
        `qform and sform place the volume differently (up to ${offMm.toFixed(1)} mm); the sform was used`,
        'Viewers that prefer the qform will show image and mask elsewhere: make them agree.',
      ),
    );
  }
  const spacing = columnLengths(geometry.affine);
  const off = Math.max(
    ...spacing.map((mm, axis) => Math.abs(mm - Math.abs(header.pixdim[axis + 1]!))),
  );
  // Spacings that were never set are all 1, or 0: they contradict nothing.
  const isSet = header.qformCode > 0 || header.pixdim.slice(1, 4).some((mm) => Math.abs(mm) !== 1);
  const ratio = Math.max(
    ...spacing.map((mm, axis) => Math.abs(Math.log(mm / Math.abs(header.pixdim[axis + 1]!)))),
  );
  if (isSet && ratio > SPACING_CONTRADICTION) {
    found.push(
      error(
        'spacing-contradicts',
        `the sform says ${spacing.map((mm) => mm.toFixed(3)).join(' x ')} between voxels, pixdim ${header.pixdim
          .slice(1, 4)
          .map((mm) => mm.toFixed(3))
          .join(' x ')}: volumes would differ by ${percentText(spacing, header)}`,
        'Find out which is right (the series itself says), and make both agree, e.g. by converting it anew.',
      ),
    );
  } else if (off > SPACING_AGREEMENT_MM) {
    found.push(
      warning(
        'spacing-disagrees',
        `pixdim says ${header.pixdim.slice(1, 4).join(' x ')}, the affine ${spacing.map((mm) => mm.toFixed(3)).join(' x ')}; the affine was used`,
        'Check the spacing: volumes and distances depend on it.',
      ),
    );
  }
  return found;
}

const percentText = (spacing: readonly number[], { pixdim }: NiftiHeader): string => {
  const ratio = spacing.reduce(
    (product, mm, axis) => (product * mm) / Math.abs(pixdim[axis + 1]!),
    1,
  );
  return `${Math.abs((ratio - 1) * 100).toFixed(0)} %`;
};

const columnLengths = (affine: Affine): number[] =>
  ([0, 1, 2] as const).map((c) => Math.hypot(affine[0][c], affine[1][c], affine[2][c]));

/** Largest distance between the two placements of a corner; infinite where the qform is no rotation. */
function formDistance(header: NiftiHeader, { shape }: Geometry): number {
  const a = sformAffine(header);
  const b = qformOrUndefined(header);
  if (b === undefined) return Number.POSITIVE_INFINITY;
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((n) =>
    shape.map((size, axis) => ((n >> axis) & 1) * (size - 1)),
  );
  const distance = ([i, j, k]: number[]): number =>
    Math.hypot(
      ...([0, 1, 2] as const).map(
        (r) =>
          (a[r][0] - b[r][0]) * i! +
          (a[r][1] - b[r][1]) * j! +
          (a[r][2] - b[r][2]) * k! +
          (a[r][3] - b[r][3]),
      ),
    );
  return Math.max(...corners.map(distance));
}

function qformOrUndefined(header: NiftiHeader): Affine | undefined {
  try {
    return qformAffine(header, '');
  } catch (cause) {
    if (cause instanceof InputError) return undefined;
    throw cause;
  }
}

function gridProblems({ grid }: Geometry): Problem[] {
  const found: Problem[] = [];
  const { column, row, slice } = grid.spacingMm;
  const refusal = noPatient(grid);
  if (refusal) return [refusal];
  if (slice > THICK_SLICE_MM) {
    found.push(
      warning(
        'thick-slices',
        `slices are ${slice.toFixed(1)} mm apart`,
        'Use a reconstruction of 5 mm or less if there is one.',
      ),
    );
  }
  if (grid.slices < FEW_SLICES) {
    found.push(
      warning(
        'few-slices',
        `only ${grid.slices} axial slice(s)`,
        'Check that the whole abdomen was exported, and that the axial axis is what it says.',
      ),
    );
  }
  const extents = [
    ['left to right', grid.columns * column, IN_PLANE_FOV_MM],
    ['front to back', grid.rows * row, IN_PLANE_FOV_MM],
    ['bottom to top', grid.slices * slice, AXIAL_FOV_MM],
  ] as const;
  for (const [along, mm, [least, most]] of extents) {
    if (mm >= least && mm <= most) continue;
    found.push(
      warning(
        'implausible-field-of-view',
        `${mm.toFixed(0)} mm ${along} is no adult's abdomen`,
        'Check the spacing and its unit.',
      ),
    );
  }
  return found;
}

/** A projection, or sizes that no patient has: no number of it would mean anything. */
function noPatient({ columns, rows, slices, spacingMm }: Grid): Problem | undefined {
  const { column, row, slice } = spacingMm;
  if (Math.min(columns, rows) < LEAST_ACROSS)
    return error(
      'projection',
      `${columns} x ${rows} x ${slices} voxels across, down and upwards: a localizer (scout) or a single sagittal or coronal picture, not a volume`,
      'Give the axial series itself.',
    );
  const [width, depth, length] = [columns * column, rows * row, slices * slice];
  const [least, most] = PATIENT_IN_PLANE_MM;
  const isSized =
    width >= least &&
    width <= most &&
    depth >= least &&
    depth <= most &&
    length <= PATIENT_AXIAL_MM;
  if (!isSized)
    return error(
      'impossible-size',
      `${sizeText(width)} x ${sizeText(depth)} x ${sizeText(length)} mm is no patient`,
      'Check the spacing and its unit (xyzt_units).',
    );
  if (slice <= SPARSE_SLICE_MM || slices === 1) return undefined;
  return error(
    'sparse-slices',
    `slices are ${slice.toFixed(0)} mm apart: most of the patient lies between them`,
    'Most of the series is missing: export and convert all of it.',
  );
}

const sizeText = (mm: number): string =>
  mm >= 0.1 && mm < 1e6 ? mm.toFixed(0) : mm.toPrecision(3);
