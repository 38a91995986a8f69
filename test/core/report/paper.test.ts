import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { QualityFlag, SegmentedReport } from '../../../core/contract/report.ts';
import { renderOverlayPng } from '../../../core/draw/overlay.ts';
import { paperSlices } from '../../../core/report/paper.ts';
import { renderCaseReport, renderFailureReport } from '../../../core/report/render.ts';
import { renderTargetsReport } from '../../../core/report/targets-page.ts';
import { findChromium, NO_CHROMIUM, openBrowser, type TestBrowser } from '../../browser.ts';
import { SLICES, sampleFailure, samplePicture, sampleReport } from './sample.ts';

const chromium = findChromium();
if (!chromium) console.warn(`SKIPPED: reports on paper; ${NO_CHROMIUM}`);

const EVERY_SLICE = Array.from({ length: SLICES }, (_, index) => index);
const pictures = EVERY_SLICE.map((index) => samplePicture(index));

const statistics = {
  voxels: 1000,
  meanHu: 83.4,
  sdHu: 19,
  minHu: -20,
  maxHu: 190,
  p05Hu: 50,
  p10Hu: 60,
  p25Hu: 70,
  medianHu: 83,
  p75Hu: 95,
  p90Hu: 110,
  p95Hu: 120,
  below40HuShare: 0.015,
};
const measured = (target: string) =>
  sampleReport({
    voxelsPerSlice: EVERY_SLICE.map(() => 300),
    measures: [
      {
        target,
        voxels: 1000,
        volumeMl: 475.5,
        surfaceAreaMm2: 79_900,
        longestAxialDiameterMm: 175,
        cutByFieldOfView: { ends: false, sides: false },
        inside: statistics,
        eroded: { ...statistics, meanHu: 85.2 },
      },
    ],
  });

/** As many and as long as a report has in practice, and more. */
const flags = (count: number): QualityFlag[] =>
  Array.from({ length: count }, (_, n) => ({
    code: 'input-warning',
    severity: 'review',
    message: `Warning ${n}: the spacing of the header, 5.00 mm, is not that of its affine, 4.97 mm. Say which is right with a header editor, or convert the series anew with dcm2niix.`,
    slices: [],
  }));

const target = (name: string) => ({
  target: name,
  folder: name,
  report: { ...measured(name), flags: flags(2) },
});
const joined = (names: readonly string[]): string =>
  renderTargetsReport(
    {
      schemaVersion: 1,
      status: 'several-targets',
      caseId: 'case-1',
      targets: names.map(target),
    },
    names.map(() => renderOverlayPng(pictures)),
  );

describe('paperSlices', () => {
  it('takes the slice to review and the one with the worst Dice first, and fewer beside many flags', () => {
    const report: SegmentedReport = {
      ...measured('liver'),
      flags: [{ code: 'slice-jump', severity: 'review', message: 'Jumps.', slices: [10] }],
    };
    const all = paperSlices(report, new Set(EVERY_SLICE));
    expect(all.size).toBe(8);
    expect(all).toContain(10);
    expect(paperSlices({ ...report, flags: flags(5) }, new Set(EVERY_SLICE)).size).toBe(4);
  });

  it('takes none that is not on the page', () => {
    expect([...paperSlices(sampleReport(), new Set([4, 6]))]).toEqual([4, 6]);
  });
});

describe.skipIf(!chromium)('on paper', { timeout: 120_000 }, () => {
  let browser: TestBrowser;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sammix-paper-'));
    browser = await openBrowser({ webgl: false });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function printed(html: string, format: string, { whole = false } = {}) {
    const file = path.join(folder, 'report.html');
    await writeFile(file, html);
    const { page, faults } = await browser.newPage();
    await page.goto(`file://${file}`);
    if (whole) await page.getByRole('checkbox', { name: /print the whole report/ }).check();
    const pdf = await page.pdf({ format });
    await page.emulateMedia({ media: 'print' });
    // What is seen: `textContent` has what is hidden too.
    const text = await page.evaluate<string>('document.body.innerText');
    const figures = await page.locator('.montage figure:visible').count();
    await page.close();
    expect(faults).toEqual([]);
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)!.length;
    return { pages, text, figures };
  }

  for (const format of ['A4', 'Letter']) {
    it(`a case is one page of ${format}, with volume, flags, numbers and origin`, async () => {
      const { pages, text, figures } = await printed(
        renderCaseReport(measured('liver'), pictures),
        format,
      );
      expect(pages).toBe(1);
      expect(figures).toBe(8);
      for (const fact of [
        '476 ml',
        'review: slice-jump',
        'mean 83 HU',
        'without its outermost voxels mean 85 HU',
        'case-1.nii.gz',
        '0f0f0f0f0f0f',
        'abababababab',
        'run 0123456789abcdef',
        'Research use only; not a medical device.',
      ])
        expect(text).toContain(fact);
      expect(text).not.toMatch(/Curves over|Methods, to copy|CAM area/);
    });

    it(`a case of many warnings is one page of ${format}, and lists all of them`, async () => {
      const report = { ...measured('liver'), flags: flags(7) };
      const { pages, text } = await printed(renderCaseReport(report, pictures), format);
      expect(pages).toBe(1);
      expect(text).toContain('Warning 6');
    });

    it(`two targets are one page of ${format}`, async () => {
      const two = await printed(joined(['liver', 'spleen']), format);
      expect(two.pages).toBe(1);
      for (const fact of ['Inside the liver', 'Inside the spleen', 'Research use only'])
        expect(two.text).toContain(fact);
    });
  }

  it('a failed case is one page', async () => {
    expect((await printed(renderFailureReport(sampleFailure()), 'A4')).pages).toBe(1);
  });

  it('prints the interval of the volume where the bundle has one', async () => {
    const report = measured('liver');
    const volumeLimits = { lowerPercent: -5, upperPercent: 10, dataset: 'CURVAS', scans: 20 };
    const bundle = { ...report.bundle, volumeLimits };
    const page = renderCaseReport({ ...report, bundle }, pictures);
    const { pages, text } = await printed(page, 'A4');
    expect(pages).toBe(1);
    expect(text).toContain('95 % of labels between 432 and 501 ml');
  });

  it('prints all of it where that is asked for', async () => {
    const page = renderCaseReport(measured('liver'), pictures);
    const { pages, text, figures } = await printed(page, 'A4', { whole: true });
    expect(pages).toBeGreaterThan(1);
    expect(figures).toBe(SLICES);
    expect(text).toMatch(/Curves over/);
    expect(text).toMatch(/Methods, to copy/);
  });
});
