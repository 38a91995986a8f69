import { describe, expect, it } from 'vitest';
import { GeometryError } from '../../../core/errors.ts';
import {
  centralSlices,
  paperSlices,
  regionHausdorffPx,
  toPaperGrid,
} from '../../../core/metrics/paper.ts';
import { emptyMask, ruleMask } from './rule-masks.ts';
import { expectClose } from './tolerance.ts';

describe('central slices', () => {
  // ceil(c - .3c) .. floor(c + .3c) - 1 with c = (D - 1) / 2, by hand.
  it.each([
    [101, 35, 65],
    [100, 35, 64],
    [5, 2, 2],
    [1, 0, 0],
  ])('%i slices: %i to before %i', (slices, start, end) => {
    expect(centralSlices(slices)).toEqual({ start, end });
  });
});

describe('paper protocol', () => {
  const shape = [20, 256, 256] as const;

  it('scores label-positive central slices only, an empty prediction at 0 and 362 px', () => {
    const label = ruleMask(shape, [2, 1, 1], [{ box: [0, 10, 10, 20, 10, 20] }]);
    const prediction = ruleMask(shape, [2, 1, 1], [{ box: [0, 9, 10, 20, 13, 20] }]);
    const slices = paperSlices(prediction, label);
    expect(slices.map((s) => s.slice)).toEqual([7, 8, 9]);
    expectClose(slices[0]!.dice, (140 + 1e-6) / (170 + 1e-6), 'dice', 1e-12);
    expect(slices[0]!.hausdorffPx).toBe(3);
    expect(slices[2]).toEqual({ slice: 9, dice: 0, hausdorffPx: 362, emptyPrediction: true });
  });

  it('measures regions: the middle of a disc is far from a ring', () => {
    const disc = ruleMask([1, 64, 64], [1, 1, 1], [{ ellipsoid: [0, 30, 30, 1, 20, 20] }]);
    const ring = ruleMask(
      [1, 64, 64],
      [1, 1, 1],
      [{ ellipsoid: [0, 30, 30, 1, 20, 20] }, { clear: [0, 1, 20, 41, 20, 41] }],
    );
    expect(regionHausdorffPx(disc, ring)).toBe(11);
    expect(regionHausdorffPx(ring, disc)).toBe(11);
  });

  it('asks for 256 x 256 and brings masks there', () => {
    const native = ruleMask([3, 512, 128], [2, 0.5, 2], [{ box: [0, 3, 100, 200, 40, 80] }]);
    expect(() => paperSlices(native, native)).toThrow(GeometryError);
    const resampled = toPaperGrid(native);
    expect(resampled.grid).toEqual({
      columns: 256,
      rows: 256,
      slices: 3,
      spacingMm: { slice: 2, row: 1, column: 1 },
    });
    const expected = ruleMask([3, 256, 256], [2, 1, 1], [{ box: [0, 3, 50, 100, 80, 160] }]);
    expect(Buffer.compare(resampled.data, expected.data)).toBe(0);
  });

  it('is infinite where one region is empty and 0 where both are', () => {
    const [none, one] = [emptyMask([1, 4, 4]), emptyMask([1, 4, 4])];
    one.data[5] = 1;
    expect(regionHausdorffPx(none, one)).toBe(Number.POSITIVE_INFINITY);
    expect(regionHausdorffPx(none, none)).toBe(0);
  });
});
