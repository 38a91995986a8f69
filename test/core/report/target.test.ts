import { describe, expect, it } from 'vitest';
import { renderCaseReport } from '../../../core/report/render.ts';
import { runPage } from '../../../core/report/run-page.ts';
import { toRow } from '../../../core/stage/summary.ts';
import { sampleReport } from './sample.ts';

const report = sampleReport();
const spleen = {
  ...report,
  bundle: { ...report.bundle, target: 'spleen' },
  // The sample's label is a file called liver.
  comparison: null,
  measures: report.measures?.map((measures) => ({ ...measures, target: 'spleen' })),
};

describe('reports of another organ than the liver', () => {
  it('name it, and nothing is called liver that is none', () => {
    const page = renderCaseReport(spleen, []);
    expect(page).toContain('Spleen segmentation');
    expect(page).toContain('</b>spleen volume');
    expect(page).toContain('Slices with spleen');
    expect(page.replace(/<style>[^<]*<\/style>/, '')).not.toMatch(/\bliver\b/i);
  });

  it('are one page of that organ', () => {
    const row = { report: spleen, thumbnailPng: null, reportHref: 'a', seconds: 1 };
    const facts = {
      name: 'results',
      createdAt: '2026-03-04T05:06:07.000Z',
      sammixVersion: '0.1.0',
      bundles: [{ name: 'sammix-spleen', digest: 'b'.repeat(64), target: 'spleen' }],
      cases: 2,
    };
    const page = runPage([row, { ...row, report: { ...spleen, caseId: 'other' } }], facts);
    expect(page).toContain('Spleen segmentation');
    expect(page).toContain('median spleen volume');
    expect(page.replace(/<(style|script)>[\s\S]*?<\/\1>/g, '')).not.toMatch(/\bliver\b/i);
  });

  it('have their measures in the summary', () => {
    const row = toRow({ report: spleen, resumed: false, seconds: 1 });
    expect(row.meanHu).toBe(toRow({ report, resumed: false, seconds: 1 }).meanHu);
  });
});
