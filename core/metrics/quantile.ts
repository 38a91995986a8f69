/**
 * The smallest value whose cumulative weight, in ascending order of value, reaches `fraction` of
 * the total: no interpolation (DeepMind's robust Hausdorff distance). Values are finite and >= 0.
 *
 * A histogram finds the bin that holds it, and only that bin is sorted. A cumulative weight that
 * equals the target up to rounding (1e-12) counts as having reached it.
 */
export function weightedQuantile(
  values: Float64Array,
  weights: Float64Array,
  fraction: number,
): number {
  let largest = 0;
  let total = 0;
  for (let n = 0; n < values.length; n++) {
    if (values[n]! > largest) largest = values[n]!;
    total += weights[n]!;
  }
  if (largest === 0) return 0;
  const target = fraction * total * (1 - 1e-12);
  const scale = (BINS - 1) / largest;
  const mass = new Float64Array(BINS);
  for (let n = 0; n < values.length; n++) {
    const bin = Math.floor(values[n]! * scale);
    mass[bin] = mass[bin]! + weights[n]!;
  }
  let bin = 0;
  let below = 0;
  while (bin < BINS - 1 && below + mass[bin]! < target) below += mass[bin++]!;
  const inside: number[] = [];
  for (let n = 0; n < values.length; n++) {
    if (Math.floor(values[n]! * scale) === bin) inside.push(n);
  }
  inside.sort((a, b) => values[a]! - values[b]!);
  for (const n of inside) {
    below += weights[n]!;
    if (below >= target) return values[n]!;
  }
  return largest;
}

const BINS = 4096;

/**
 * Quantile with linear interpolation between order statistics, as `torch.quantile` gives it for the
 * float32 distances that MONAI passes: the fraction is rounded to single precision, which moves the
 * result by up to a few 1e-6. `values` must not be empty.
 */
export function quantileFloat32(values: Float32Array, fraction: number): number {
  const sorted = values.slice().sort();
  const rank = Math.fround(fraction) * (sorted.length - 1);
  const lower = Math.floor(rank);
  const below = sorted[lower]!;
  const above = sorted[Math.min(lower + 1, sorted.length - 1)]!;
  return Math.fround(below + (rank - lower) * (above - below));
}

/** Quantile with linear interpolation (NumPy's default); NaN for no values. Keeps infinities. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = fraction * (sorted.length - 1);
  const lower = Math.floor(rank);
  const below = sorted[lower] ?? Number.NaN;
  const above = sorted[Math.ceil(rank)] ?? Number.NaN;
  // An infinite neighbour must not turn an exact order statistic into NaN (0 * inf).
  return rank === lower || below === above ? below : below + (rank - lower) * (above - below);
}
