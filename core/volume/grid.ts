/**
 * The canonical grid: every volume is processed as axial slices whose columns run from patient
 * right to left, rows from anterior to posterior and slices from inferior to superior (LPS+ index
 * axes i, j, k). Voxel (i, j, k) is `data[(k * rows + j) * columns + i]`.
 */
export interface Grid {
  readonly columns: number;
  readonly rows: number;
  readonly slices: number;
  readonly spacingMm: {
    readonly column: number;
    readonly row: number;
    readonly slice: number;
  };
}

/** A binary volume on a canonical grid: 0 or 1 per voxel, `rows * columns * slices` bytes. */
export interface MaskVolume {
  readonly grid: Grid;
  readonly data: Uint8Array;
}

/** Half-open voxel ranges: `columnStart <= i < columnEnd`, likewise rows (j) and slices (k). */
export interface VoxelBox {
  readonly columnStart: number;
  readonly columnEnd: number;
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly sliceStart: number;
  readonly sliceEnd: number;
}

/** A box cut out of a larger binary volume; every voxel of the volume outside the box is 0. */
export interface CroppedMask {
  readonly mask: MaskVolume;
  readonly box: VoxelBox;
}

export const voxelCount = (grid: Grid): number => grid.columns * grid.rows * grid.slices;

export const voxelVolumeMl = (grid: Grid): number =>
  (grid.spacingMm.column * grid.spacingMm.row * grid.spacingMm.slice) / 1000;
