import type { EvaluatedCase, EvaluatedStatus } from '../contract/evaluation.ts';
import { fromExtended } from '../metrics/panel.ts';
import { byText, diceOrZero } from './patients.ts';

/** Cases of each kind, failed or drawn, that a gallery of the worst shows. */
export const WORST_CASES = 12;

/** What went wrong first is worse; true negatives and cases without a label are not ranked. */
const SEVERITY: readonly EvaluatedStatus[] = [
  'failed',
  'missed',
  'spurious',
  'label-unusable',
  'compared',
];

/**
 * Ids of the worst cases: by what went wrong, then Dice, then HD95, then id. At most `count` that
 * failed and `count` others: however many fail, the gallery still shows masks.
 */
export function worstCases(labelled: readonly EvaluatedCase[], count = WORST_CASES): string[] {
  const ranked = labelled
    .filter(({ status }) => SEVERITY.includes(status))
    .map((one) => ({ one, severity: SEVERITY.indexOf(one.status), hd95Mm: hd95Of(one) }))
    .sort(
      (a, b) =>
        a.severity - b.severity ||
        diceOrZero(a.one) - diceOrZero(b.one) ||
        descending(a.hd95Mm, b.hd95Mm) ||
        byText(a.one.caseId, b.one.caseId),
    )
    .map(({ one }) => one);
  const failed = ranked.filter(({ status }) => status === 'failed');
  const drawn = ranked.filter(({ status }) => status !== 'failed');
  return [...failed.slice(0, count), ...drawn.slice(0, count)].map(({ caseId }) => caseId);
}

const hd95Of = ({ metrics }: EvaluatedCase): number =>
  metrics ? fromExtended(metrics.hd95Mm) : Number.POSITIVE_INFINITY;

/** A difference of two infinities is no number. */
const descending = (a: number, b: number): number => (a === b ? 0 : b > a ? 1 : -1);
