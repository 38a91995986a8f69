import { createRandom } from '../random.ts';
import { quantile } from './quantile.ts';

/** A point estimate and its percentile interval. */
export interface Interval {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

export interface BootstrapOptions {
  /** Resamples; 2000 unless told. */
  readonly draws?: number;
  /** Share of resamples inside the interval; 0.95 unless told. */
  readonly confidence?: number;
  /** Same seed, same interval, on every machine. */
  readonly seed?: number;
}

/**
 * Percentile bootstrap over patients: patients are drawn with replacement and `statistic` is taken
 * of the drawn ones. Pass one entry per patient, holding all of its scans or slices; resampling
 * slices would pretend that neighbours are independent. NaN throughout for no patients; resamples
 * whose statistic is NaN (an AUC without positives) are left out of the quantiles.
 */
export function bootstrapInterval<Patient>(
  patients: readonly Patient[],
  statistic: (drawn: readonly Patient[]) => number,
  options: BootstrapOptions = {},
): Interval {
  const { draws = 2000, confidence = 0.95, seed = 0 } = options;
  const estimate = statistic(patients);
  if (patients.length === 0) return { estimate, lower: Number.NaN, upper: Number.NaN };
  const random = createRandom(seed);
  const values: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    const value = statistic(
      Array.from(patients, () => patients[random.integer(0, patients.length - 1)]!),
    );
    if (!Number.isNaN(value)) values.push(value);
  }
  const tail = (1 - confidence) / 2;
  return { estimate, lower: quantile(values, tail), upper: quantile(values, 1 - tail) };
}

/** The interval of mean(a - b), patients drawn as pairs. */
export function pairedDifference(
  a: readonly number[],
  b: readonly number[],
  options: BootstrapOptions = {},
): Interval {
  requirePairs(a, b);
  const differences = a.map((value, n) => value - b[n]!);
  return bootstrapInterval(differences, mean, options);
}

/** Two values per patient, or none of this makes sense. */
export function requirePairs(a: readonly number[], b: readonly number[]): void {
  if (a.length !== b.length) {
    throw new RangeError(`paired samples need equal lengths, got ${a.length} and ${b.length}`);
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
