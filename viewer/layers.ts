import type { Letterbox } from '../core/contract/manifest.ts';
import { bilinearFilter, filterColumns, filterRows } from '../core/slice/letterbox.ts';
import type { Affine, AffineRow } from '../core/volume/affine.ts';
import { binaryVoxels, floatVoxels, niftiFile, type Volume } from './volume.ts';

/** Which stored axes lie in the slices that are drawn; all three for several planes at once. */
export type InPlane = readonly number[];

/**
 * A mask or a label as NiiVue takes it: 1 inside, or with `outline` only the voxels that have a
 * neighbour outside along the axes of the drawn plane.
 */
export function maskFile(volume: Volume, outline: InPlane | null): ArrayBuffer {
  const inside = binaryVoxels(volume);
  const { header, geometry } = volume;
  return niftiFile(header, geometry, outline ? edges(inside, geometry.shape, outline) : inside);
}

function edges(
  inside: Uint8Array<ArrayBuffer>,
  shape: readonly [number, number, number],
  axes: InPlane,
): Uint8Array<ArrayBuffer> {
  const strides = [1, shape[0], shape[0] * shape[1]];
  const edge = new Uint8Array(inside.length);
  for (let at = 0; at < inside.length; at++) {
    if (!inside[at]) continue;
    edge[at] = axes.some((axis) => onEdge(inside, at, strides[axis]!, shape[axis]!)) ? 1 : 0;
  }
  return edge;
}

function onEdge(inside: Uint8Array, at: number, stride: number, size: number): boolean {
  const place = Math.floor(at / stride) % size;
  if (place === 0 || place === size - 1) return true;
  return !inside[at - stride] || !inside[at + stride];
}

/** Cells of the drawn map along the side of one cell of the CAM. */
const ENLARGE = 8;

/**
 * The CAM as NiiVue takes it, 255 at its peak, enlarged in the plane as the method does it (bilinear,
 * half-pixel centres): NiiVue itself draws overlays by the nearest voxel, which would show squares.
 */
export function camFile(volume: Volume): ArrayBuffer {
  const { header, geometry } = volume;
  const [gridPx, , slices] = geometry.shape;
  const sizePx = gridPx * ENLARGE;
  const map = floatVoxels(volume);
  const scale = 255 / map.reduce((peak, value) => Math.max(peak, value), Number.MIN_VALUE);
  const voxels = new Uint8Array(sizePx * sizePx * slices);
  const bank = bilinearFilter(gridPx, sizePx);
  const widened = new Float32Array(sizePx * gridPx);
  const enlarged = new Float32Array(sizePx * sizePx);
  for (let k = 0; k < slices; k++) {
    filterRows(bank, map.subarray(k * gridPx ** 2), gridPx, gridPx, widened, sizePx);
    filterColumns(bank, widened, sizePx, enlarged, 0, sizePx);
    const at = k * sizePx ** 2;
    for (let n = 0; n < enlarged.length; n++) voxels[at + n] = Math.round(enlarged[n]! * scale);
  }
  const shape = [sizePx, sizePx, slices] as const;
  return niftiFile(header, { shape, affine: finer(geometry.affine) }, voxels);
}

/** Half-pixel centres: index u of the fine grid lies at (u + 0.5) / ENLARGE - 0.5 of the coarse one. */
function finer(affine: Affine): Affine {
  const shift = 0.5 / ENLARGE - 0.5;
  const row = ([i, j, k, origin]: AffineRow): AffineRow => [
    i / ENLARGE,
    j / ENLARGE,
    k,
    origin + (i + j) * shift,
  ];
  return [row(affine[0]), row(affine[1]), row(affine[2]), affine[3]];
}

/** Canonical column and row at the middle of a box in the model's square. */
export function boxCentre(
  [x0, y0, x1, y1]: readonly [number, number, number, number],
  letterbox: Letterbox,
  grid: { readonly columns: number; readonly rows: number },
): readonly [column: number, row: number] {
  const along = (from: number, to: number, start: number, size: number, count: number): number =>
    (((from + to + 1) / 2 - start) / size) * count - 0.5;
  return [
    along(x0, x1, letterbox.x0, letterbox.width, grid.columns),
    along(y0, y1, letterbox.y0, letterbox.height, grid.rows),
  ];
}
