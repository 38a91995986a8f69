import { describe, expect, it } from 'vitest';
import { EvaluatedCase } from '../../../core/contract/evaluated-case.ts';
import { METRIC_DEFINITIONS } from '../../../core/contract/panel.ts';
import type { SegmentedReport } from '../../../core/contract/report.ts';
import { evaluatedCase } from '../../../core/evaluation/rows.ts';
import { FIRST, LAST, SLICES, sampleFailure, sampleReport } from '../report/sample.ts';

const facts = { labelVersion: 'label-1' };

function withSliceVoxels(prediction: number[], label: number[]): SegmentedReport {
  const report = sampleReport();
  const { panel } = report.comparison!;
  const comparison = {
    ...report.comparison!,
    panel: { ...panel, sliceVoxels: { prediction, label } },
  };
  return { ...report, comparison };
}

describe('the row of a case', () => {
  it('holds what the report measured, and is valid', () => {
    const report = sampleReport();
    const row = evaluatedCase(report, { ...facts, patientId: 'p1' });
    expect(EvaluatedCase.parse(JSON.parse(JSON.stringify(row)))).toEqual(row);
    expect(Object.keys(row.metrics!)).toEqual(Object.keys(METRIC_DEFINITIONS));
    expect(row).toMatchObject({
      caseId: report.caseId,
      patientId: 'p1',
      status: 'compared',
      // The version that was compared with counts, not the one that the caller has by now.
      labelVersion: report.comparison!.labelVersion,
      liverSliceRecall: 1,
      liverFreeSliceSpecificity: 1,
    });
    const positives = row.scores.flatMap(({ positive }, k) => (positive ? [k] : []));
    expect([positives[0], positives.at(-1), row.scores.length]).toEqual([FIRST, LAST, SLICES]);
  });

  it('counts slices that the mask reaches, and slices that it leaves alone', () => {
    const row = evaluatedCase(
      withSliceVoxels([0, 0, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 3, 3, 3, 3, 0, 0, 0, 0, 0]),
      facts,
    );
    expect(row.liverSliceRecall).toBe(2 / 4);
    expect(row.liverFreeSliceSpecificity).toBe(7 / 8);
  });

  it('has no share of what does not occur', () => {
    const nothing = new Array<number>(SLICES).fill(0);
    const row = evaluatedCase(withSliceVoxels(nothing, nothing), facts);
    expect([row.liverSliceRecall, row.liverFreeSliceSpecificity]).toEqual([null, 1]);
  });

  it('keeps the reason where there is no mask or no use of the label', () => {
    const failure = sampleFailure();
    expect(evaluatedCase(failure, facts)).toMatchObject({
      status: 'failed',
      patientId: failure.caseId,
      fault: failure.fault,
      labelVersion: 'label-1',
      metrics: null,
      scores: [],
    });
    const unusable = { ...sampleReport(), comparison: null, comparisonFault: failure.fault };
    expect(evaluatedCase(unusable, facts)).toMatchObject({
      status: 'label-unusable',
      fault: failure.fault,
      labelVersion: 'label-1',
      scores: [],
    });
  });

  it('is unlabelled where no label was given', () => {
    const report = { ...sampleReport(), comparison: null, comparisonFault: null };
    const row = evaluatedCase(report, { labelVersion: null });
    expect(row).toMatchObject({ status: 'unlabelled', labelVersion: null, metrics: null });
    expect(row.predictionVolumeMl).toBe(report.volumeMl);
  });
});
