import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EvaluatedCase } from '../../../../core/contract/evaluated-case.ts';
import type { History } from '../../../../core/contract/evaluation.ts';
import { encodePng } from '../../../../core/draw/png.ts';
import {
  type EvaluationPicture,
  galleryPicture,
  renderEvaluation,
} from '../../../../core/evaluation/page/render.ts';
import { ratioScale, scaleAround } from '../../../../core/page/chart.ts';
import { sampleReport } from '../../report/sample.ts';
import { HOSTILE, hostileCohort, sampleCases, sampleCohort, sampleEvaluation } from './sample.ts';

const FEW_DRAWS = { bootstrap: { draws: 20, confidence: 0.95, seed: 0 } };
const NO_HISTORY: History = { schemaVersion: 1, dataset: 'site-validation', entries: [] };

const picture = (caseId: string): EvaluationPicture => ({
  caseId,
  slices: [{ slice: 12, caption: 'largest error' }],
  alt: `Axial CT slice 12 of ${caseId}: mask outline.`,
  png: encodePng(new Uint8Array(16 * 16), 16, 16, 'grey'),
});

/** What a reader reads: without the script, the style, the markup and the names of the file format. */
const textOf = (page: string): string =>
  page
    .replace(/<script>.*?<\/script>|<style>.*?<\/style>/gs, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

const render = (cases: readonly EvaluatedCase[]): string =>
  renderEvaluation(sampleEvaluation(cases, FEW_DRAWS), NO_HISTORY, []);

describe('renderEvaluation', () => {
  const { evaluation, history } = sampleCohort();
  const pictures = evaluation.worst.map(picture);
  const page = renderEvaluation(evaluation, history, pictures);
  const text = textOf(page);

  it('says in words what the dataset holds, which model, and for whom it is not', () => {
    for (const fact of [
      '60 cases of 54 patients: 53 compared, 2 missed, 1 spurious, 3 failed, 1 not compared.',
      'sam-mix-tinyvit',
      'ab'.repeat(32),
      'Research use only; not a medical device.',
    ]) {
      expect(text).toContain(fact);
    }
  });

  it('gives both means of Dice with their intervals, up front', () => {
    const dice = evaluation.metrics.find(({ name }) => name === 'dice')!;
    const head = textOf(page.slice(0, page.indexOf('<main')));
    for (const { estimate, lower, upper } of [dice.mean, dice.meanWithWorst]) {
      expect(head).toContain(estimate!.toFixed(3));
      expect(head).toContain(`interval ${lower!.toFixed(3)} to ${upper!.toFixed(3)}`);
    }
  });

  it('states drift and comparison before any table', () => {
    const first = textOf(page.slice(0, page.indexOf('<table')));
    expect(first).toContain('Dice is higher than before: mean difference +0.0');
    expect(first).toContain('The inputs differ from those of the earlier evaluation: HU, median');
  });

  it('keeps the two protocols apart: no table names both', () => {
    const tables = page.match(/<table.*?<\/table>/gs)!;
    const named = tables.map((table) => [table.includes('“paper”'), table.includes('“volume”')]);
    expect(named).not.toContainEqual([true, true]);
    expect(named).toContainEqual([true, false]);
    expect(named).toContainEqual([false, true]);
  });

  it('draws one dot per compared case and counts the others beside them', () => {
    const plot = page.split('id="plot-distribution-dice"')[1]!.split('</figure>')[0]!;
    expect(plot.match(/<circle/g)?.length).toBe(53);
    expect(textOf(plot)).toContain('Set apart: 6 cases');
  });

  it('lists the cases outside the limits of agreement', () => {
    const { lowerLimitMl, upperLimitMl } = evaluation.volumes;
    const differences = evaluation.cases.flatMap(({ caseId, metrics }) =>
      metrics ? [{ caseId, ml: metrics.volumeErrorMl as number }] : [],
    );
    const outside = differences.filter(({ ml }) => ml < lowerLimitMl! || ml > upperLimitMl!);
    const plot = page.split('id="plot-bland-altman"')[1]!.split('</figure>')[0]!;
    const listed = [...plot.matchAll(/<bdi>([^<]+)<\/bdi>/g)].map(([, caseId]) => caseId);
    expect(listed.toSorted()).toEqual(outside.map(({ caseId }) => caseId).toSorted());
  });

  it('has a plot for each question', () => {
    const keys = [...page.matchAll(/<figure class="plot" id="plot-([a-z0-9-]+)"/g)].map(
      ([, key]) => key,
    );
    expect(keys).toEqual([
      'distribution-dice',
      'distribution-hd95mm',
      'distribution-nsd2mm',
      'bland-altman',
      'strata',
      'roc',
      'calibration',
      'differences',
      'moved',
      'trend',
    ]);
  });

  it('shows a stored picture of every worst case, and links each case to its report', () => {
    expect(page.match(/<img /g)?.length).toBe(evaluation.worst.length);
    for (const { caseId } of evaluation.cases) {
      expect(page).toContain(`href="cases/${caseId}/report.html"`);
    }
  });

  it('names infinite values in words and lets no undefined number through', () => {
    expect(page).toContain('<abbr title="infinite: one of mask and label is empty">∞</abbr>');
    expect(text).not.toMatch(/NaN|undefined|null|Infinity|\binf\b(?!;|\s)/);
    expect(page.replace(/<script>.*?<\/script>/s, '')).not.toMatch(/NaN|undefined/);
  });

  it('gives the same bytes every time, whatever was drawn in between', () => {
    render(sampleCases({ cases: 3 }));
    expect(renderEvaluation(evaluation, history, pictures)).toBe(page);
  });

  it('allows its own script by digest and nothing from outside', () => {
    const script = /<script>(.*?)<\/script>/s.exec(page)![1]!;
    const digest = createHash('sha256').update(script).digest('base64');
    expect(page).toContain(`script-src &#39;sha256-${digest}&#39;`);
    const addresses = [...page.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(
      ([, value]) => value!,
    );
    expect(
      addresses.filter(
        (value) => !/^(#|data:image\/png;base64,|cases\/[^/]+\/report\.html$)/.test(value),
      ),
    ).toEqual([]);
    expect(page).not.toMatch(/url\((?!#)/);
  });

  it('uses every id once', () => {
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id!);
    expect(ids.length).toBe(new Set(ids).size);
  });
});

describe('renderEvaluation, at the edges', () => {
  it('stands without any case', () => {
    const text = textOf(render([]));
    expect(text).toContain('0 cases of 0 patients.');
    expect(text).toContain('The dataset holds no case: there is nothing to measure.');
    expect(text).not.toMatch(/NaN|undefined/);
  });

  it('stands where every case failed, and gives each reason', () => {
    const page = render(sampleCases({ cases: 5, failed: 5 }));
    expect(textOf(page)).toContain('5 cases of 4 patients: 5 failed.');
    expect(page.match(/<code>truncated-gzip<\/code>/g)?.length).toBe(5);
    expect(textOf(page)).not.toMatch(/NaN|undefined/);
  });

  it('stands where every liver was missed', () => {
    const text = textOf(render(sampleCases({ cases: 4, missed: 4 })));
    expect(text).toContain('4 missed');
    expect(text).not.toMatch(/NaN|undefined/);
  });

  it('stands with one case', () => {
    const text = textOf(render(sampleCases({ cases: 1 })));
    expect(text).toContain('1 case of 1 patient: 1 compared.');
    expect(text).not.toMatch(/NaN|undefined/);
  });

  it('has no link to reports where the masks were made elsewhere', () => {
    const page = renderEvaluation(
      sampleEvaluation(sampleCases({ cases: 3 }), { bundle: null }),
      NO_HISTORY,
      [],
    );
    expect(page).not.toContain('report.html');
    expect(page).toContain('Masks made elsewhere');
  });

  it('stays below 3 MB with 1 000 cases', () => {
    const page = render(sampleCases({ cases: 1000, failed: 30, missed: 20, slices: 6 }));
    expect(page.match(/<tr data-s=/g)?.length).toBe(1000);
    expect(Buffer.byteLength(page)).toBeLessThan(3e6);
  });

  it('shows hostile names as text', () => {
    const { evaluation, history } = hostileCohort();
    const pictures = evaluation.worst.map(picture);
    const page = renderEvaluation(evaluation, history, pictures);
    expect(page).not.toContain(HOSTILE);
    expect(page).not.toMatch(/<img src=x|<svg onload|<\/script><script>|\u202e/);
    expect(page.match(/<script/g)?.length).toBe(1);
    expect(page).toContain('&quot;&gt;&lt;/script&gt;&lt;script&gt;');
  });
});

describe('an axis', () => {
  it('holds both values in at most six whole steps', () => {
    const value = fc.double({ min: -1e5, max: 1e5, noNaN: true });
    fc.assert(
      fc.property(value, value, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const { min, max, interval } = scaleAround(low, high);
        const slack = 1e-6 * interval;
        expect(min).toBeLessThanOrEqual(low + slack);
        expect(max).toBeGreaterThanOrEqual(high - slack);
        expect((max - min) / interval).toBeLessThanOrEqual(6 + 1e-6);
        expect(Math.round(min / interval) * interval).toBeCloseTo(min, 6);
      }),
    );
  });

  it.each([
    [0.911, 1, { min: 0.9, max: 1, interval: 0.02 }],
    [0.86, 1, { min: 0.85, max: 1, interval: 0.05 }],
    [0, 1, { min: 0, max: 1, interval: 0.2 }],
    [0.3, 0.3, { min: 0.29, max: 0.31, interval: 0.005 }],
    [1, 1, { min: 0.99, max: 1, interval: 0.002 }],
    [0, 0, { min: 0, max: 0.01, interval: 0.002 }],
  ])('of shares from %d to %d has round ends', (low, high, scale) => {
    expect(ratioScale(low, high)).toEqual(scale);
  });
});

describe('galleryPicture', () => {
  const report = sampleReport({
    pictures: {
      montage: [3, 5, 8],
      gallery: [
        { slice: 5, shows: ['largest-error'] },
        { slice: 8, shows: ['largest-section'] },
      ],
    },
  });
  const png = encodePng(new Uint8Array(16 * 8), 16, 8, 'grey');

  it('names the slices that report.json names, in its order, and why', () => {
    const { slices, alt } = galleryPicture(report, png)!;
    const dice = report.comparison!.panel.sliceDice[5]!.toFixed(3);
    expect(slices).toEqual([
      { slice: 5, caption: `largest error, Dice ${dice}` },
      { slice: 8, caption: expect.stringMatching(/^largest section, Dice 0\.\d{3}$/) },
    ]);
    expect(alt).toMatch(/^Axial CT slice 5 of case-1: .*mask outline.* Axial CT slice 8/);
  });

  it('shows nothing for reports of before the slices were kept, rather than a guess', () => {
    expect(galleryPicture(sampleReport(), png)).toBeUndefined();
  });
});
