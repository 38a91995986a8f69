import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Evaluation, History } from '../../../../core/contract/evaluation.ts';
import { encodePng } from '../../../../core/draw/png.ts';
import { renderEvaluation } from '../../../../core/evaluation/page/render.ts';
import { findChromium, NO_CHROMIUM, openBrowser, type TestBrowser } from '../../../browser.ts';
import { CONTRAST_FAULTS, OVERFLOW_PX, STRUCTURE_FAULTS } from './audit.ts';
import { HOSTILE, hostileCohort, sampleCohort } from './sample.ts';

const hasBrowser = findChromium() !== undefined;
if (!hasBrowser) console.warn(`evaluation.html in a browser: skipped, ${NO_CHROMIUM}`);

const PHONE = { viewport: { width: 390, height: 844 } };
const DESKTOP = { viewport: { width: 1440, height: 900 } };

describe.skipIf(!hasBrowser)('evaluation.html in a browser', () => {
  const cohort = sampleCohort();
  let browser: TestBrowser;
  let folder: string;

  beforeAll(async () => {
    browser = await openBrowser({ webgl: false });
    folder = await mkdtemp(path.join(tmpdir(), 'sammix-page-'));
    await write('cohort', cohort);
    await write('hostile', hostileCohort());
  });

  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });

  async function write(
    name: string,
    { evaluation, history }: { evaluation: Evaluation; history: History },
  ): Promise<void> {
    const pictures = evaluation.worst.map((caseId) => ({
      caseId,
      slices: [
        { slice: 12, caption: `largest error ${name === 'hostile' ? HOSTILE : ''}` },
        { slice: 20, caption: 'largest section' },
      ],
      alt: `Axial CT slice 12 of ${caseId}: mask outline.`,
      png: encodePng(new Uint8Array(128 * 64).fill(90), 128, 64, 'grey'),
    }));
    await writeFile(
      path.join(folder, `${name}.html`),
      renderEvaluation(evaluation, history, pictures),
    );
  }

  /** Opens a page, hands it to `check`, and holds it to having had no fault at all. */
  async function withPage(
    name: 'cohort' | 'hostile',
    options: BrowserContextOptions,
    check: (page: Page) => Promise<void>,
  ): Promise<void> {
    const { page, faults } = await browser.newPage(options);
    try {
      await page.goto(pathToFileURL(path.join(folder, `${name}.html`)).href);
      await check(page);
      expect(faults).toEqual([]);
    } finally {
      await page.close();
    }
  }

  const column = (page: Page, title: string): Promise<string[]> =>
    page.evaluate(`(() => {
      const table = document.getElementById('cases-table');
      const at = [...table.tHead.rows[0].cells].findIndex((head) =>
        head.textContent.trim() === ${JSON.stringify(title)});
      return [...table.tBodies[0].rows].map((row) => row.cells[at].textContent.trim());
    })()`);

  const shownCases = (page: Page): Promise<string[]> =>
    page.evaluate(`[...document.querySelectorAll('#cases-table tbody tr')]
      .filter((row) => row.checkVisibility()).map((row) => row.cells[0].textContent)`);

  const heading = (page: Page, title: string) =>
    page.locator('#cases-table thead th').filter({ hasText: title });

  const idsWith = (keep: (one: Evaluation['cases'][number]) => boolean): string[] =>
    cohort.evaluation.cases.filter(keep).map(({ caseId }) => caseId);

  it('renders its headings, plots and pictures without a console message', () =>
    withPage('cohort', DESKTOP, async (page) => {
      expect(await page.title()).toBe('Evaluation: site-validation');
      expect(await page.locator('figure.plot svg').count()).toBe(10);
      const broken = `[...document.images].map((image) => { image.loading = 'eager'; return image; })
        .filter((image) => image.complete && image.naturalWidth === 0).length`;
      expect(await page.evaluate(broken)).toBe(0);
    }));

  it('sorts by click, and back to front by a second one; what has no value stays last', () =>
    withPage('cohort', DESKTOP, async (page) => {
      const button = heading(page, 'Dice').getByRole('button');
      const values = cohort.evaluation.cases.flatMap(({ metrics }) =>
        metrics ? [(metrics.dice as number).toFixed(3)] : [],
      );
      const rising = values.sort((a, b) => Number(a) - Number(b));
      const without = ['–', '–', '–', '–'];
      await button.click();
      expect(await heading(page, 'Dice').getAttribute('aria-sort')).toBe('ascending');
      expect(await column(page, 'Dice')).toEqual([...rising, ...without]);
      await button.click();
      expect(await heading(page, 'Dice').getAttribute('aria-sort')).toBe('descending');
      expect(await column(page, 'Dice')).toEqual([...rising.toReversed(), ...without]);
    }));

  it('sorts infinite distances beyond all others', () =>
    withPage('cohort', DESKTOP, async (page) => {
      const button = heading(page, 'HD95').getByRole('button');
      await button.click();
      await button.click();
      expect((await column(page, 'HD95, mm')).slice(0, 4)).toEqual([
        '∞',
        '∞',
        '∞',
        expect.stringMatching(/^\d/),
      ]);
    }));

  it('sorts by keyboard alone, one column at a time', () =>
    withPage('cohort', DESKTOP, async (page) => {
      await heading(page, 'Dice').getByRole('button').click();
      await heading(page, 'Patient').getByRole('button').focus();
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Status');
      await page.keyboard.press('Enter');
      const statuses = await column(page, 'Status');
      expect(statuses).toEqual([...statuses].sort());
      expect(await page.locator('#cases-table th[aria-sort]').count()).toBe(1);
    }));

  it('filters by text, status and flag, counts what is left, and shows all again', () =>
    withPage('cohort', DESKTOP, async (page) => {
      const count = page.locator('#cases-shown');
      await page.getByLabel('Text').fill('LIVER_01 compared');
      // "not compared" holds the word too.
      const tens = idsWith(
        (one) => /liver_01/.test(one.caseId) && ['compared', 'label-unusable'].includes(one.status),
      );
      expect(await shownCases(page)).toEqual(tens);
      expect(await count.textContent()).toBe(`${tens.length} of 60 cases shown`);
      await page.getByLabel('Text').fill('');
      await page.getByLabel('Status').selectOption('failed');
      expect(await shownCases(page)).toEqual(idsWith(({ status }) => status === 'failed'));
      await page.getByLabel('Status').selectOption('');
      await page.getByLabel('Flag').selectOption('no-liver-found');
      expect(await shownCases(page)).toEqual(
        idsWith(({ flags }) => flags.includes('no-liver-found')),
      );
      await page.getByRole('button', { name: 'Show all' }).click();
      expect(await count.textContent()).toBe('60 of 60 cases shown');
      expect((await shownCases(page)).length).toBe(60);
    }));

  it('opens definitions and the numbers of plots by keyboard', () =>
    withPage('cohort', DESKTOP, async (page) => {
      const definition = page.locator('details.definition').filter({ hasText: 'ASSD' });
      await definition.locator('summary').focus();
      await page.keyboard.press('Enter');
      expect(await definition.getByText('average symmetric surface distance').isVisible()).toBe(
        true,
      );
      const numbers = page.locator('#plot-roc details');
      await numbers.locator('summary').focus();
      await page.keyboard.press('Space');
      expect(await numbers.getByRole('table').isVisible()).toBe(true);
    }));

  it('leads past the contents by its first link, with a focus that is seen', () =>
    withPage('cohort', DESKTOP, async (page) => {
      await page.keyboard.press('Tab');
      const link = page.getByRole('link', { name: 'Skip to the content' });
      expect(await page.evaluate('document.activeElement.matches(":focus-visible")')).toBe(true);
      expect((await link.boundingBox())!.x).toBeGreaterThanOrEqual(0);
      await page.keyboard.press('Enter');
      expect(await page.evaluate('document.activeElement.id')).toBe('main');
    }));

  it.each(['cohort', 'hostile'] as const)(
    'never scrolls sideways on a phone, everything opened: %s',
    (name) =>
      withPage(name, PHONE, async (page) => {
        expect(await page.evaluate(OVERFLOW_PX)).toBe(0);
        await page.evaluate(
          'for (const one of document.querySelectorAll("details")) one.open = true',
        );
        expect(await page.evaluate(OVERFLOW_PX)).toBe(0);
      }),
  );

  it('prints every row, whatever was filtered, and no control', () =>
    withPage('cohort', DESKTOP, async (page) => {
      await page.getByLabel('Status').selectOption('failed');
      await page.emulateMedia({ media: 'print' });
      expect((await shownCases(page)).length).toBe(60);
      expect(await page.locator('#cases-filters').isVisible()).toBe(false);
      const box = `getComputedStyle(document.querySelector('.tall')).maxHeight`;
      expect(await page.evaluate(box)).toBe('none');
    }));

  it('is whole without script', () =>
    withPage('cohort', { ...DESKTOP, javaScriptEnabled: false }, async (page) => {
      expect(await page.locator('#cases-table tbody tr').count()).toBe(60);
      expect(await page.locator('#cases-filters').isVisible()).toBe(false);
      expect(await page.locator('#cases-table button').count()).toBe(0);
    }));

  it.each(['cohort', 'hostile'] as const)('has names, labels, headings in order: %s', (name) =>
    withPage(name, DESKTOP, async (page) => {
      expect(await page.evaluate(STRUCTURE_FAULTS)).toEqual([]);
    }),
  );

  it.each(['light', 'dark'] as const)('reaches the contrast of WCAG AA: %s', (colorScheme) =>
    withPage('cohort', { ...DESKTOP, colorScheme }, async (page) => {
      await page.evaluate(
        'for (const one of document.querySelectorAll("details")) one.open = true',
      );
      expect(await page.evaluate(CONTRAST_FAULTS)).toEqual([]);
    }),
  );

  it('runs nothing that a name brought along, and shows it', () =>
    withPage('hostile', DESKTOP, async (page) => {
      expect(await page.evaluate('window.broken')).toBeUndefined();
      expect(await page.evaluate('document.scripts.length')).toBe(1);
      expect(await page.locator('img:not([src^="data:image/png"])').count()).toBe(0);
      const shown = HOSTILE.replace('\u202e', '\ufffd');
      expect(await page.locator('h1').textContent()).toBe(`Evaluation of ${shown}`);
      await page.getByLabel('Text').fill('onerror=');
      expect((await shownCases(page)).length).toBe(6);
    }));
});
