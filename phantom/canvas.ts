import type { Grid } from '../core/volume/grid.ts';

/** What a voxel is made of while the phantom is being painted; later solids ask before they paint. */
export const Tissue = {
  air: 0,
  table: 1,
  skin: 2,
  subcutaneousFat: 3,
  muscle: 4,
  bone: 5,
  /** Fat of the abdominal cavity: the only place where viscera may grow. */
  cavity: 6,
  lung: 7,
  liver: 8,
  lesion: 9,
  vessel: 10,
  spleen: 11,
  kidney: 12,
  stomach: 13,
  bowel: 14,
  gallbladder: 15,
  heart: 16,
  pancreas: 17,
  /** Cavity fat kept free around the liver so that its neighbours do not always touch it. */
  capsuleFat: 18,
} as const;

export type Tissue = (typeof Tissue)[keyof typeof Tissue];

export interface PointMm {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/**
 * A volume being painted. Body coordinates in mm: x to the patient's left, y to posterior, z to
 * superior; x = y = 0 is the middle of the body and z = 0 the top of the liver dome.
 */
export interface Canvas {
  readonly grid: Grid;
  /** Body coordinate of the centre of voxel (0, 0, 0). */
  readonly originMm: PointMm;
  readonly hu: Float32Array;
  readonly tissue: Uint8Array;
  /** Smooth displacement in mm that every solid is seen through: nobody is made of ellipsoids. */
  readonly warpMm: { readonly x: Float32Array; readonly y: Float32Array; readonly z: Float32Array };
  /** Unit-variance smooth noise with cells of about 14 mm: surface bumps, texture. */
  readonly grain: Float32Array;
}

/** A closed surface: `distanceMm` is negative inside; nothing of it lies outside the box. */
export interface Solid {
  readonly min: PointMm;
  readonly max: PointMm;
  distanceMm(x: number, y: number, z: number): number;
}

/** The largest displacement for which bounding boxes are still right; the warp is clamped to it. */
export const MAX_WARP_MM = 14;

const firstIndex = (mm: number, origin: number, spacing: number): number =>
  Math.max(0, Math.ceil((mm - origin) / spacing));
const lastIndex = (mm: number, origin: number, spacing: number, count: number): number =>
  Math.min(count - 1, Math.floor((mm - origin) / spacing));

/** Calls `visit` for every voxel of the given tissues less than `marginMm` outside the solid. */
export function visitSolid(
  canvas: Canvas,
  solid: Solid,
  onto: readonly Tissue[],
  visit: (index: number, distanceMm: number, y: number) => void,
  marginMm = 0,
): void {
  const { grid, originMm, warpMm } = canvas;
  const { column, row, slice } = grid.spacingMm;
  const allowed = new Uint8Array(32);
  for (const tissue of onto) allowed[tissue] = 1;
  const reach = MAX_WARP_MM + marginMm;
  const i0 = firstIndex(solid.min.x - reach, originMm.x, column);
  const i1 = lastIndex(solid.max.x + reach, originMm.x, column, grid.columns);
  const j0 = firstIndex(solid.min.y - reach, originMm.y, row);
  const j1 = lastIndex(solid.max.y + reach, originMm.y, row, grid.rows);
  const k0 = firstIndex(solid.min.z - reach, originMm.z, slice);
  const k1 = lastIndex(solid.max.z + reach, originMm.z, slice, grid.slices);
  for (let k = k0; k <= k1; k += 1) {
    const z = originMm.z + k * slice;
    for (let j = j0; j <= j1; j += 1) {
      const y = originMm.y + j * row;
      const line = (k * grid.rows + j) * grid.columns;
      for (let i = i0; i <= i1; i += 1) {
        const index = line + i;
        if (allowed[canvas.tissue[index]!] === 0) continue;
        const distance = solid.distanceMm(
          originMm.x + i * column + warpMm.x[index]!,
          y + warpMm.y[index]!,
          z + warpMm.z[index]!,
        );
        if (distance < marginMm) visit(index, distance, y);
      }
    }
  }
}

/** Sets tissue and HU of the solid wherever `onto` allows; `hu` is in Hounsfield units. */
export function paintSolid(
  canvas: Canvas,
  solid: Solid,
  onto: readonly Tissue[],
  tissue: Tissue,
  hu: number | ((index: number, distanceMm: number, y: number) => number),
): void {
  visitSolid(canvas, solid, onto, (index, distance, y) => {
    canvas.tissue[index] = tissue;
    canvas.hu[index] = typeof hu === 'number' ? hu : hu(index, distance, y);
  });
}
