import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../core/random.ts';
import golden from '../golden/random/sfc32.json' with { type: 'json' };

describe('sfc32', () => {
  it.each(Object.entries(golden))(
    'draws what the published algorithm draws for seed %s',
    (seed, draws) => {
      const random = createRandom(Number(seed));
      expect(draws.map(() => random.uint32())).toEqual(draws);
    },
  );

  it('spreads evenly: chi-square of 64 bins is within its 99.9 % range', () => {
    const random = createRandom(7);
    const bins = new Array<number>(64).fill(0);
    for (let n = 0; n < 64_000; n += 1) bins[random.integer(0, 63)]! += 1;
    const chiSquare = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeGreaterThan(32);
    expect(chiSquare).toBeLessThan(104);
  });

  it('keeps to the asked range', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer(), fc.nat(1000), (seed, min, width) => {
        const random = createRandom(seed);
        const whole = random.integer(min, min + width);
        const real = random.uniform(min, min + width + 1);
        return (
          Number.isInteger(whole) &&
          whole >= min &&
          whole <= min + width &&
          real >= min &&
          real < min + width + 1
        );
      }),
    );
  });

  it('forks into streams that do not depend on what the parent draws later', () => {
    const first = createRandom(3);
    const second = createRandom(3);
    const fork = first.fork();
    const same = second.fork();
    second.uint32();
    expect([fork.next(), fork.next()]).toEqual([same.next(), same.next()]);
    expect(fork.uint32()).not.toBe(first.uint32());
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('refuses seed %s', (seed) => {
    expect(() => createRandom(seed)).toThrow(RangeError);
  });
});
