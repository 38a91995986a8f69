import type { Grid, MaskVolume, VoxelBox } from '../volume/grid.ts';
import { nearestDistancesMm } from './edt.ts';
import { quantileFloat32, weightedQuantile } from './quantile.ts';
import { edgeVoxels, type Surfels, surfelAreasMm2, surfels } from './surface-points.ts';

/** Tolerances at which the normalised surface Dice is given. */
export const NSD_TOLERANCES_MM = [1, 2, 3] as const;

/** Distances from every surface element of one mask to the other mask's surface. */
export interface DirectedSurface {
  readonly distanceMm: Float64Array;
  readonly areaMm2: Float64Array;
}

export interface SurfacePair {
  readonly labelToPrediction: DirectedSurface;
  readonly predictionToLabel: DirectedSurface;
}

/**
 * Surface distances as DeepMind's surface-distance 0.1 defines them: elements are the corners
 * between voxels, weighted with their marching-cubes area. Both masks must have voxels, all of them
 * inside `box`. The axis order behind the neighbourhood codes is slice, row, column; the numbers do
 * not depend on it.
 */
export function surfacePair(prediction: MaskVolume, label: MaskVolume, box: VoxelBox): SurfacePair {
  const { spacingMm } = label.grid;
  const table = surfelAreasMm2(spacingMm);
  const [p, l] = [surfels(prediction, box), surfels(label, box)];
  return {
    labelToPrediction: {
      distanceMm: nearestDistancesMm(l, p, spacingMm),
      areaMm2: areas(l, table),
    },
    predictionToLabel: {
      distanceMm: nearestDistancesMm(p, l, spacingMm),
      areaMm2: areas(p, table),
    },
  };
}

function areas(points: Surfels, table: Float64Array): Float64Array {
  const areaMm2 = new Float64Array(points.code.length);
  for (let n = 0; n < areaMm2.length; n++) areaMm2[n] = table[points.code[n]!]!;
  return areaMm2;
}

/** DeepMind's robust Hausdorff distance; `fraction` 1 is the Hausdorff distance itself. */
export function robustHausdorffMm(pair: SurfacePair, fraction: number): number {
  const directed = ({ distanceMm, areaMm2 }: DirectedSurface): number =>
    fraction === 1 ? largest(distanceMm) : weightedQuantile(distanceMm, areaMm2, fraction);
  return Math.max(directed(pair.labelToPrediction), directed(pair.predictionToLabel));
}

/** Area-weighted mean distances: each direction, and all elements of both surfaces pooled (ASSD). */
export function averageDistancesMm(pair: SurfacePair): {
  readonly labelToPredictionMm: number;
  readonly predictionToLabelMm: number;
  readonly assdMm: number;
} {
  const l = weightedSum(pair.labelToPrediction);
  const p = weightedSum(pair.predictionToLabel);
  return {
    labelToPredictionMm: l.distanceTimesArea / l.area,
    predictionToLabelMm: p.distanceTimesArea / p.area,
    assdMm: (l.distanceTimesArea + p.distanceTimesArea) / (l.area + p.area),
  };
}

/** Normalised surface Dice: the share of both surfaces' area not farther than `toleranceMm`. */
export function surfaceDice(pair: SurfacePair, toleranceMm: number): number {
  let within = 0;
  let total = 0;
  for (const { distanceMm, areaMm2 } of [pair.labelToPrediction, pair.predictionToLabel]) {
    for (let n = 0; n < distanceMm.length; n++) {
      total += areaMm2[n]!;
      if (distanceMm[n]! <= toleranceMm) within += areaMm2[n]!;
    }
  }
  return within / total;
}

/**
 * Hausdorff distances as MONAI 1.6 defines them: between edge voxel centres, HD the larger directed
 * maximum, HD95 the larger directed 95 % quantile (linear, single precision like MONAI's own).
 */
export function monaiHausdorffMm(
  prediction: MaskVolume,
  label: MaskVolume,
  box: VoxelBox,
): { readonly hdMm: number; readonly hd95Mm: number } {
  const spacingMm: Grid['spacingMm'] = label.grid.spacingMm;
  const [p, l] = [edgeVoxels(prediction, box), edgeVoxels(label, box)];
  const there = Float32Array.from(nearestDistancesMm(p, l, spacingMm));
  const back = Float32Array.from(nearestDistancesMm(l, p, spacingMm));
  return {
    hdMm: Math.max(largest(there), largest(back)),
    hd95Mm: Math.max(quantileFloat32(there, 0.95), quantileFloat32(back, 0.95)),
  };
}

function largest(values: Float64Array | Float32Array): number {
  let top = 0;
  for (let n = 0; n < values.length; n++) if (values[n]! > top) top = values[n]!;
  return top;
}

function weightedSum({ distanceMm, areaMm2 }: DirectedSurface): {
  distanceTimesArea: number;
  area: number;
} {
  let distanceTimesArea = 0;
  let area = 0;
  for (let n = 0; n < distanceMm.length; n++) {
    distanceTimesArea += distanceMm[n]! * areaMm2[n]!;
    area += areaMm2[n]!;
  }
  return { distanceTimesArea, area };
}
