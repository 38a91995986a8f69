import { describe, expect, it } from 'vitest';
import { boundingBox, cropMask } from '../../../core/mask/bounds.ts';
import {
  PAPER_SLICE_SIZE_PX,
  type PaperCaseMeans,
  paperMeans,
} from '../../../core/metrics/paper.ts';
import { maskToSquare } from '../../../core/slice/letterbox.ts';
import type { CroppedMask, Grid, MaskVolume } from '../../../core/volume/grid.ts';
import golden from '../../golden/evaluation/paper.json' with { type: 'json' };
import { ruleMask, type Step, type Triple } from './rule-masks.ts';
import { expectClose } from './tolerance.ts';

const cases = golden.golden.map((one) => ({
  ...one,
  masks: (['prediction', 'label'] as const).map((kind) =>
    ruleMask(
      one.shape as unknown as Triple,
      one.spacing as unknown as Triple,
      one[kind] as unknown as Step[],
    ),
  ) as [MaskVolume, MaskVolume],
}));

const means = (
  prediction: CroppedMask | undefined,
  label: CroppedMask | undefined,
  grid: Grid,
): PaperCaseMeans =>
  paperMeans(prediction, label, grid.slices, maskToSquare(grid, PAPER_SLICE_SIZE_PX));

const crop = (mask: MaskVolume) => {
  const box = boundingBox(mask);
  return box && cropMask(mask, box);
};

describe('protocol paper of a case', () => {
  it.each(cases)('resampled by Pillow, measured by SciPy: $slices slices of $shape', (one) => {
    const [prediction, label] = one.masks;
    const ours = means(crop(prediction), crop(label), label.grid);
    expect(ours.slices).toBe(one.slices);
    expectClose(ours.dice!, one.dice, 'Dice', 1e-9);
    expectClose(ours.hausdorffPx!, one.hausdorffPx, 'Hausdorff', 1e-9);
  });

  it('a missed liver costs Dice 0 and the slice diagonal; no liver gives no slices', () => {
    const [prediction, label] = cases[0]!.masks;
    expect(means(undefined, crop(label), label.grid)).toEqual({
      slices: cases[0]!.slices,
      dice: 0,
      hausdorffPx: 362,
    });
    const none = { slices: 0, dice: null, hausdorffPx: null };
    expect(means(crop(prediction), undefined, label.grid)).toEqual(none);
  });

  // ceil(c - .3c) .. floor(c + .3c) - 1 with c = (D - 1) / 2, by hand.
  it.each([
    [101, 30],
    [100, 29],
    [5, 0],
    [7, 0],
    [20, 5],
    [1, 0],
  ])('of %i slices takes the %i in the middle, the last one left out', (slices, middle) => {
    const label = ruleMask([slices, 16, 16], [2, 1, 1], [{ box: [0, slices, 4, 9, 4, 9] }]);
    expect(means(crop(label), crop(label), label.grid).slices).toBe(middle);
  });

  it('scores an empty prediction of a slice at 0 and 362 px', () => {
    const shape = [20, 256, 256] as const;
    const label = ruleMask(shape, [2, 1, 1], [{ box: [0, 10, 10, 20, 10, 20] }]);
    const prediction = ruleMask(shape, [2, 1, 1], [{ box: [0, 9, 10, 20, 13, 20] }]);
    const ours = means(crop(prediction), crop(label), label.grid);
    expect(ours.slices).toBe(3);
    expectClose(ours.dice!, (2 * (140 + 1e-6)) / (170 + 1e-6) / 3, 'Dice', 1e-12);
    expectClose(ours.hausdorffPx!, (3 + 3 + 362) / 3, 'Hausdorff', 1e-12);
  });

  it('measures regions: the middle of a disc is far from a ring', () => {
    const shape = [13, 256, 256] as const;
    const ellipsoid = [6, 120, 120, 1e6, 20, 20] as const;
    const disc = ruleMask(shape, [1, 1, 1], [{ ellipsoid }]);
    const ring = ruleMask(
      shape,
      [1, 1, 1],
      [{ ellipsoid }, { clear: [0, 13, 110, 131, 110, 131] }],
    );
    for (const [a, b] of [
      [disc, ring],
      [ring, disc],
    ] as const)
      expect(means(crop(a), crop(b), disc.grid).hausdorffPx).toBe(11);
  });
});
