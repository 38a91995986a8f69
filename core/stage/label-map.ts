import { LABEL_MAP_FILE, type LabelMap } from '../contract/targets.ts';
import { boundingBox, boxGrid, cropMask, unionBox } from '../mask/bounds.ts';
import type { BlobStore } from '../ports.ts';
import { type CroppedMask, type VoxelBox, voxelCount } from '../volume/grid.ts';
import { writeMask } from '../volume/mask-writer.ts';
import { openNifti } from '../volume/reader.ts';
import { readPlacedLabel } from './compare.ts';

/** A target's mask as it lies there, drawn or corrected; undefined where it failed. */
export interface TargetMask {
  readonly target: string;
  readonly key: string | undefined;
}

/**
 * Writes all targets of a case as one volume: 1 for the target named first, 2 for the second and so on.
 * Where masks overlap the one named first has the voxel. Memory: a byte for every voxel of one mask, and
 * of the box around all of them.
 *
 * @param masks at least one of them there; the first of those gives header and grid
 * @param to where the volume is written
 */
export async function writeLabelMap(
  masks: readonly TargetMask[],
  store: Pick<BlobStore, 'read'>,
  to: { readonly store: Pick<BlobStore, 'put'>; readonly key: string },
): Promise<LabelMap> {
  const present = masks.flatMap(({ key }, at) =>
    key === undefined ? [] : [{ key, value: at + 1 }],
  );
  const [first] = present;
  const { header, geometry } = await openNifti(store.read(first!.key), { subject: first!.key });
  const drawn: { readonly value: number; readonly cropped: CroppedMask }[] = [];
  for (const { key, value } of present) {
    const image = { name: first!.key, geometry };
    const { mask } = await readPlacedLabel(image, { name: key, open: () => store.read(key) });
    const box = boundingBox(mask);
    if (box) drawn.push({ value, cropped: cropMask(mask, box) });
  }
  const box = drawn
    .map(({ cropped }) => cropped.box)
    .reduce<VoxelBox | undefined>(unionBox, undefined);
  const joined = box && { mask: emptyMask(box, geometry.grid), box };
  let overlapVoxels = 0;
  for (const { value, cropped } of drawn) overlapVoxels += lay(cropped, value, joined!);
  const written = writeMask(header, geometry, joined);
  await to.store.put(to.key, written, 'application/gzip');
  return {
    file: LABEL_MAP_FILE,
    classes: masks.map(({ target }, at) => ({ value: at + 1, target })),
    overlapVoxels,
  };
}

function emptyMask(box: VoxelBox, grid: CroppedMask['mask']['grid']): CroppedMask['mask'] {
  const within = boxGrid(box, grid);
  return { grid: within, data: new Uint8Array(voxelCount(within)) };
}

/** Gives a mask's voxels its value where they have none; returns how many had one. */
function lay({ mask, box }: CroppedMask, value: number, joined: CroppedMask): number {
  const { columns, rows, slices } = mask.grid;
  const into = joined.mask;
  let taken = 0;
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++) {
      const from = (k * rows + j) * columns;
      const slice = box.sliceStart - joined.box.sliceStart + k;
      const row = slice * into.grid.rows + box.rowStart - joined.box.rowStart + j;
      const to = row * into.grid.columns + box.columnStart - joined.box.columnStart;
      for (let i = 0; i < columns; i++) {
        if (mask.data[from + i] === 0) continue;
        if (into.data[to + i] === 0) into.data[to + i] = value;
        else taken += 1;
      }
    }
  return taken;
}
