import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countSet } from '../../../core/mask/count.ts';

describe('countSet', () => {
  it('is the sum of the voxels, at any offset and length', () => {
    const voxels = fc.uint8Array({ maxLength: 5000, max: 1 });
    fc.assert(
      fc.property(voxels, fc.nat({ max: 7 }), (data, offset) => {
        const shifted = new Uint8Array(data.length + offset);
        shifted.set(data, offset);
        expect(countSet(shifted.subarray(offset))).toBe(data.reduce((sum, v) => sum + v, 0));
      }),
    );
  });

  it('counts a full mask of more words than one sum holds', () => {
    expect(countSet(new Uint8Array(100_003).fill(1))).toBe(100_003);
  });
});
