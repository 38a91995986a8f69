import { describe, expect, it } from 'vitest';
import { Evaluation } from '../../../core/contract/evaluation.ts';
import { compareEvaluations } from '../../../core/evaluation/compare.ts';
import { PatientBootstrap } from '../../../core/evaluation/patients.ts';
import { evaluate, row, scanOf } from './rows.ts';

const EARLIER = { evaluationId: '20250102T030405Z-00000002' };
const names = Array.from({ length: 12 }, (_, n) => `case-${String(n).padStart(2, '0')}`);

describe('an evaluation against an earlier one', () => {
  it('pairs cases by id and label version, and names those it cannot pair', () => {
    const previous = evaluate(
      [
        row({ caseId: 'same', dice: 0.8 }),
        row({ caseId: 'relabelled', dice: 0.1 }),
        row({ caseId: 'gone', dice: 0.1 }),
        row({ caseId: 'lost-label', dice: 0.1 }),
      ],
      EARLIER,
    );
    const { comparison } = evaluate(
      [
        row({ caseId: 'same', dice: 0.9 }),
        row({ caseId: 'relabelled', dice: 0.9, labelVersion: 'v2' }),
        row({ caseId: 'new', dice: 0.9 }),
        row({ caseId: 'lost-label', status: 'unlabelled', labelVersion: null }),
      ],
      { previous },
    );
    expect(comparison).toMatchObject({
      previous: { evaluationId: EARLIER.evaluationId, bundleDigest: '0'.repeat(64) },
      patients: 1,
      onlyHere: ['new'],
      onlyThere: ['gone', 'lost-label'],
      relabelled: ['relabelled'],
    });
    expect(comparison!.diceDifference.estimate).toBeCloseTo(0.1, 12);
  });

  it('counts a case that fails now as the loss that it is, in the stratum it was in', () => {
    const scan = scanOf(4);
    const others = names.map((caseId) => row({ caseId, dice: 0.9, scan: scanOf(1) }));
    const previous = evaluate([...others, row({ caseId: 'x', dice: 0.7, scan })], EARLIER);
    const evaluation = evaluate([...others, row({ caseId: 'x', status: 'failed' })], { previous });
    expect(Evaluation.parse(JSON.parse(JSON.stringify(evaluation)))).toEqual(evaluation);
    const { comparison } = evaluation;
    expect(comparison!.moved).toEqual([
      { caseId: 'x', previousDice: 0.7, dice: 0, previousStatus: 'compared', status: 'failed' },
    ]);
    const strata = comparison!.strata.filter(({ by }) => by === 'slice-spacing');
    expect(strata.map(({ value, patients }) => [value, patients])).toEqual([
      ['<= 1.5 mm', 12],
      ['3-5 mm', 1],
    ]);
    expect(strata[1]!.diceDifference.estimate).toBe(-0.7);
  });

  it('resamples patients, not their cases, at the confidence asked for', () => {
    const rows = (shift: number) =>
      names.map((caseId, n) =>
        row({ caseId, patientId: `p${n % 4}`, dice: 0.5 + 0.01 * n + shift * (n % 4) }),
      );
    const previous = evaluate(rows(0), EARLIER);
    const narrow = compareEvaluations(
      rows(0.02),
      previous,
      new PatientBootstrap({ draws: 2000, confidence: 0.5, seed: 0 }),
    );
    const wide = compareEvaluations(rows(0.02), previous);
    expect(wide.patients).toBe(4);
    expect(wide.wilcoxon!.pairs).toBe(3);
    expect(narrow.diceDifference.lower!).toBeGreaterThan(wide.diceDifference.lower!);
    expect(narrow.diceDifference.estimate).toBeCloseTo(0.03, 12);
  });

  it('has no test of nothing', () => {
    const { comparison } = evaluate([row({ caseId: 'a', dice: 1 })], {
      previous: evaluate([], EARLIER),
    });
    expect(comparison).toMatchObject({
      patients: 0,
      wilcoxon: null,
      diceDifference: { estimate: null },
    });
  });
});

describe('drift', () => {
  const cohort = (huShift: number, spacing: number, score: number) =>
    names.map((caseId, n) => {
      const scan = scanOf(spacing);
      return row({
        caseId,
        dice: 0.9,
        scan: { ...scan, hu: { ...scan.hu, p50: scan.hu.p50 + n + huShift } },
        scores: [{ score: score + 0.01 * n, positive: true }],
      });
    });

  it('is flagged for the inputs that moved, and for no other', () => {
    const previous = evaluate(cohort(0, 2, 0.1), EARLIER);
    const { drift } = evaluate(cohort(40, 5, 0.6), { previous });
    expect(drift.filter(({ drifted }) => drifted).map(({ of }) => of)).toEqual([
      'hu-p50',
      'slice-spacing',
      'classifier-score',
    ]);
    expect(drift.map(({ of }) => of)).toContain('pixel-spacing');
  });

  it('leaves out what one of the two does not know', () => {
    const previous = evaluate(
      names.map((caseId) => row({ caseId, status: 'failed' })),
      EARLIER,
    );
    expect(evaluate(cohort(0, 2, 0.1), { previous }).drift).toEqual([]);
  });
});
