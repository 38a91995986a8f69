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
