/** Voxels that are set; `data` holds 0 and 1. */
export function countSet(data: Uint8Array): number {
  let voxels = 0;
  for (const voxel of data) voxels += voxel;
  return voxels;
}
