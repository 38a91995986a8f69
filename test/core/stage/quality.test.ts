import { describe, expect, it } from 'vitest';
import type { SliceRecord } from '../../../core/contract/manifest.ts';
import { type QualityInput, qualityFlags } from '../../../core/stage/quality.ts';

const slice = (index: number, changes: Partial<SliceRecord> = {}): SliceRecord => ({
  index,
  probability: 0.9,
  camAreaPx: 100,
  camEmpty: false,
  box: [0, 0, 9, 9],
  predictedIou: 0.9,
  camMaskIou: 0.6,
  maskVoxels: 100,
  ...changes,
});

/** Ten unremarkable slices of an organ that grows and shrinks. */
const areas = [0, 20, 40, 75, 110, 110, 75, 40, 20, 0];
const plain = (changes: Partial<QualityInput> = {}): QualityInput => ({
  target: 'liver',
  slices: areas.map((maskVoxels, index) => slice(index, { maskVoxels })),
  voxelsPerSlice: areas,
  sliceSpacingMm: 3,
  touches: { ends: false, sides: false },
  strayShare: 0,
  components: 1,
  problems: [],
  ...changes,
});
const codes = (input: QualityInput): string[] => qualityFlags(input).map((flag) => flag.code);

describe('quality flags', () => {
  it('are silent on an unremarkable case', () => {
    expect(codes(plain())).toEqual([]);
  });

  it('name the slices between which the area jumps', () => {
    const voxelsPerSlice = [0, 20, 40, 75, 30, 110, 75, 40, 20, 0];
    const [flag] = qualityFlags(plain({ voxelsPerSlice }));
    expect(flag).toMatchObject({ code: 'slice-jump', severity: 'review', slices: [3, 4] });
  });

  it('allow thick slices a larger change and the poles any', () => {
    const voxelsPerSlice = [0, 20, 50, 100, 110, 110, 60, 20, 5, 0];
    expect(codes(plain({ voxelsPerSlice, sliceSpacingMm: 1 }))).toContain('slice-jump');
    expect(codes(plain({ voxelsPerSlice, sliceSpacingMm: 10 }))).toEqual([]);
  });

  it.each([
    [{ voxelsPerSlice: areas.map(() => 0) }, 'no-liver-found'],
    [{ target: 'spleen', voxelsPerSlice: areas.map(() => 0) }, 'nothing-found'],
    [{ touches: { ends: true, sides: false } }, 'touches-border'],
    [{ components: 3, strayShare: 0.05 }, 'several-components'],
  ] satisfies [Partial<QualityInput>, string][])('%j raises %s', (changes, code) => {
    expect(codes(plain(changes))).toEqual([code]);
  });

  it('do not mind a few stray voxels', () => {
    expect(codes(plain({ components: 3, strayShare: 0.01 }))).toEqual([]);
  });

  it('grade the decoder and the CAM by how many slices are concerned', () => {
    const doubtful = (count: number, changes: Partial<SliceRecord>) => {
      // The first slice has no mask: it is left out wherever there is something to doubt.
      const slices = areas.map((_, index) => slice(index, index <= count ? changes : {}));
      return qualityFlags(plain({ slices }));
    };
    const low = { predictedIou: 0.5 };
    expect(doubtful(0, low)).toEqual([]);
    expect(doubtful(1, low)).toMatchObject([
      { code: 'low-predicted-iou', severity: 'info', slices: [1] },
    ]);
    expect(doubtful(1, low)[0]!.message).toMatch(/in 1 slice\./);
    expect(doubtful(5, low)).toMatchObject([{ severity: 'review', slices: [1, 2, 3, 4, 5] }]);
    expect(doubtful(5, { camMaskIou: 0.05 })).toMatchObject([
      { code: 'cam-disagreement', severity: 'review' },
    ]);
    expect(doubtful(1, { camEmpty: true })).toMatchObject([
      { code: 'cam-empty', severity: 'info' },
    ]);
    expect(doubtful(5, { camEmpty: true })).toMatchObject([{ severity: 'review' }]);
  });

  it('carry the warnings of the preflight', () => {
    const problem = {
      code: 'oblique',
      severity: 'warning' as const,
      message: 'axes are tilted',
      remedy: 'Resample.',
    };
    expect(qualityFlags(plain({ problems: [problem] }))).toMatchObject([
      { code: 'input-warning', message: 'axes are tilted. Resample.' },
    ]);
  });
});
