import { describe, expect, it } from 'vitest';
import { encodePng } from '../../../core/draw/png.ts';
import { type RunPageRow, runPage } from '../../../core/report/run-page.ts';
import { sampleFailure, sampleReport } from './sample.ts';

const FACTS = {
  name: 'results',
  createdAt: '2026-01-02T03:04:05.000Z',
  sammixVersion: '0.0.0-test',
  bundles: [{ name: 'tiny', digest: 'ab'.repeat(32) }],
  cases: 4,
};

const HOSTILE = `"><script>alert(1)</script><img src=x onerror='x'>\u202e&amp;`;
const thumbnailPng = encodePng(new Uint8Array(16 * 16).fill(90), 16, 16, 'grey');

const row = (changes: Partial<RunPageRow>): RunPageRow => ({
  report: sampleReport({
    pictures: { montage: [5], gallery: [{ slice: 5, shows: ['largest-section'] }] },
  }),
  thumbnailPng,
  reportHref: 'case-1/report.html',
  seconds: 12.3,
  ...changes,
});

const flag = (code: 'touches-border' | 'cam-empty', severity: 'review' | 'info') =>
  ({ code, severity, message: 'A message.', slices: [] }) as const;

const rowsOf = (markup: string): string[] =>
  markup.slice(markup.indexOf('<tbody>'), markup.indexOf('</tbody>')).split('<tr').slice(1);

describe('runPage', () => {
  const rows = [
    row({}),
    row({
      report: sampleReport({
        caseId: 'case-2',
        volumeMl: 1133.4,
        comparison: null,
        flags: [
          { ...flag('touches-border', 'review'), slices: [] },
          { ...flag('cam-empty', 'info'), slices: [] },
        ],
      }),
      thumbnailPng: null,
      reportHref: 'case-2/report.html',
      seconds: null,
    }),
    row({
      report: sampleFailure({ caseId: 'case-3' }),
      thumbnailPng: null,
      reportHref: 'case-3/report.html',
    }),
  ];
  const page = runPage(rows, FACTS);

  it('counts what is done, what failed and what is still to come', () => {
    expect(page).toContain('3 cases: 2 segmented, 1 failed; 1 still to come.');
    expect(page).toContain('<b>2</b><span>cases have flags to review</span>');
  });

  it('gives every case a row with its numbers, its picture and a link to its report', () => {
    const [first, second, third] = rowsOf(page);
    expect(first).toMatch(/href="case-1\/report\.html".*<td>476<\/td>.*data:image\/png;base64,/s);
    expect(first).toContain('alt="Slice 5 of case-1 with the mask"');
    expect(second).toMatch(/<td>1133<\/td>.*<td>kept<\/td>/s);
    expect(third).toContain('failed');
    expect(rowsOf(page)).toHaveLength(3);
  });

  it('says where a volume is in doubt, and tells flags to review from notes', () => {
    const [first, second] = rowsOf(page);
    expect(second).toContain('Volume may be too small: the mask reaches the border.');
    expect(second).toContain('review: touches-border');
    expect(second).toContain('note: cam-empty');
    expect(first).not.toContain('Volume ');
  });

  it('lists failures with what to do', () => {
    const { fault } = sampleFailure();
    const failures = page.slice(page.indexOf('id="failures"'), page.indexOf('id="cases"'));
    for (const text of [fault.code, fault.expected, fault.found, fault.remedy])
      expect(failures).toContain(text);
  });

  it('draws how many cases have which volume, with the counts as a table', () => {
    expect(page).toContain('from 476 to 1133 ml');
    const counts = [...page.matchAll(/<th scope="row">[\d–]+<\/th><td>(\d+)<\/td>/g)];
    expect(counts.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(2);
  });

  it('has no columns of a comparison where nothing was compared, no plot of one case', () => {
    const alone = runPage([rows[1]!], { ...FACTS, cases: 1 });
    expect(alone).not.toMatch(/Dice|HD95|plot-volumes/);
    expect(runPage([], { ...FACTS, cases: 0 })).toContain('0 cases: 0 segmented, 0 failed.');
  });

  it('needs nothing from outside, and shows hostile names as text', () => {
    const hostile = runPage([row({ report: sampleReport({ caseId: HOSTILE }) })], {
      ...FACTS,
      name: HOSTILE,
    });
    expect(hostile).not.toContain(HOSTILE);
    expect(hostile).not.toMatch(/<img src=x|\u202e/);
    expect(hostile.match(/<script/g)).toHaveLength(1);
    const addresses = [...page.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, value]) => value!);
    expect(
      addresses.filter(
        (value) => !/^(#|data:image\/png;base64,|case-\d\/report\.html$)/.test(value),
      ),
    ).toEqual([]);
    expect(runPage(rows, FACTS)).toBe(page);
  });
});
