import { GeometryError } from '../errors.ts';
import { indexAt, positionOf } from './canonical.ts';
import type { Geometry } from './geometry.ts';
import { type Grid, type MaskVolume, voxelCount } from './grid.ts';
import type { Vector3 } from './matrix3.ts';

/** A volume by its name in messages and its place in the patient. */
export interface PlacedVolume {
  readonly subject: string;
  readonly geometry: Geometry;
}

/** So far may any voxel of one volume lie from a voxel of the other: more is another lattice. */
const TOLERANCE_VOXELS = 0.01;

/** Where a volume lies on the lattice of an image: both share their voxels' positions. */
export interface Placement {
  /** Canonical index in the image of the volume's canonical voxel (0, 0, 0). */
  readonly offset: Vector3;
  /** How it was stored otherwise, in words; null where it is stored as the image is. */
  readonly difference: string | null;
}

/**
 * Finds a volume on an image's lattice: in whatever orientation it is stored, cut to an extent or
 * larger than the image. Every corner must meet a voxel of the lattice within 0.01 voxels.
 *
 * @throws GeometryError `shape-differs` or `affine-differs` where the two lattices are not one
 */
export function placementOn(image: PlacedVolume, other: PlacedVolume): Placement {
  const [a, b] = [image.geometry, other.geometry];
  const first = indexIn(a, b, [0, 0, 0]);
  // + 0: a zero without a sign.
  const offset = first.map((value) => Math.round(value) + 0) as unknown as Vector3;
  const [columns, rows, slices] = sizeOf(b.grid).map((size) => size - 1) as unknown as Vector3;
  let off = 0;
  for (const i of [0, columns])
    for (const j of [0, rows])
      for (const k of [0, slices]) {
        const at = indexIn(a, b, [i, j, k]);
        const wanted = [offset[0] + i, offset[1] + j, offset[2] + k];
        off = Math.max(off, ...at.map((value, axis) => Math.abs(value - wanted[axis]!)));
      }
  // Written so that NaN, from a broken header, is refused as well.
  if (!(off <= TOLERANCE_VOXELS)) throw differs(image, other, off);
  return { offset, difference: difference(a, b, offset) };
}

/** Position of a canonical voxel of `other`, as a canonical index of `image`. */
function indexIn(image: Geometry, other: Geometry, index: Vector3): Vector3 {
  const by = other.unitMm / image.unitMm;
  const [x, y, z] = positionOf(other, index);
  return indexAt(image, [x * by, y * by, z * by]);
}

const sizeOf = ({ columns, rows, slices }: Grid): Vector3 => [columns, rows, slices];

const sizeText = (grid: Grid): string => sizeOf(grid).join(' x ');

function difference(image: Geometry, other: Geometry, offset: Vector3): string | null {
  const parts: string[] = [];
  if (other.orientation !== image.orientation)
    parts.push(`stored ${other.orientation}, turned to ${image.orientation}`);
  const [a, b] = [sizeOf(image.grid), sizeOf(other.grid)];
  if (a.some((size, axis) => size !== b[axis]) || offset.some((value) => value !== 0))
    parts.push(`${sizeText(other.grid)} voxels, put into the image's ${sizeText(image.grid)}`);
  if (other.unitMm !== image.unitMm) parts.push('in another unit of length');
  return parts.length === 0 ? null : parts.join('; ');
}

/**
 * A mask on the image's grid: what lies outside its own extent is 0.
 *
 * @throws GeometryError (`label-outside`) where voxels of it lie outside the image
 */
export function onGridOf(
  image: PlacedVolume,
  mask: MaskVolume,
  { offset }: Placement,
  subject: string,
): MaskVolume {
  const { grid } = image.geometry;
  const size = sizeOf(mask.grid);
  if (offset.every((value) => value === 0) && sizeOf(grid).every((n, axis) => n === size[axis]))
    return { grid, data: mask.data };
  const data = new Uint8Array(voxelCount(grid));
  const [fromColumn, toColumn] = overlap(offset[0], mask.grid.columns, grid.columns);
  let outside = 0;
  for (let k = 0; k < mask.grid.slices; k++)
    for (let j = 0; j < mask.grid.rows; j++) {
      const from = (k * mask.grid.rows + j) * mask.grid.columns;
      const row = mask.data.subarray(from, from + mask.grid.columns);
      const [slice, y] = [offset[2] + k, offset[1] + j];
      const inside = slice >= 0 && slice < grid.slices && y >= 0 && y < grid.rows;
      const part = inside ? row.subarray(fromColumn, Math.max(fromColumn, toColumn)) : EMPTY;
      outside += set(row) - set(part);
      if (inside) data.set(part, (slice * grid.rows + y) * grid.columns + offset[0] + fromColumn);
    }
  if (outside > 0) throw reachesOutside(image, subject, outside);
  return { grid, data };
}

const EMPTY = new Uint8Array(0);

const set = (voxels: Uint8Array): number => {
  let count = 0;
  for (const voxel of voxels) count += voxel;
  return count;
};

const overlap = (offset: number, size: number, room: number): [from: number, to: number] => [
  Math.max(0, -offset),
  Math.min(size, room - offset),
];

/**
 * @throws GeometryError (`shape-differs`, `orientation-differs`, `affine-differs`) unless both volumes
 *   are stored alike: same shape and orientation, every corner within 0.01 voxels
 */
export function assertSameGrid(image: PlacedVolume, other: PlacedVolume): void {
  const [a, b] = [image.geometry, other.geometry];
  if (a.shape.some((size, axis) => size !== b.shape[axis])) throw differs(image, other, 0);
  if (a.orientation !== b.orientation)
    throw fault('orientation-differs', image, other, a.orientation, b.orientation);
  const { offset } = placementOn(image, other);
  if (offset.some((value) => value !== 0)) throw differs(image, other, Math.max(...offset));
}

/** Names the shape where that differs, else the first term of the affine that does. */
function differs(image: PlacedVolume, other: PlacedVolume, offVoxels: number): GeometryError {
  const [a, b] = [image.geometry, other.geometry];
  if (a.unitMm !== b.unitMm)
    return fault('affine-differs', image, other, unitText(a.unitMm), unitText(b.unitMm));
  if (sizeText(a.grid) !== sizeText(b.grid))
    return fault('shape-differs', image, other, a.shape.join(' x '), b.shape.join(' x '));
  const size = (row: number, col: number): number =>
    Math.abs(a.affine[row]![col]! - b.affine[row]![col]!) * (col === 3 ? 1 : a.shape[col]!);
  const terms = [0, 1, 2]
    .flatMap((row) => [0, 1, 2, 3].map((col) => ({ row, col, size: size(row, col) })))
    .sort((x, y) => y.size - x.size);
  const { row, col } = terms[0]!;
  const name = `affine[${row}][${col}] = `;
  const by = offVoxels > 0 ? ` (off by ${offVoxels.toPrecision(2)} voxels)` : '';
  return fault(
    'affine-differs',
    image,
    other,
    `${name}${a.affine[row]![col]}`,
    `${name}${b.affine[row]![col]}${by}`,
  );
}

const unitText = (unitMm: number): string =>
  `lengths in ${unitMm === 1 ? 'millimetres' : unitMm === 1000 ? 'metres' : 'micrometres'}`;

const fault = (
  code: string,
  image: PlacedVolume,
  other: PlacedVolume,
  expected: string,
  found: string,
): GeometryError =>
  new GeometryError({
    code,
    subject: other.subject,
    expected: `${expected} as in ${image.subject}`,
    found,
    remedy: 'Use the label drawn on this very image, or resample it to the image first.',
  });

const reachesOutside = (image: PlacedVolume, subject: string, voxels: number): GeometryError =>
  new GeometryError({
    code: 'label-outside',
    subject,
    expected: `nothing drawn outside of ${image.subject}`,
    found: `${voxels} voxels there`,
    remedy: 'Give the image that the label was drawn on, not a part of it.',
  });
