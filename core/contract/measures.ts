import * as z from 'zod';

/** What is measured of one organ's mask and of the image inside it. */

/**
 * Hounsfield units of a set of voxels, as PyRadiomics' first-order features and numpy define them: the
 * standard deviation is that of the population, percentiles interpolate linearly between the two
 * nearest values.
 */
export const HuStatistics = z.strictObject({
  voxels: z.int().positive(),
  meanHu: z.number(),
  sdHu: z.number().nonnegative(),
  minHu: z.number(),
  maxHu: z.number(),
  p05Hu: z.number(),
  p10Hu: z.number(),
  p25Hu: z.number(),
  medianHu: z.number(),
  p75Hu: z.number(),
  p90Hu: z.number(),
  p95Hu: z.number(),
  /** Share of the voxels below 40 HU: fat in the liver lowers it on unenhanced CT. */
  below40HuShare: z.number().min(0).max(1),
});
export type HuStatistics = Readonly<z.infer<typeof HuStatistics>>;

export const TargetMeasures = z.strictObject({
  /** The organ, e.g. `liver`. */
  target: z.string(),
  voxels: z.int().nonnegative(),
  volumeMl: z.number().nonnegative(),
  /** Of the marching-cubes surface through the midpoints between voxels (surface-distance 0.1). */
  surfaceAreaMm2: z.number().nonnegative(),
  /**
   * The longest line within one axial slice whose ends lie on the mask's outline, which runs through
   * the midpoints between voxels (PyRadiomics: Maximum2DDiameterSlice); null for an empty mask.
   */
  longestAxialDiameterMm: z.number().positive().nullable(),
  /** Where the mask reaches the end of the image: what lies beyond is in no number here. */
  cutByFieldOfView: z.strictObject({ ends: z.boolean(), sides: z.boolean() }),
  /** Of all voxels of the mask; null for an empty one. */
  inside: HuStatistics.nullable(),
  /**
   * Without the voxels that share a face with the background, where the edge of the organ mixes in;
   * null where nothing is left.
   */
  eroded: HuStatistics.nullable(),
});
export type TargetMeasures = Readonly<z.infer<typeof TargetMeasures>>;
