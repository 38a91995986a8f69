import type { EvaluatedCase, ScoredSlice } from '../contract/evaluated-case.ts';
import type { ClassificationSummary, EstimateInterval } from '../contract/evaluation.ts';
import { toExtended } from '../contract/panel.ts';
import {
  type Confusion,
  calibrationBins,
  calibrationError,
  confusion,
  type RocPoint,
  rocCurve,
} from '../metrics/classification.ts';
import { casesOfPatients, type PatientBootstrap } from './patients.ts';

/**
 * Area under the ROC curve of slices whose patients are drawn again and again. Slices are sorted by
 * score once; each draw is then one pass over them (Mann-Whitney count, ties one half), exact and
 * without copies: 1 000 patients of 300 slices and 2 000 draws take seconds.
 */
export class ResampledAuc {
  /** In ascending order of score: patient << 2 | ends a tie << 1 | positive. */
  private readonly items: Uint32Array;

  /** @param patients the slices of each patient */
  constructor(patients: readonly (readonly ScoredSlice[])[]) {
    const items = patients.flatMap((slices, patient) =>
      slices.map(({ score, positive }) => ({ score, positive, patient })),
    );
    items.sort((a, b) => a.score - b.score);
    this.items = Uint32Array.from(items, ({ score, positive, patient }, n) => {
      const endsTie = items[n + 1]?.score !== score;
      return (patient << 2) | (endsTie ? 2 : 0) | (positive ? 1 : 0);
    });
  }

  /** @param times how often each patient is drawn; NaN where one of the classes is absent then */
  area(times: Uint16Array): number {
    const { items } = this;
    let [pairsWon, negatives, positives] = [0, 0, 0];
    let [tied, tiedPositives] = [0, 0];
    for (let n = 0; n < items.length; n++) {
      const item = items[n]!;
      const drawn = times[item >>> 2]!;
      tied += drawn;
      // A product, not a branch: which class comes next cannot be guessed.
      tiedPositives += drawn * (item & 1);
      if ((item & 2) === 0) continue;
      const tiedNegatives = tied - tiedPositives;
      pairsWon += tiedPositives * (negatives + tiedNegatives / 2);
      positives += tiedPositives;
      negatives += tiedNegatives;
      tied = 0;
      tiedPositives = 0;
    }
    return pairsWon / (positives * negatives);
  }
}

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

/**
 * How the classifier tells slices with the target from those without: slices are the items, patients
 * are what is resampled. `null` where no case has scores.
 */
export function summariseClassification(
  cases: readonly EvaluatedCase[],
  threshold: number,
  bootstrap: PatientBootstrap,
): ClassificationSummary | null {
  const patients = casesOfPatients(cases)
    .map((group) => group.flatMap((one) => one.scores))
    .filter((slices) => slices.length > 0);
  const items = patients.flat();
  if (items.length === 0) return null;
  const auc = new ResampledAuc(patients);
  return {
    slices: items.length,
    positives: items.filter((item) => item.positive).length,
    threshold,
    auc: bootstrap.statistic(patients.length, (times) => auc.area(times)),
    ...rates(patients, threshold, bootstrap),
    expectedCalibrationError: calibrationError(items),
    roc: thinRoc(rocCurve(items) ?? []).map((point) => ({
      ...point,
      threshold: toExtended(point.threshold),
    })),
    calibration: calibrationBins(items),
  };
}

type RateName = 'accuracy' | 'sensitivity' | 'specificity';

/** At the gate's threshold. */
function rates(
  patients: readonly (readonly ScoredSlice[])[],
  threshold: number,
  bootstrap: PatientBootstrap,
): Record<RateName, EstimateInterval> {
  const counts = patients.map((slices) => confusion(slices, threshold));
  const ratio = (
    part: (c: Confusion) => number,
    whole: (c: Confusion) => number,
  ): EstimateInterval => bootstrap.ratio(counts.map(part), counts.map(whole));
  const positives = (c: Confusion): number => c.truePositives + c.falseNegatives;
  const negatives = (c: Confusion): number => c.trueNegatives + c.falsePositives;
  return {
    accuracy: ratio(
      (c) => c.truePositives + c.trueNegatives,
      (c) => positives(c) + negatives(c),
    ),
    sensitivity: ratio((c) => c.truePositives, positives),
    specificity: ratio((c) => c.trueNegatives, negatives),
  };
}
