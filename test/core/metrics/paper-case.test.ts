import { describe, expect, it } from 'vitest';
import { boundingBox, cropMask } from '../../../core/mask/bounds.ts';
import { paperMeans } from '../../../core/metrics/paper.ts';
import type { MaskVolume } from '../../../core/volume/grid.ts';
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

const crop = (mask: MaskVolume) => {
  const box = boundingBox(mask);
  return box && cropMask(mask, box);
};

describe('protocol paper of a case', () => {
  it.each(cases)('resampled by Pillow, measured by SciPy: $slices slices of $shape', (one) => {
    const [prediction, label] = one.masks;
    const ours = paperMeans(crop(prediction), crop(label), label.grid);
    expect(ours.slices).toBe(one.slices);
    expectClose(ours.dice!, one.dice, 'Dice', 1e-9);
    expectClose(ours.hausdorffPx!, one.hausdorffPx, 'Hausdorff', 1e-9);
  });

  it('a missed liver costs Dice 0 and the slice diagonal; no liver gives no slices', () => {
    const [prediction, label] = cases[0]!.masks;
    expect(paperMeans(undefined, crop(label), label.grid)).toEqual({
      slices: cases[0]!.slices,
      dice: 0,
      hausdorffPx: 362,
    });
    const none = { slices: 0, dice: null, hausdorffPx: null };
    expect(paperMeans(crop(prediction), undefined, label.grid)).toEqual(none);
  });
});
