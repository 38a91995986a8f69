import type { Problem } from '../core/contract/manifest.ts';
import { InputError } from '../core/errors.ts';
import type { Affine, AffineRow } from '../core/volume/affine.ts';
import { dot, type Vector3 } from '../core/volume/matrix3.ts';
import { warning } from '../core/volume/problem.ts';
import { type AxialStack, normalOf, type SliceSource } from './series.ts';

/** One image of the stack on the volume's axes. */
export interface PlacedSlice {
  readonly source: SliceSource;
  /** Along the stack, from its lowest image. */
  readonly alongMm: number;
  /** Where the volume's first column and row lie in this image, in its pixels. */
  readonly shiftPx: { readonly column: number; readonly row: number };
}

/** How a stack becomes a volume: decided from the headers, before a pixel is read. */
export interface VolumePlan {
  readonly stack: AxialStack;
  readonly columns: number;
  readonly rows: number;
  readonly slices: number;
  readonly spacingMm: { readonly column: number; readonly row: number; readonly slice: number };
  readonly affine: Affine;
  readonly placed: readonly PlacedSlice[];
  /** True where slice k of the volume is image k of the stack, pixel by pixel. */
  readonly asStored: boolean;
  /** int16 where every rescaled value is a whole number, else float32. */
  readonly dtype: 'int16' | 'float32';
  readonly problems: readonly Problem[];
}

/** What cannot be taken for liver between two images: wider gaps are not filled. */
const WIDEST_GAP_MM = 12.5;
/** Images that are this far, as a share of their distance, from equal distances count as equal. */
const EVEN_SHARE = 0.02;
/** In-plane, the slices may drift by this share of a pixel over the stack and count as straight. */
const STRAIGHT_PX = 0.25;
const VOXEL_LIMIT = 2 ** 31;

/**
 * Columns and rows of the volume are those of the images; slices go along the normal of the images
 * from feet to head. Images whose corners do not lie on one such line (a tilted gantry, a table that
 * moved) are shifted within their plane; images at uneven distances are interpolated linearly to
 * even ones, the smallest distance of the series but at least half of the median.
 *
 * @throws InputError `missing-slices`, `volume-too-large`
 */
export function planVolume(stack: AxialStack, subject: string): VolumePlan {
  const first = stack.slices[0]!;
  const { columnDirection, rowDirection, spacingMm } = first.frame;
  const pixelMm = spacingMm!;
  const normal = normalOf(first.frame);
  const offsets = stack.slices.map(({ frame }) =>
    subtract(frame.positionMm!, first.frame.positionMm!),
  );
  const alongMm = offsets.map((offset) => dot(offset, normal));
  const columnPx = offsets.map((offset) => dot(offset, columnDirection!) / pixelMm.column);
  const rowPx = offsets.map((offset) => dot(offset, rowDirection!) / pixelMm.row);
  const even = evenSpacing(alongMm);
  const sliceMm = even ?? resampledSpacing(alongMm, subject);
  requireNoGap(alongMm, subject);
  const straight = Math.max(range(columnPx), range(rowPx)) <= STRAIGHT_PX;
  const least = straight ? { column: 0, row: 0 } : { column: floor(columnPx), row: floor(rowPx) };
  const columns = first.instance.columns + (straight ? 0 : growth(columnPx));
  const rows = first.instance.rows + (straight ? 0 : growth(rowPx));
  const slices =
    even === undefined ? Math.floor(alongMm.at(-1)! / sliceMm + 1e-6) + 1 : alongMm.length;
  if (columns * rows * slices > VOXEL_LIMIT) throw tooLarge(subject, [columns, rows, slices]);
  const origin = add(
    first.frame.positionMm!,
    scaled(columnDirection!, least.column * pixelMm.column),
    scaled(rowDirection!, least.row * pixelMm.row),
  );
  return {
    stack,
    columns,
    rows,
    slices,
    spacingMm: { ...pixelMm, slice: sliceMm },
    affine: affineOf(
      scaled(columnDirection!, pixelMm.column),
      scaled(rowDirection!, pixelMm.row),
      scaled(normal, sliceMm),
      origin,
    ),
    placed: stack.slices.map((source, n) => ({
      source,
      alongMm: alongMm[n]!,
      shiftPx: straight
        ? { column: 0, row: 0 }
        : { column: least.column - columnPx[n]!, row: least.row - rowPx[n]! },
    })),
    asStored: straight && even !== undefined,
    dtype: stack.slices.every(isWhole) ? 'int16' : 'float32',
    problems: problemsOf(stack, { alongMm, rowPx, columnPx, straight, even, sliceMm }),
  };
}

const isWhole = ({ frame }: SliceSource): boolean =>
  Number.isInteger(frame.slope) && Number.isInteger(frame.intercept);

const subtract = (a: Vector3, b: Vector3): Vector3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const scaled = (v: Vector3, by: number): Vector3 => [v[0] * by, v[1] * by, v[2] * by];
const add = (...vectors: Vector3[]): Vector3 =>
  vectors.reduce((a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]], [0, 0, 0] as Vector3);
const range = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);
/** A hair of tolerance: positions are written as decimals. */
const floor = (values: readonly number[]): number => Math.floor(Math.min(...values) + 1e-3);
const growth = (values: readonly number[]): number =>
  Math.ceil(Math.max(...values) - 1e-3) - floor(values);

/** DICOM is LPS+, NIfTI RAS+. */
function affineOf(column: Vector3, row: Vector3, slice: Vector3, origin: Vector3): Affine {
  const line = (axis: 0 | 1 | 2, sign: 1 | -1): AffineRow => [
    sign * column[axis],
    sign * row[axis],
    sign * slice[axis],
    sign * origin[axis],
  ];
  return [line(0, -1), line(1, -1), line(2, 1), [0, 0, 0, 1]];
}

const gapsOf = (alongMm: readonly number[]): number[] =>
  alongMm.slice(1).map((mm, n) => mm - alongMm[n]!);

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;

/** The mean distance where every image lies within `EVEN_SHARE` of its place, else undefined. */
function evenSpacing(alongMm: readonly number[]): number | undefined {
  const mean = alongMm.at(-1)! / (alongMm.length - 1);
  const off = Math.max(...alongMm.map((mm, n) => Math.abs(mm - n * mean)));
  return off <= Math.max(EVEN_SHARE * mean, 2e-3) ? mean : undefined;
}

function resampledSpacing(alongMm: readonly number[], subject: string): number {
  const gaps = gapsOf(alongMm);
  const usual = median(gaps);
  const least = Math.min(...gaps.filter((gap) => gap >= usual / 2));
  if (Number.isFinite(least) && alongMm.at(-1)! / least < 10_000) return least;
  throw tooLarge(
    subject,
    alongMm.map((mm) => mm.toFixed(1)),
  );
}

function requireNoGap(alongMm: readonly number[], subject: string): void {
  const gaps = gapsOf(alongMm);
  const widest = Math.max(...gaps);
  if (widest <= WIDEST_GAP_MM) return;
  const at = gaps.indexOf(widest);
  throw new InputError({
    code: 'missing-slices',
    subject,
    expected: `images at most ${WIDEST_GAP_MM} mm apart`,
    found: `a gap of ${widest.toFixed(1)} mm after image ${at + 1} of ${alongMm.length} (usual distance ${median(gaps).toFixed(1)} mm)`,
    remedy: 'Export the whole series again; volumes across such gaps would be invented.',
  });
}

interface Found {
  readonly alongMm: readonly number[];
  readonly rowPx: readonly number[];
  readonly columnPx: readonly number[];
  readonly straight: boolean;
  readonly even: number | undefined;
  readonly sliceMm: number;
}

function problemsOf(stack: AxialStack, found: Found): Problem[] {
  const problems: Problem[] = [];
  const { alongMm, straight, even, sliceMm } = found;
  if (!straight) {
    const { spacingMm } = stack.slices[0]!.frame;
    const driftMm = Math.hypot(
      range(found.rowPx) * spacingMm!.row,
      range(found.columnPx) * spacingMm!.column,
    );
    const degrees = (Math.atan2(driftMm, alongMm.at(-1)!) * 180) / Math.PI;
    problems.push(
      warning(
        'gantry-tilt',
        `images are sheared by ${degrees.toFixed(1)} degrees (gantry tilt) and were shifted to a rectangular grid`,
        'Compare the overlay with the original images',
      ),
    );
  }
  if (even === undefined) {
    const gaps = gapsOf(alongMm);
    problems.push(
      warning(
        'uneven-slices',
        `images are ${Math.min(...gaps).toFixed(2)} to ${Math.max(...gaps).toFixed(2)} mm apart and were interpolated to ${sliceMm.toFixed(2)} mm`,
        'Check that no image of the series is missing',
      ),
    );
  }
  if (stack.duplicates > 0)
    problems.push(
      warning(
        'duplicate-images',
        `${stack.duplicates} image(s) were given twice and taken once`,
        'Nothing needs to be done',
      ),
    );
  return problems;
}

const tooLarge = (subject: string, sizes: readonly (number | string)[]): InputError =>
  new InputError({
    code: 'volume-too-large',
    subject,
    expected: 'at most 2^31 voxels',
    found: sizes.join(' x '),
    remedy: 'The positions in the headers are damaged, or this is no clinical CT.',
  });
