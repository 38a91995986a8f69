import type { SegmentedReport } from '../contract/report.ts';

/** Area of the final mask in each canonical slice, in mm²; as drawn in reports of before. */
export function maskAreasMm2({ voxelsPerSlice, slices, geometry }: SegmentedReport): number[] {
  const { column, row } = geometry.grid.spacingMm;
  const voxels = voxelsPerSlice ?? slices.map(({ maskVoxels }) => maskVoxels);
  return voxels.map((count) => count * column * row);
}
