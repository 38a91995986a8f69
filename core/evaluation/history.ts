import type { Evaluation, History, HistoryEntry } from '../contract/evaluation.ts';
import { toJson } from '../json.ts';

/** What a trend keeps of an evaluation. */
function historyEntry(evaluation: Evaluation): HistoryEntry {
  const dice = evaluation.metrics.find(({ name }) => name === 'dice');
  if (!dice) throw new RangeError(`evaluation ${evaluation.evaluationId} has no Dice`);
  return {
    evaluationId: evaluation.evaluationId,
    createdAt: evaluation.createdAt,
    bundleDigest: evaluation.bundle?.digest ?? null,
    cases: evaluation.cases.length,
    failed: evaluation.counts.failed,
    dice: dice.mean,
    diceWithFailuresAsZero: dice.meanWithWorst,
    drifted: evaluation.drift.some(({ drifted }) => drifted),
  };
}

/**
 * The history with this evaluation in it, oldest first. Adding one again replaces its entry, so that
 * an aggregation that runs twice leaves one line.
 */
export function extendHistory(history: History | undefined, evaluation: Evaluation): History {
  const entry = historyEntry(evaluation);
  const others = (history?.entries ?? []).filter(
    ({ evaluationId }) => evaluationId !== entry.evaluationId,
  );
  const entries = [...others, entry].sort(
    (a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt),
  );
  return { schemaVersion: 1, dataset: evaluation.dataset, entries };
}

/**
 * `evaluation.json` with one case a line: a comparison of two files shows which cases moved, and a
 * thousand cases with their slices stay readable and small.
 */
export function evaluationJson(evaluation: Evaluation): string {
  const { cases, ...rest } = evaluation;
  const head = toJson(rest).slice(0, -'\n}'.length);
  const lines = cases.map((one) => `    ${toJson(one, 0)}`);
  return `${head},\n  "cases": [\n${lines.join(',\n')}\n  ]\n}\n`;
}
