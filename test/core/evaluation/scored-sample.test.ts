import { describe, expect, it } from 'vitest';
import { isSampled, keepsScores } from '../../../core/evaluation/scored-sample.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `case-${n}`);

describe('the sample of cases whose slices are kept', () => {
  it('is all of them while they are few', () => {
    expect(isSampled(5000)).toBe(false);
    expect(names(200).every((name) => keepsScores(name, 5000))).toBe(true);
  });

  it('has about five thousand of any number, and the same of a larger set', () => {
    const all = names(40_000);
    const kept = all.filter((name) => keepsScores(name, all.length));
    // Five standard deviations of a binomial with that mean.
    expect(Math.abs(kept.length - 5000)).toBeLessThan(5 * Math.sqrt(5000));
    const larger = kept.filter((name) => keepsScores(name, 80_000));
    expect(larger.length).toBeGreaterThan(2000);
    expect(
      all.filter((name) => keepsScores(name, 80_000)).every((name) => kept.includes(name)),
    ).toBe(true);
  });
});
