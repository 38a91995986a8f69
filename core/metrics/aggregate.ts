import { quantile } from './quantile.ts';

/** A mean that says what it leaves out. */
export interface HonestMean {
  /** Mean of the finite values; `null` where there are none. */
  readonly mean: number | null;
  /** Cases in that mean. */
  readonly count: number;
  /** Cases it leaves out: infinite or undefined values, i.e. missed and spurious organs. */
  readonly leftOut: number;
  /** Mean over all cases with `worst` in place of those left out; `null` for no cases. */
  readonly meanWithWorst: number | null;
  /** What was put in their place. */
  readonly worst: number;
}

/**
 * Mean over cases in which nothing disappears silently: a distance that is infinite because the
 * organ was missed would otherwise *improve* the mean by dropping out.
 * @param worst what a failed case counts as: 0 for overlaps, e.g. the volume's diagonal for mm
 */
export function honestMean(values: readonly number[], worst: number): HonestMean {
  const finite = values.filter(Number.isFinite);
  const leftOut = values.length - finite.length;
  const sum = finite.reduce((total, value) => total + value, 0);
  return {
    mean: finite.length === 0 ? null : sum / finite.length,
    count: finite.length,
    leftOut,
    meanWithWorst: values.length === 0 ? null : (sum + leftOut * worst) / values.length,
    worst,
  };
}

/** Order statistics over all values, infinities included at the end where they belong. */
export interface FiveNumbers {
  readonly min: number;
  readonly lowerQuartile: number;
  readonly median: number;
  readonly upperQuartile: number;
  readonly max: number;
}

/** `null` for no values. NaN must not occur. */
export function fiveNumbers(values: readonly number[]): FiveNumbers | null {
  if (values.length === 0) return null;
  return {
    min: quantile(values, 0),
    lowerQuartile: quantile(values, 0.25),
    median: quantile(values, 0.5),
    upperQuartile: quantile(values, 0.75),
    max: quantile(values, 1),
  };
}
