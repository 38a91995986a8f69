/** An axis with whole steps. */
export interface Scale {
  readonly min: number;
  readonly max: number;
  readonly interval: number;
}

export interface ScaleOptions {
  readonly mostSteps?: number;
  /** What the axis spans at least, so that values that hardly differ are not blown up. */
  readonly leastSpan?: number;
  readonly from?: number;
  readonly to?: number;
}

const MANY_STEPS = 6;
/** For axes that have room for few numbers. */
export const FEW_STEPS = 4;
/** Smaller differences of Dice mean nothing. */
export const LEAST_DICE_SPAN = 0.02;

/** The smallest axis of whole steps that holds both values; within `from` and `to`. */
export function scaleAround(low: number, high: number, options: ScaleOptions = {}): Scale {
  const { mostSteps = MANY_STEPS, leastSpan = 1 } = options;
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = options;
  const missing = Math.max(0, leastSpan - (high - low)) / 2;
  const [start, end] = [Math.max(from, low - missing), Math.min(to, high + missing)];
  const span = end - start;
  const power = 10 ** Math.floor(Math.log10(span / mostSteps));
  for (const factor of [1, 2, 5, 10, 20]) {
    const interval = factor * power;
    const first = Math.floor(start / interval + 1e-9);
    const last = Math.ceil(end / interval - 1e-9);
    if (last - first > mostSteps) continue;
    // 3 * 0.1 is 0.30000000000000004, and would be printed so.
    const tidy = (steps: number): number => Number((steps * interval).toPrecision(12));
    return { min: tidy(first), max: tidy(last), interval: tidy(1) };
  }
  return { min: start, max: end, interval: span };
}

/** For shares and Dice: between 0 and 1. */
export const ratioScale = (low: number, high: number, mostSteps = MANY_STEPS): Scale =>
  scaleAround(low, high, { mostSteps, leastSpan: LEAST_DICE_SPAN, from: 0, to: 1 });
