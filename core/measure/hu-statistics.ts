import type { HuStatistics } from '../contract/measures.ts';

const FATTY_BELOW_HU = 40;

/**
 * Statistics of finite values, which are sorted in place; definitions stand at `HuStatistics`. Null
 * for none.
 */
export function huStatistics(values: Float32Array): HuStatistics | null {
  if (values.length === 0) return null;
  values.sort();
  const meanHu = sum(values, (value) => value) / values.length;
  const varianceHu2 = sum(values, (value) => (value - meanHu) ** 2) / values.length;
  return {
    voxels: values.length,
    meanHu,
    sdHu: Math.sqrt(varianceHu2),
    minHu: values[0]!,
    maxHu: values.at(-1)!,
    p05Hu: percentile(values, 0.05),
    p10Hu: percentile(values, 0.1),
    p25Hu: percentile(values, 0.25),
    medianHu: percentile(values, 0.5),
    p75Hu: percentile(values, 0.75),
    p90Hu: percentile(values, 0.9),
    p95Hu: percentile(values, 0.95),
    below40HuShare: countBelow(values, FATTY_BELOW_HU) / values.length,
  };
}

function sum(values: Float32Array, of: (value: number) => number): number {
  let total = 0;
  for (let n = 0; n < values.length; n++) total += of(values[n]!);
  return total;
}

/** numpy's `linear` method: the value at `share * (n - 1)` of the ascending values. */
function percentile(ascending: Float32Array, share: number): number {
  const at = share * (ascending.length - 1);
  const below = Math.floor(at);
  const [a, b] = [ascending[below]!, ascending[Math.min(below + 1, ascending.length - 1)]!];
  return a + (b - a) * (at - below);
}

/** By bisection. */
function countBelow(ascending: Float32Array, limit: number): number {
  let [from, to] = [0, ascending.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (ascending[middle]! < limit) from = middle + 1;
    else to = middle;
  }
  return from;
}
