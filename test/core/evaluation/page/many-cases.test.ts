import { describe, expect, it } from 'vitest';
import { reportBesidePage } from '../../../../core/evaluation/page/cases.ts';
import { renderEvaluation } from '../../../../core/evaluation/page/render.ts';
import { summarise } from '../../../../core/evaluation/summarise.ts';
import { sampleCases } from './sample.ts';

const FACTS = {
  evaluationId: 'many',
  dataset: 'liver',
  createdAt: '2026-01-01T00:00:00Z',
  sammixVersion: '0',
  bundle: null,
  // Intervals are not what is looked at here.
  bootstrap: { draws: 20, confidence: 0.95, seed: 0 },
};
const NO_HISTORY = { schemaVersion: 1 as const, dataset: 'liver', entries: [] };

describe('a page of more cases than a page can hold', () => {
  it('lists the worst, failed ones first, and says so', () => {
    const rows = sampleCases({ cases: 2100, failed: 3, slices: 1 });
    const evaluation = summarise(rows, { ...FACTS, scoredCases: 700 });
    const page = renderEvaluation(evaluation, NO_HISTORY, [], reportBesidePage);
    expect(page.match(/<tr data-s="/g)).toHaveLength(2000);
    expect(page.match(/<tr data-s="failed"/g)).toHaveLength(evaluation.counts.failed);
    expect(page).toContain('The 2000 worst of 2100 cases; cases.csv has all.');
    expect(page).toContain('those of 700 cases, drawn by their names');
    const [best] = [...rows]
      .filter(({ metrics }) => typeof metrics?.dice === 'number')
      .sort((a, b) => Number(b.metrics?.dice) - Number(a.metrics?.dice));
    expect(page).not.toMatch(
      new RegExp(`<tr data-s=[^>]*><th scope="row"><bdi>${best?.caseId}</bdi>`),
    );
  });
});
