import { describe, expect, it } from 'vitest';
import { kolmogorovSmirnov } from '../../../core/evaluation/statistics.ts';
import golden from '../../golden/evaluation/ks.json' with { type: 'json' };
import { expectClose } from '../metrics/tolerance.ts';

describe('two-sample Kolmogorov-Smirnov', () => {
  it.each(golden.golden)(
    'equals scipy 1.17.1, exact (p $pValue)',
    ({ a, b, statistic, pValue }) => {
      const ours = kolmogorovSmirnov(a, b)!;
      expectClose(ours.statistic, statistic, 'statistic', 1e-12);
      expectClose(ours.pValue, pValue, 'p', 1e-9);
      const swapped = kolmogorovSmirnov(b, a)!;
      expectClose(swapped.statistic, ours.statistic, 'statistic, samples swapped', 1e-15);
      expectClose(swapped.pValue, ours.pValue, 'p, samples swapped', 1e-12);
    },
  );

  it('finds nothing between a sample and itself, and has no answer for an empty one', () => {
    expect(kolmogorovSmirnov([3, 1, 2], [1, 2, 3])).toEqual({ statistic: 0, pValue: 1 });
    expect(kolmogorovSmirnov([], [1])).toBeUndefined();
  });
});
