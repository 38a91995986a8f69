import type { Affine } from '../volume/affine.ts';
import { encodeNifti } from '../volume/encode.ts';
import type { Grid } from '../volume/grid.ts';
import type { PhantomCase } from './phantom.ts';

/** Canonical voxel index to RAS+ mm, the origin in the middle of the volume. */
export function phantomAffine(grid: Grid): Affine {
  const { column, row, slice } = grid.spacingMm;
  const half = (count: number, spacing: number) => ((count - 1) * spacing) / 2;
  return [
    [-column, 0, 0, half(grid.columns, column)],
    [0, -row, 0, half(grid.rows, row)],
    [0, 0, slice, -half(grid.slices, slice)],
    [0, 0, 0, 1],
  ];
}

/** The two files of a phantom as uncompressed `.nii`: int16 HU, and uint8 labels 0, 1, 2. */
export function encodePhantom(phantom: PhantomCase): { ct: Uint8Array; label: Uint8Array } {
  const { grid, hu, label } = phantom;
  const spec = {
    shape: [grid.columns, grid.rows, grid.slices],
    affine: phantomAffine(grid),
    descrip: 'sammix synthetic phantom, no patient',
  };
  return { ct: encodeNifti(spec, hu), label: encodeNifti(spec, label) };
}
