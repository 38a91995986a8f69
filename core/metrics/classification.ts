/** One classified slice: the classifier's probability, and whether the label has the target. */
export interface ScoredItem {
  readonly score: number;
  readonly positive: boolean;
}

/** Counts at one threshold; an item is called positive where `score >= threshold`. */
export interface Confusion {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
}

export function confusion(items: readonly ScoredItem[], threshold: number): Confusion {
  const counts = { truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0 };
  for (const { score, positive } of items) {
    if (score >= threshold) counts[positive ? 'truePositives' : 'falsePositives']++;
    else counts[positive ? 'falseNegatives' : 'trueNegatives']++;
  }
  return counts;
}

const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

/** A point of the ROC curve; both rates in [0, 1]. */
export interface RocPoint {
  /** Items at or above it are called positive; infinite for the first point, where none is. */
  readonly threshold: number;
  readonly falsePositiveRate: number;
  readonly truePositiveRate: number;
}

/**
 * The ROC curve from (0, 0) to (1, 1), one point per distinct score; items that tie move together.
 * `null` where one of the classes is absent.
 */
export function rocCurve(items: readonly ScoredItem[]): RocPoint[] | null {
  const sorted = [...items].sort((a, b) => b.score - a.score);
  const positives = items.filter((item) => item.positive).length;
  const negatives = items.length - positives;
  if (positives === 0 || negatives === 0) return null;
  const points: RocPoint[] = [
    { threshold: Number.POSITIVE_INFINITY, falsePositiveRate: 0, truePositiveRate: 0 },
  ];
  let [truePositives, falsePositives] = [0, 0];
  sorted.forEach(({ score, positive }, n) => {
    if (positive) truePositives++;
    else falsePositives++;
    if (sorted[n + 1]?.score === score) return;
    points.push({
      threshold: score,
      falsePositiveRate: falsePositives / negatives,
      truePositiveRate: truePositives / positives,
    });
  });
  return points;
}

/** Items whose score lies in [lower, upper) (the last bin includes 1). */
export interface CalibrationBin {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
  /** `null` where the bin is empty. */
  readonly meanScore: number | null;
  readonly positiveShare: number | null;
}

/** Reliability diagram over equal bins of [0, 1]. */
export function calibrationBins(items: readonly ScoredItem[], bins = 10): CalibrationBin[] {
  const sums = Array.from({ length: bins }, () => ({ count: 0, score: 0, positives: 0 }));
  for (const { score, positive } of items) {
    const bin = sums[Math.max(0, Math.min(bins - 1, Math.floor(score * bins)))]!;
    bin.count++;
    bin.score += score;
    if (positive) bin.positives++;
  }
  return sums.map(({ count, score, positives }, n) => ({
    lower: n / bins,
    upper: (n + 1) / bins,
    count,
    meanScore: ratio(score, count),
    positiveShare: ratio(positives, count),
  }));
}

/** Expected calibration error: mean of |positive share - mean score|, weighted by bin count. */
export function calibrationError(items: readonly ScoredItem[], bins = 10): number | null {
  let sum = 0;
  for (const { count, meanScore, positiveShare } of calibrationBins(items, bins)) {
    if (meanScore !== null && positiveShare !== null) {
      sum += count * Math.abs(positiveShare - meanScore);
    }
  }
  return ratio(sum, items.length);
}

/** Voxels of one slice in label and prediction. */
export interface SliceVoxels {
  readonly labelVoxels: number;
  readonly predictionVoxels: number;
}

/**
 * Share of a scan's liver slices in which the prediction has any voxel: what the gate and the
 * prompts lose as whole slices. `null` where the label has no liver.
 */
export function liverSliceRecall(slices: readonly SliceVoxels[]): number | null {
  const withLiver = slices.filter((slice) => slice.labelVoxels > 0);
  return ratio(withLiver.filter((slice) => slice.predictionVoxels > 0).length, withLiver.length);
}

/**
 * Share of a scan's slices without liver in which the prediction has no voxel. `null` where every
 * slice has liver.
 */
export function liverFreeSliceSpecificity(slices: readonly SliceVoxels[]): number | null {
  const without = slices.filter((slice) => slice.labelVoxels === 0);
  return ratio(without.filter((slice) => slice.predictionVoxels === 0).length, without.length);
}
