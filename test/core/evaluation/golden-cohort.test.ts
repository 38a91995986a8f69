import { describe, expect, it } from 'vitest';
import {
  type EstimateInterval,
  Evaluation,
  type EvaluationComparison,
} from '../../../core/contract/evaluation.ts';
import golden from '../../golden/evaluation/cohort.json' with { type: 'json' };
import { expectClose } from '../metrics/tolerance.ts';
import { evaluate, metricOf, type RowFacts, row } from './rows.ts';

const { golden: expected } = golden;
const rows = (given: readonly object[]) => (given as RowFacts[]).map(row);

function expectInterval(ours: EstimateInterval, theirs: object, what: string): void {
  for (const end of ['estimate', 'lower', 'upper'] as const) {
    expectClose(ours[end]!, (theirs as Record<typeof end, number>)[end], `${what} ${end}`, 1e-12);
  }
}

describe('a cohort against NumPy 2.4.6, SciPy 1.17.1 and scikit-learn 1.9.1', () => {
  const evaluation = evaluate(rows(expected.cases));

  it('is a valid evaluation that counts every case', () => {
    expect(Evaluation.parse(JSON.parse(JSON.stringify(evaluation)))).toEqual(evaluation);
    expect(evaluation.counts).toEqual({
      'both-empty': 0,
      compared: 21,
      missed: 1,
      spurious: 1,
      failed: 1,
      'label-unusable': 1,
      unlabelled: 1,
    });
    expect(evaluation.patients).toBe(17);
  });

  it('means and patient-level intervals, with and without the worst values', () => {
    const [dice, hd95Mm] = [metricOf(evaluation, 'dice'), metricOf(evaluation, 'hd95Mm')];
    expectInterval(dice.mean, expected.dice, 'Dice');
    expectInterval(dice.meanWithWorst, expected.diceWithWorst, 'Dice with worst');
    expectInterval(hd95Mm.mean, expected.hd95Mm, 'HD95');
    expectInterval(hd95Mm.meanWithWorst, expected.hd95MmWithWorst, 'HD95 with worst');
    // Missed and spurious cases have a Dice of 0, but no distance.
    expect([dice.count, dice.leftOut]).toEqual([23, 1]);
    expect([hd95Mm.count, hd95Mm.leftOut]).toEqual([21, 3]);
    dice.quartiles!.forEach((value, n) => {
      expectClose(value as number, expected.diceQuartiles[n]!, `quartile ${n}`, 1e-12);
    });
    expect(hd95Mm.max).toBe('inf');
  });

  it('protocol paper over slices', () => {
    expectInterval(evaluation.paper!.dice, expected.paperDice, 'paper Dice');
    expectInterval(evaluation.paper!.hausdorffPx, expected.paperHausdorffPx, 'paper Hausdorff');
    expect(evaluation.paper!.leftOut).toBe(1);
  });

  it('classification of slices, patients resampled', () => {
    const { auc, accuracy, sensitivity, specificity, threshold, calibration } =
      evaluation.classification!;
    const theirs = expected.classification;
    expect(threshold).toBe(theirs.threshold);
    expectInterval(auc, theirs.auc, 'AUC');
    expectInterval(accuracy, theirs.accuracy, 'accuracy');
    expectInterval(sensitivity, theirs.sensitivity, 'sensitivity');
    expectInterval(specificity, theirs.specificity, 'specificity');
    const filled = calibration.filter((bin) => bin.count > 0);
    expect(filled).toHaveLength(theirs.meanScore.length);
    filled.forEach((bin, n) => {
      expectClose(bin.meanScore!, theirs.meanScore[n]!, `mean score ${n}`, 1e-12);
      expectClose(bin.positiveShare!, theirs.positiveShare[n]!, `positive share ${n}`, 1e-12);
    });
  });

  it('limits of agreement of the volumes', () => {
    for (const [name, value] of Object.entries(expected.volumes)) {
      expectClose(evaluation.volumes[name as keyof typeof expected.volumes]!, value, name, 1e-12);
    }
  });

  it('the comparison with an earlier evaluation', () => {
    const theirs = expected.comparison;
    const previous = evaluate(rows(theirs.previous), { evaluationId: '20250102T030405Z-00000002' });
    const { comparison } = evaluate(rows(expected.cases), { previous });
    const ours: EvaluationComparison = comparison!;
    expect(ours.patients).toBe(theirs.patients);
    expectInterval(ours.diceDifference, theirs.diceDifference, 'difference');
    expect(ours.wilcoxon!.statistic).toBe(theirs.wilcoxon.statistic);
    expectClose(ours.wilcoxon!.pValue, theirs.wilcoxon.pValue, 'Wilcoxon p', 1e-9);
    expect(ours.onlyHere).toEqual(theirs.onlyHere);
    expect(ours.relabelled).toEqual(theirs.relabelled);
    expect(ours.onlyThere).toEqual([]);
    expect(ours.moved[0]).toMatchObject({ previousStatus: 'failed', previousDice: 0 });
  });
});
