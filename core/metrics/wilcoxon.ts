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
