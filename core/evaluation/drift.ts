import type { EvaluatedCase } from '../contract/evaluated-case.ts';
import type { DriftSignal } from '../contract/evaluation.ts';
import { kolmogorovSmirnov } from './statistics.ts';

/** Below it an input counts as drifted. Six signals then raise a false flag in under 6 % of runs. */
const DRIFT_P_VALUE = 0.01;

/** What is watched, one number per case; null where the case does not have it. */
const SIGNALS: Readonly<Record<DriftSignal['of'], (one: EvaluatedCase) => number | null>> = {
  'hu-p01': ({ scan }) => scan?.hu.p01 ?? null,
  'hu-p50': ({ scan }) => scan?.hu.p50 ?? null,
  'hu-p99': ({ scan }) => scan?.hu.p99 ?? null,
  'slice-spacing': ({ scan }) => scan?.spacingMm.slice ?? null,
  'pixel-spacing': ({ scan }) => scan?.spacingMm.column ?? null,
  'classifier-score': ({ scores }) =>
    scores.length === 0
      ? null
      : scores.reduce((sum, slice) => sum + slice.score, 0) / scores.length,
};

/**
 * Whether inputs, and what the classifier says of them, are distributed as in an earlier evaluation.
 * Signals that one of the two lacks are left out.
 */
export const driftSignals = (
  cases: readonly EvaluatedCase[],
  previous: readonly EvaluatedCase[],
): DriftSignal[] =>
  (Object.keys(SIGNALS) as DriftSignal['of'][]).flatMap((of) => {
    const values = (among: readonly EvaluatedCase[]): number[] =>
      among.map(SIGNALS[of]).filter((value) => value !== null);
    const test = kolmogorovSmirnov(values(cases), values(previous));
    return test ? [{ of, ...test, drifted: test.pValue < DRIFT_P_VALUE }] : [];
  });
