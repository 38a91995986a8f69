import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../../core/draw/png.ts';
import { renderEvaluation } from '../../../core/evaluation/page/render.ts';
import { renderCaseReport, renderFailureReport } from '../../../core/report/render.ts';
import { runPage } from '../../../core/report/run-page.ts';
import { renderTargetsReport } from '../../../core/report/targets-page.ts';
import { trainingPage } from '../../../core/training/page.ts';
import { axeViolations, LOOKS } from '../../axe.ts';
import { findChromium, NO_CHROMIUM, openBrowser, type TestBrowser } from '../../browser.ts';
import { sampleCohort } from '../evaluation/page/sample.ts';
import { FACTS } from '../training/sample.ts';
import { sampleFailure, samplePicture, sampleReport } from './sample.ts';

const chromium = findChromium();
if (!chromium) console.warn(`SKIPPED: accessibility of the reports; ${NO_CHROMIUM}`);

function runOf(cases: number): string {
  const rows = Array.from({ length: cases }, (_, n) => ({
    report:
      n === 0
        ? sampleFailure({ caseId: 'case-0' })
        : sampleReport({ caseId: `case-${n}`, volumeMl: 700 + 61 * n }),
    thumbnailPng: n === 0 ? null : encodePng(new Uint8Array(64).fill(90), 8, 8, 'grey'),
    reportHref: `case-${n}/report.html`,
    seconds: n,
  }));
  return runPage(rows, {
    name: 'results',
    createdAt: '2026-01-02T03:04:05.000Z',
    sammixVersion: '0',
    bundles: [{ name: 'tiny', digest: 'ab'.repeat(32) }],
    cases,
  });
}

const { evaluation, history } = sampleCohort();

const PAGES = {
  report: renderCaseReport(
    sampleReport(),
    [3, 5, 8].map((index) => samplePicture(index)),
  ),
  failure: renderFailureReport(sampleFailure()),
  evaluation: renderEvaluation(evaluation, history, []),
  run: runOf(6),
  targets: renderTargetsReport(
    {
      schemaVersion: 1,
      status: 'several-targets',
      caseId: 'case',
      targets: [
        { target: 'liver', folder: 'liver', report: sampleReport() },
        { target: 'spleen', folder: 'spleen', report: sampleFailure() },
      ],
      pending: ['left kidney'],
    },
    [encodePng(new Uint8Array(64).fill(90), 8, 8, 'grey'), null],
  ),
  training: trainingPage(FACTS),
};

describe.skipIf(!chromium)('in a browser', { timeout: 120_000 }, () => {
  let browser: TestBrowser;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sammix-pages-'));
    for (const [name, page] of Object.entries(PAGES))
      await writeFile(path.join(folder, `${name}.html`), page);
    browser = await openBrowser({ webgl: false });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function visit(name: string, look: object, check: (page: Page) => Promise<void>) {
    const { page, faults } = await browser.newPage(look);
    await page.goto(`file://${path.join(folder, `${name}.html`)}`);
    await check(page);
    expect(faults).toEqual([]);
    await page.close();
  }

  for (const look of LOOKS)
    it.each(Object.keys(PAGES))(`axe finds nothing in the page %s, ${look.colorScheme}`, (name) =>
      visit(name, look, async (page) => {
        expect(await axeViolations(page)).toEqual([]);
        const wider = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
        expect(wider).toBeLessThanOrEqual(0);
      }),
    );

  it('the page of a run sorts by any column and filters by text', () =>
    visit('run', {}, async (page) => {
      const names = () =>
        page.locator('#cases-table tbody tr:visible th').allTextContents() as Promise<string[]>;
      await page.getByRole('button', { name: /Volume, ml/ }).click();
      await page.getByRole('button', { name: /Volume, ml/ }).click();
      expect((await names())[0]).toBe('case-5');
      await page.getByRole('searchbox', { name: 'Text' }).fill('truncated');
      expect(await names()).toEqual(['case-0']);
    }));

  it('the layers of a report begin with mask and label alone, and can be asked for', () =>
    visit('report', {}, async (page) => {
      const shown = (layer: string) => page.locator(`#slice-5 .layer.${layer}`).isVisible();
      expect([await shown('mask'), await shown('label')]).toEqual([true, true]);
      expect([await shown('cam'), await shown('box')]).toEqual([false, false]);
      await page.getByRole('checkbox', { name: /CAM where/ }).check();
      expect(await shown('cam')).toBe(true);
    }));
});
