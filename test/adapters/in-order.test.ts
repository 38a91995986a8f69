import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inOrder } from '../../adapters/in-order.ts';

describe('inOrder', () => {
  it('gives everything out in order, with no more at once than asked', async () => {
    const waits = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(waits, fc.integer({ min: 1, max: 8 }), async (items, atOnce) => {
        let [open, most] = [0, 0];
        const loaded: number[] = [];
        const load = async (n: number): Promise<number> => {
          open += 1;
          most = Math.max(most, open);
          for (let turn = 0; turn < items[n]!; turn++) await Promise.resolve();
          open -= 1;
          return n;
        };
        for await (const n of inOrder([...items.keys()], atOnce, load)) loaded.push(n);
        expect(loaded).toEqual([...items.keys()]);
        expect(most).toBeLessThanOrEqual(atOnce);
      }),
    );
  });

  it('throws in its turn what a load has thrown', async () => {
    const seen: number[] = [];
    const all = async () => {
      const load = async (n: number) => (n === 2 ? Promise.reject(new Error('no')) : n);
      for await (const n of inOrder([0, 1, 2, 3], 4, load)) seen.push(n);
    };
    await expect(all()).rejects.toThrow('no');
    expect(seen).toEqual([0, 1]);
  });
});
