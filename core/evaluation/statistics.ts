import { quantile } from '../metrics/quantile.ts';

/** Two-sided Wilcoxon signed-rank test of paired samples. */
export interface WilcoxonResult {
  /** The smaller of the two rank sums. */
  readonly statistic: number;
  /** 1 where all differences are zero. */
  readonly pValue: number;
  /** Differences that are not zero (zeros are dropped, Wilcoxon's own rule). */
  readonly pairs: number;
  readonly method: 'exact' | 'normal';
}

/** Exact up to here where no differences tie or vanish; beyond it the normal approximation holds. */
const EXACT_PAIRS = 25;

/**
 * Tests whether paired values differ. Exact distribution for up to 25 pairs without ties or zero
 * differences, otherwise the normal approximation with tie correction and no continuity correction
 * (scipy.stats.wilcoxon, zero_method "wilcox").
 */
export function wilcoxonSignedRank(a: readonly number[], b: readonly number[]): WilcoxonResult {
  if (a.length !== b.length)
    throw new RangeError(`paired samples need equal lengths, got ${a.length} and ${b.length}`);
  const differences = a.map((value, n) => value - b[n]!).filter((difference) => difference !== 0);
  const pairs = differences.length;
  if (pairs === 0) return { statistic: 0, pValue: 1, pairs, method: 'exact' };
  const { positiveSum, tieTerm } = signedRanks(differences);
  const statistic = Math.min(positiveSum, (pairs * (pairs + 1)) / 2 - positiveSum);
  if (tieTerm === 0 && pairs === a.length && pairs <= EXACT_PAIRS) {
    return { statistic, pValue: exactP(statistic, pairs), pairs, method: 'exact' };
  }
  const expected = (pairs * (pairs + 1)) / 4;
  const variance = (pairs * (pairs + 1) * (2 * pairs + 1)) / 24 - tieTerm / 48;
  const z = (statistic - expected) / Math.sqrt(variance);
  return { statistic, pValue: Math.min(1, 2 * normalTail(-z)), pairs, method: 'normal' };
}

/** Sum of the ranks of positive differences, and the sum of t^3 - t over groups of t ties. */
function signedRanks(differences: readonly number[]): { positiveSum: number; tieTerm: number } {
  const sorted = [...differences].sort((a, b) => Math.abs(a) - Math.abs(b));
  let positiveSum = 0;
  let tieTerm = 0;
  for (let start = 0; start < sorted.length; ) {
    let end = start + 1;
    while (end < sorted.length && Math.abs(sorted[end]!) === Math.abs(sorted[start]!)) end++;
    const rank = (start + 1 + end) / 2;
    positiveSum += rank * sorted.slice(start, end).filter((difference) => difference > 0).length;
    const ties = end - start;
    tieTerm += ties ** 3 - ties;
    start = end;
  }
  return { positiveSum, tieTerm };
}

/** 2 P(W <= statistic), by counting the sign patterns that reach each rank sum. */
function exactP(statistic: number, pairs: number): number {
  const ways = new Float64Array((pairs * (pairs + 1)) / 2 + 1);
  ways[0] = 1;
  for (let rank = 1; rank <= pairs; rank++) {
    for (let sum = ways.length - 1; sum >= rank; sum--) ways[sum]! += ways[sum - rank]!;
  }
  let below = 0;
  for (let sum = 0; sum <= statistic; sum++) below += ways[sum]!;
  return Math.min(1, (2 * below) / 2 ** pairs);
}

/**
 * P(Z > z) for z >= 0: series for the body, continued fraction for the tail (Abramowitz and Stegun
 * 26.2.11 and 26.2.14), to about 1e-14.
 */
function normalTail(z: number): number {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z < 3) {
    let term = z;
    let sum = z;
    for (let n = 3; Math.abs(term) > 1e-17 * Math.abs(sum); n += 2) {
      term *= (z * z) / n;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = z;
  for (let n = 200; n >= 1; n--) fraction = z + n / fraction;
  return density / fraction;
}

/** Two-sample, two-sided Kolmogorov-Smirnov test. */
export interface KolmogorovSmirnovResult {
  /** Largest distance of the two empirical distributions, in [0, 1]. */
  readonly statistic: number;
  readonly pValue: number;
}

/**
 * Tests whether two samples come from one distribution; exact p-value, the share of all interleavings
 * of both samples whose statistic is as large (scipy.stats.ks_2samp, method "exact"; with ties it is
 * conservative). Time: product of the sizes. `undefined` where a sample is empty.
 */
export function kolmogorovSmirnov(
  a: readonly number[],
  b: readonly number[],
): KolmogorovSmirnovResult | undefined {
  if (a.length === 0 || b.length === 0) return undefined;
  const distance = largestDistance(a, b);
  return {
    statistic: distance / (a.length * b.length),
    pValue: distance === 0 ? 1 : Math.min(1, shareAsFar(a.length, b.length, distance)),
  };
}

/** max |i m - j n| over values, i of the n and j of the m not being above: the statistic times n m. */
function largestDistance(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [Float64Array.from(a).sort(), Float64Array.from(b).sort()];
  let [i, j, largest] = [0, 0, 0];
  while (i < x.length && j < y.length) {
    const value = Math.min(x[i]!, y[j]!);
    while (i < x.length && x[i] === value) i++;
    while (j < y.length && y[j] === value) j++;
    largest = Math.max(largest, Math.abs(i * y.length - j * x.length));
  }
  return largest;
}

/**
 * The share of lattice paths from (0, 0) to (n, m) that touch |i m - j n| >= distance. The last step
 * of a random path to (i, j) came from (i - 1, j) with probability i / (i + j); only sums of positive
 * terms, so small p-values keep their digits.
 */
function shareAsFar(n: number, m: number, distance: number): number {
  const share = new Float64Array(m + 1);
  for (let i = 0; i <= n; i++)
    for (let j = 0; j <= m; j++) {
      if (Math.abs(i * m - j * n) >= distance) share[j] = 1;
      else if (i + j === 0) share[j] = 0;
      else share[j] = (i * share[j]! + (j === 0 ? 0 : j * share[j - 1]!)) / (i + j);
    }
  return share[m]!;
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
