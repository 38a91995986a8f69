import type { EvaluatedCase } from '../contract/evaluation.ts';

/** Byte order, so that every machine and locale lists the same. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const inCaseOrder = (cases: readonly EvaluatedCase[]): EvaluatedCase[] =>
  [...cases].sort((a, b) => byText(a.caseId, b.caseId));

/** A case that belongs into every mean: it has a label, whatever became of it. */
export const isLabelled = ({ labelVersion }: EvaluatedCase): boolean => labelVersion !== null;

/** The cases of each patient; patients by id, their cases in the order given. */
export function casesOfPatients(cases: readonly EvaluatedCase[]): EvaluatedCase[][] {
  const groups = new Map<string, EvaluatedCase[]>();
  for (const one of cases) {
    const group = groups.get(one.patientId);
    if (group) group.push(one);
    else groups.set(one.patientId, [one]);
  }
  return [...groups].sort(([a], [b]) => byText(a, b)).map(([, group]) => group);
}

/** Each patient's mean of a value over its cases; patients without the value are left out. */
export function patientMeans(
  cases: readonly EvaluatedCase[],
  of: (one: EvaluatedCase) => number | null,
): number[] {
  return casesOfPatients(cases).flatMap((group) => {
    const values = group.map(of).filter((value) => value !== null);
    if (values.length === 0) return [];
    return [values.reduce((sum, value) => sum + value, 0) / values.length];
  });
}

/** A case without a usable mask or label counts as no overlap at all. */
export function diceOrZero({ metrics }: EvaluatedCase): number {
  return typeof metrics?.dice === 'number' ? metrics.dice : 0;
}
