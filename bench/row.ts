/** One comparison. Ratios, never seconds: machines differ, and so does one machine from hour to hour. */
export interface BenchRow {
  readonly name: string;
  readonly peer: string;
  /** Median over the paired runs; what is divided by what stands in the name. */
  readonly ratio: number;
  readonly min: number;
  readonly max: number;
  readonly goal: string;
  readonly met: boolean;
  /** Paired runs. */
  readonly n: number;
}

export interface Goal {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export function row(name: string, peer: string, ratios: readonly number[], goal: Goal): BenchRow {
  const sorted = [...ratios].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const ratio = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = goal;
  return {
    name,
    peer,
    ratio: round(ratio),
    min: round(sorted[0]!),
    max: round(sorted.at(-1)!),
    goal: goal.atLeast === undefined ? `<= ${goal.atMost}` : `>= ${goal.atLeast}`,
    met: ratio >= atLeast && ratio <= atMost,
    n: sorted.length,
  };
}

const round = (value: number): number => Number(value.toPrecision(4));
