import type { RocPoint } from '../metrics/classification.ts';

/** More points than this add nothing that a plot shows. */
export const ROC_POINTS = 200;

/**
 * A ROC curve of at most 200 of its own points, both ends among them, whose area differs from the
 * whole curve's by less than 1e-3.
 *
 * Points are taken at about equal steps along the curve (the sum of both rates). Within the second
 * half of each step the point is taken that brings the area lost so far nearest to zero: staircases
 * have corners on both sides of any chord, so the losses cancel instead of adding up.
 */
export function thinRoc(points: readonly RocPoint[]): RocPoint[] {
  if (points.length <= ROC_POINTS) return [...points];
  // A step ends no sooner than at half its length, and both rates add up to 2.
  const step = (2 * 2) / (ROC_POINTS - 2);
  const kept = [points[0]!];
  let lost = 0;
  for (let start = 0; start < points.length - 1; ) {
    const next = bestEnd(points, start, step, lost);
    lost = next.lost;
    kept.push(points[next.end]!);
    start = next.end;
  }
  return kept;
}

function bestEnd(
  points: readonly RocPoint[],
  start: number,
  step: number,
  lostBefore: number,
): { end: number; lost: number } {
  let best = { end: start + 1, lost: lostBefore };
  let area = 0;
  for (let end = start + 1; end < points.length; end++) {
    area += trapezoid(points[end - 1]!, points[end]!);
    const length = along(points[end]!) - along(points[start]!);
    if (length > step && end > start + 1) break;
    const lost = lostBefore + area - trapezoid(points[start]!, points[end]!);
    const tooShort = along(points[best.end]!) - along(points[start]!) < step / 2;
    if (tooShort || Math.abs(lost) <= Math.abs(best.lost)) best = { end, lost };
  }
  return best;
}

const along = (point: RocPoint): number => point.falsePositiveRate + point.truePositiveRate;

const trapezoid = (a: RocPoint, b: RocPoint): number =>
  ((b.falsePositiveRate - a.falsePositiveRate) * (a.truePositiveRate + b.truePositiveRate)) / 2;
