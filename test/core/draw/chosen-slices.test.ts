import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { QualityFlag } from '../../../core/contract/report.ts';
import {
  chooseGallerySlices,
  chooseMontageSlices,
  type MontageFacts,
} from '../../../core/draw/chosen-slices.ts';
import { sampleRecord, sampleReport } from '../report/sample.ts';

function facts(
  slices: number,
  first: number,
  last: number,
  flags: QualityFlag[] = [],
): MontageFacts {
  return {
    comparison: null,
    flags,
    slices: Array.from({ length: slices }, (_, index) => ({
      ...sampleRecord(index),
      camAreaPx: null,
      maskVoxels: index >= first && index <= last ? 50 : 0,
    })),
  };
}

const flag = (severity: QualityFlag['severity'], ...slices: number[]): QualityFlag => ({
  code: 'slice-jump',
  severity,
  message: '',
  slices,
});

describe('chooseMontageSlices', () => {
  it('covers the extent of the mask evenly, both ends included', () => {
    expect(chooseMontageSlices(facts(100, 20, 60), 5)).toEqual([20, 30, 40, 50, 60]);
  });

  it('shows every slice of the extent where they are few', () => {
    expect(chooseMontageSlices(facts(30, 7, 10), 16)).toEqual([7, 8, 9, 10]);
  });

  it('leaves out what the gate let through and what the clean-up took away', () => {
    const { slices, ...report } = facts(100, 0, 99);
    const passed = slices.map((slice) => ({ ...slice, camAreaPx: 9 }));
    const voxelsPerSlice = slices.map(({ index }) => (index >= 40 && index <= 44 ? 50 : 0));
    const chosen = chooseMontageSlices({ ...report, slices: passed, voxelsPerSlice }, 16);
    expect(chosen).toEqual([40, 41, 42, 43, 44]);
    const nothing = voxelsPerSlice.map(() => 0);
    const gated = passed.map((s) => (s.index < 30 ? { ...s, camAreaPx: null } : s));
    expect(chooseMontageSlices({ ...report, slices: gated, voxelsPerSlice: nothing }, 8)[0]).toBe(
      30,
    );
  });

  it('shows the whole scan in steps where nothing was found', () => {
    expect(chooseMontageSlices(facts(41, 1, 0), 5)).toEqual([0, 10, 20, 30, 40]);
  });

  it('puts what needs review before notes, from every flag in turn', () => {
    const chosen = chooseMontageSlices(
      facts(100, 20, 60, [flag('info', 90), flag('review', 1), flag('review', 5)]),
      4,
    );
    expect(chosen).toEqual([1, 5, 20, 60]);
  });

  it('shows the slice with the worst Dice', () => {
    const report = sampleReport();
    const { panel } = report.comparison!;
    const sliceDice = panel.sliceDice.map((_, index) => (index === 6 ? 0.1 : 0.9));
    const comparison = { ...report.comparison!, panel: { ...panel, sliceDice } };
    expect(chooseMontageSlices({ ...report, flags: [], comparison }, 3)).toContain(6);
  });

  it('is ascending, unique, within the scan and never longer than asked for', () => {
    const anyFlag = fc
      .tuple(fc.constantFrom('info' as const, 'review' as const), fc.array(fc.nat(59)))
      .map(([severity, slices]) => flag(severity, ...new Set(slices.sort((a, b) => a - b))));
    fc.assert(
      fc.property(
        fc.nat(59),
        fc.nat(59),
        fc.array(anyFlag),
        fc.integer({ min: 1, max: 24 }),
        (a, b, flags, count) => {
          const [first, last] = [Math.min(a, b), Math.max(a, b)];
          const chosen = chooseMontageSlices(facts(60, first, last, flags), count);
          expect(chosen).toEqual([...new Set(chosen)].sort((x, y) => x - y));
          expect(chosen.length).toBeGreaterThanOrEqual(Math.min(count, last - first + 1));
          expect(chosen.length).toBeLessThanOrEqual(count);
          expect(chosen.every((index) => index >= 0 && index < 60)).toBe(true);
        },
      ),
    );
  });
});

describe('chooseGallerySlices', () => {
  const panel = sampleReport().comparison!.panel;
  const report = (sliceDice: (number | null)[], prediction: number[], label: number[]) =>
    sampleReport({
      voxelsPerSlice: prediction,
      comparison: {
        ...sampleReport().comparison!,
        panel: { ...panel, sliceDice, sliceVoxels: { prediction, label } },
      },
    });

  it('takes the slice with most voxels in one of mask and label only, then the largest section', () => {
    // Errors in voxels: 0, 40, 60, 9; the lowest Dice is of a small slice.
    const chosen = chooseGallerySlices(
      report([1, 0.8, 0.5, 0.1], [200, 100, 60, 1], [200, 100, 60, 9]),
    );
    expect(chosen).toEqual([
      { slice: 2, shows: ['largest-error'] },
      { slice: 0, shows: ['largest-section'] },
    ]);
  });

  it('shows one slice once', () => {
    expect(
      chooseGallerySlices(report([null, 0.5, 1, null], [0, 90, 80, 0], [0, 90, 80, 0])),
    ).toEqual([{ slice: 1, shows: ['largest-error', 'largest-section'] }]);
  });

  it('goes by the final mask, not by what was drawn before the clean-up', () => {
    const slices = sampleReport().slices.map((one, at) => ({ ...one, maskVoxels: at }));
    const voxelsPerSlice = slices.map((_, at) => (at === 4 ? 7 : 0));
    const facts = sampleReport({ slices, voxelsPerSlice, comparison: null });
    expect(chooseGallerySlices(facts)).toEqual([{ slice: 4, shows: ['largest-section'] }]);
  });

  it('takes the middle slice where nothing was found and nothing was there', () => {
    const slices = sampleReport().slices.map((one) => ({ ...one, maskVoxels: 0 }));
    const facts = sampleReport({ slices, comparison: null });
    expect(chooseGallerySlices(facts)).toEqual([{ slice: 6, shows: ['largest-section'] }]);
  });
});
