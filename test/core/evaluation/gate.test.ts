import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EvaluatedCase } from '../../../core/contract/evaluated-case.ts';
import type { Evaluation } from '../../../core/contract/evaluation.ts';
import { PromotionDecision, PromotionPolicy } from '../../../core/contract/promotion.ts';
import { decide } from '../../../core/evaluation/gate.ts';
import { evaluate, FACTS, row } from './rows.ts';

const NOW = '2026-02-03T04:05:06.000Z';
const POLICY = PromotionPolicy.parse({ minimumPatients: 4 });

const bundle = (digit: string) => ({ ...FACTS.bundle!, digest: digit.repeat(64) });

const incumbentOf = (rows: readonly EvaluatedCase[]): Evaluation =>
  evaluate(rows, { evaluationId: '20260101T000000Z-00000001', bundle: bundle('1') });

const candidateOf = (rows: readonly EvaluatedCase[]): Evaluation =>
  evaluate(rows, { evaluationId: '20260101T000000Z-00000002', bundle: bundle('2') });

/** Cases c0, c1, ... with these Dice values. */
const rowsOf = (...dice: readonly number[]): EvaluatedCase[] =>
  dice.map((value, n) => row({ caseId: `c${n}`, dice: value, sliceSpacingMm: n % 2 ? 5 : 1 }));

function codes(
  candidate: readonly EvaluatedCase[],
  incumbent: readonly EvaluatedCase[],
  policy: Partial<PromotionPolicy> = {},
): string[] {
  const decision = decide(
    candidateOf(candidate),
    incumbentOf(incumbent),
    { ...POLICY, ...policy },
    NOW,
  );
  expect(PromotionDecision.parse(decision)).toEqual(decision);
  expect(decision.promoted).toBe(decision.reasons[0]?.code === 'passed');
  return decision.reasons.map(({ code }) => code);
}

describe('decide', () => {
  const before = rowsOf(0.8, 0.9, 0.7, 0.85);

  it('lets a bundle in that is better for every patient, and says by how much', () => {
    const decision = decide(
      candidateOf(rowsOf(0.85, 0.95, 0.75, 0.9)),
      incumbentOf(before),
      POLICY,
      NOW,
    );
    expect(decision).toMatchObject({
      promoted: true,
      decidedAt: NOW,
      dataset: 'made-up',
      candidate: { digest: '2'.repeat(64), evaluationId: '20260101T000000Z-00000002' },
      incumbent: { digest: '1'.repeat(64), evaluationId: '20260101T000000Z-00000001' },
      patients: 4,
    });
    // Four equal differences: every resample has the same mean.
    for (const end of ['lower', 'estimate', 'upper'] as const)
      expect(decision.diceDifference?.[end]).toBeCloseTo(0.05, 12);
    expect(decision.reasons[0]?.message).toContain('+0.0500');
  });

  it('asks for more than the margin, not for as much', () => {
    const better = rowsOf(0.875, 0.975, 0.775, 0.925);
    expect(codes(better, before, { marginDice: 0.076 })).toEqual(['difference-not-above-margin']);
    expect(codes(better, before, { marginDice: 0.074 })).toEqual(['passed']);
    expect(codes(before, before)).toEqual(['difference-not-above-margin']);
  });

  it('does not take a better mean for better: one patient carries it', () => {
    const oneMuchBetter = rowsOf(0.795, 0.895, 0.695, 1);
    expect(codes(oneMuchBetter, before)).toEqual(['difference-not-above-margin']);
  });

  it('lets no kind of scan pay for the others', () => {
    const rows = (thick: number): EvaluatedCase[] =>
      [1, 1, 1, 1, 1, 5, 5, 5].map((sliceSpacingMm, n) =>
        row({
          caseId: `c${n}`,
          sliceSpacingMm,
          dice: sliceSpacingMm === 5 ? thick : thick === 0.8 ? 0.8 : 0.95,
        }),
      );
    expect(codes(rows(0.77), rows(0.8))).toEqual(['stratum-falls']);
    expect(codes(rows(0.77), rows(0.8), { stratumLimitDice: 0.04 })).toEqual(['passed']);
    expect(codes(rows(0.77), rows(0.8), { stratumMinimumPatients: 4 })).toEqual(['passed']);
  });

  it.each(['failed', 'missed'] as const)(
    'counts a %s case with Dice 0 and as one too many',
    (status) => {
      const [first, ...others] = rowsOf(0.95, 0.95, 0.95, 0.95);
      const lost = row({
        caseId: first!.caseId,
        status,
        ...(status === 'missed' ? { dice: 0, hd95Mm: 'inf' as const, sliceSpacingMm: 1 } : {}),
      });
      expect(codes([lost, ...others], before)).toContain('more-failures');
      const decision = decide(candidateOf([lost, ...others]), incumbentOf(before), POLICY, NOW);
      // (0 - .8 + .05 + .25 + .1) / 4
      expect(decision.diceDifference?.estimate).toBeCloseTo(-0.1, 12);
    },
  );

  it('compares only what is the same', () => {
    const relabelled = before.map((one, n) => (n === 0 ? { ...one, labelVersion: 'v2' } : one));
    const more = rowsOf(0.9, 0.95, 0.8, 0.9, 0.9);
    expect(codes(relabelled, before)).toContain('different-cases');
    expect(codes(more, before)).toEqual(['different-cases']);
    expect(codes(before, more)).toContain('different-cases');
  });

  it('decides nothing on few patients, however many cases they have', () => {
    const ofTwo = (dice: number) =>
      [0, 1, 2, 3].map((n) => row({ caseId: `c${n}`, patientId: `p${n % 2}`, dice }));
    expect(codes(ofTwo(0.9), ofTwo(0.8))).toEqual(['too-few-patients']);
  });

  it('does not replace a bundle by itself', () => {
    const decision = decide(incumbentOf(before), incumbentOf(before), POLICY, NOW);
    expect(decision.reasons.map(({ code }) => code)).toContain('same-bundle');
    expect(decision.promoted).toBe(false);
  });

  it('lets the first bundle of a site in', () => {
    const decision = decide(candidateOf(before), null, POLICY, NOW);
    expect(decision).toMatchObject({ promoted: true, incumbent: null, diceDifference: null });
    expect(decision.reasons.map(({ code }) => code)).toEqual(['no-incumbent']);
  });

  it('never promotes what is no better for any patient, nor twice differently', () => {
    const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
      minLength: 4,
      maxLength: 12,
    });
    fc.assert(
      fc.property(shares, shares, (a, b) => {
        const n = Math.min(a.length, b.length);
        const worse = a.slice(0, n).map((value, k) => Math.min(value, b[k]!));
        const decision = decide(
          candidateOf(rowsOf(...worse)),
          incumbentOf(rowsOf(...b.slice(0, n))),
          POLICY,
          NOW,
        );
        expect(decision.promoted).toBe(false);
        const again = decide(
          candidateOf(rowsOf(...worse).reverse()),
          incumbentOf(rowsOf(...b.slice(0, n)).reverse()),
          POLICY,
          NOW,
        );
        expect(again).toEqual(decision);
      }),
      { numRuns: 10 },
    );
  });
});
