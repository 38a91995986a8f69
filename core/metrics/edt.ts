import type { Grid } from '../volume/grid.ts';
import { PlanarTransform } from './planar-transform.ts';
import type { LatticePoints } from './surface-points.ts';

/**
 * Exact Euclidean distance in mm from each point of `from` to the nearest point of `to`, in the
 * order of `from`; infinite where `to` has none. Both lie on the same lattice.
 *
 * The same numbers as a distance transform of the whole lattice read at `from` (summed slice, row,
 * column, as scipy does), without the transform: only one slice of it is held at a time. Slices of
 * `to` are visited coarsely first (every 16th, then every 8th, …); the distances found early bound
 * the search, and a slice farther away than that is never looked at.
 */
export function nearestDistancesMm(
  from: LatticePoints,
  to: LatticePoints,
  spacingMm: Grid['spacingMm'],
): Float64Array {
  const best = new Float64Array(from.position.length).fill(Number.POSITIVE_INFINITY);
  const bounds = Array.from({ length: from.slices }, (_, k) => sliceBound(from, best, k));
  const plane = new PlanarTransform(to, spacingMm);
  for (const target of coarseToFine(to.slices)) {
    if (to.sliceOffset[target] === to.sliceOffset[target + 1]) continue;
    const offsetMm2 = (k: number): number => {
      const offsetMm = (k - target) * spacingMm.slice;
      return offsetMm * offsetMm;
    };
    const near = bounds.filter(({ slice, worstMm2 }) => offsetMm2(slice) < worstMm2);
    if (near.length === 0) continue;
    const searchMm = near.reduce((sum, { totalMm }) => sum + totalMm, 0);
    plane.compute(target, (2 * searchMm) / spacingMm.column);
    for (const { slice } of near) {
      const [start, end] = [from.sliceOffset[slice]!, from.sliceOffset[slice + 1]!];
      plane.improve(from.position, best, start, end, offsetMm2(slice));
      bounds[slice] = sliceBound(from, best, slice);
    }
  }
  for (let i = 0; i < best.length; i++) best[i] = Math.sqrt(best[i]!);
  return best;
}

/** How far the points of one slice still have to look. */
interface SliceBound {
  readonly slice: number;
  /** Largest squared distance so far; -1 where the slice has no points. */
  readonly worstMm2: number;
  /** Sum of the distances so far. */
  readonly totalMm: number;
}

function sliceBound(from: LatticePoints, best: Float64Array, slice: number): SliceBound {
  let worstMm2 = -1;
  let totalMm = 0;
  for (let n = from.sliceOffset[slice]!; n < from.sliceOffset[slice + 1]!; n++) {
    const now = best[n]!;
    if (now > worstMm2) worstMm2 = now;
    totalMm += Math.sqrt(now);
  }
  return { slice, worstMm2, totalMm };
}

/** 0 .. count - 1, each once: multiples of 16, then the remaining ones of 8, 4, 2 and 1. */
function* coarseToFine(count: number): Generator<number> {
  for (let k = 0; k < count; k += 16) yield k;
  for (let stride = 8; stride >= 1; stride /= 2) {
    for (let k = stride; k < count; k += 2 * stride) yield k;
  }
}
