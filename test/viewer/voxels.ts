import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { indexAt } from '../../core/volume/canonical.ts';
import { readLabel } from '../../core/volume/label.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { once } from '../support/case.ts';

async function maskOf(out: string, caseId: string) {
  const file = path.join(out, caseId, 'mask.nii.gz');
  return (await readLabel(once(await readFile(file)), { subject: file })).mask;
}

/** Voxels of a slice whose neighbourhood is all of the mask, or all outside: no edges. */
export async function clearVoxels(out: string, caseId: string, k: number) {
  const { grid, data } = await maskOf(out, caseId);
  const at = (i: number, j: number): number => data[(k * grid.rows + j) * grid.columns + i]!;
  const found = { inside: [] as [number, number][], outside: [] as [number, number][] };
  for (let j = 3; j < grid.rows - 3; j++)
    for (let i = 3; i < grid.columns - 3; i++) {
      const around = [-2, 0, 2].flatMap((y) => [-2, 0, 2].map((x) => at(i + x, j + y)));
      if (around.every((voxel) => voxel === 1)) found.inside.push([i, j]);
      if (around.every((voxel) => voxel === 0)) found.outside.push([i, j]);
    }
  return { grid, ...found };
}

/** Canonical index, in the input's grid, of the largest value of the CAM file. */
export async function hottestCell(out: string, caseId: string) {
  const read = async (file: string) =>
    openNifti(once(await readFile(path.join(out, caseId, file))), { subject: file });
  const [cam, mask] = [await read('cam.nii.gz'), await read('mask.nii.gz')];
  let hottest = { value: -1, cell: [0, 0, 0] };
  for await (const { index, hu } of cam.axialSlices())
    hu.forEach((value, at) => {
      const { columns } = cam.geometry.grid;
      if (value > hottest.value)
        hottest = { value, cell: [at % columns, Math.floor(at / columns), index] };
    });
  const [x, y, z] = cam.geometry.affine.map((row) =>
    hottest.cell.reduce((sum, n, axis) => sum + n * row[axis]!, row[3]),
  );
  const { geometry } = mask;
  return { index: indexAt(geometry, [x!, y!, z!]), grid: geometry.grid };
}
