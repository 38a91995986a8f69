import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type OpenView, openView, type ViewOptions } from '../../cli/view.ts';
import { LAYERS } from '../../core/draw/layers.ts';
import { openNifti } from '../../core/volume/reader.ts';
import {
  findChromium,
  NO_CHROMIUM,
  openBrowser,
  type TestBrowser,
  type WatchedPage,
} from '../browser.ts';
import { once } from '../support/case.ts';
import { type Cases, FLAGGED_SLICE, runPhantoms } from './cases.ts';
import { CanvasPicture, near, type Rgb } from './picture.ts';
import { clearVoxels, hottestCell } from './voxels.ts';

const chromium = findChromium();
if (!chromium) console.warn(`SKIPPED: the viewer in a browser; ${NO_CHROMIUM}`);

const MASK = LAYERS.find(({ key }) => key === 'mask')!.rgb;
const LABEL = LAYERS.find(({ key }) => key === 'label')!.rgb;
/** The upper end of the CAM's colours. */
const CAM_PEAK: Rgb = [255, 240, 200];

const isMask = (colour: Rgb): boolean => near(colour, MASK);

/** Drawing without a GPU takes seconds: tests of one case share its page and leave it as it was. */
describe.skipIf(!chromium)('the viewer', { timeout: 240_000 }, () => {
  let cases: Cases;
  let browser: TestBrowser;
  beforeAll(async () => {
    [cases, browser] = await Promise.all([runPhantoms(), openBrowser()]);
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    await cases?.remove();
  });

  interface Opened extends WatchedPage {
    readonly view: OpenView;
    readonly elsewhere: readonly string[];
    close(): Promise<void>;
  }

  async function open(
    dir: string,
    options: Partial<ViewOptions> = {},
    viewport = { width: 640, height: 560 },
  ): Promise<Opened> {
    const view = await openView(dir, { port: 0, ...options });
    const { page, faults } = await browser.newPage({ viewport });
    const elsewhere: string[] = [];
    page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(view.server.url))
        elsewhere.push(request.url());
    });
    const close = async (): Promise<void> => {
      await page.close();
      await view.server.close();
    };
    page.setDefaultTimeout(120_000);
    await page.goto(view.server.url);
    await ready(page);
    return { view, page, faults, elsewhere, close };
  }

  /** For a test with a page of its own, which ends with it. */
  async function opened(...of: Parameters<typeof open>): Promise<Opened> {
    const one = await open(...of);
    onTestFinished(async () => {
      await one.close();
      expect(one.faults).toEqual([]);
      expect(one.elsewhere).toEqual([]);
    });
    return one;
  }

  async function expectMaskDrawn(page: Page, caseId: string, slice: number): Promise<void> {
    const { grid, inside, outside } = await clearVoxels(cases.out, caseId, slice);
    const drawn = await CanvasPicture.of(page);
    expect(inside.length).toBeGreaterThan(10);
    const over = (voxels: [number, number][]): Rgb[] =>
      voxels.map(([i, j]) => drawn.overAxial(grid, i, j));
    expect(over(inside).filter((colour) => !isMask(colour))).toEqual([]);
    expect(over(outside).filter(isMask)).toEqual([]);
  }

  describe('of a case stored slices first and rows upwards', () => {
    let one: Opened;
    let page: Page;
    beforeAll(async () => {
      one = await open(path.join(cases.out, 'turned'));
      ({ page } = one);
      await press(page, 'o', 'x');
      await page.getByRole('slider', { name: 'Opacity of the Mask' }).fill('100');
      await page.getByRole('slider', { name: 'Opacity of the CAM' }).fill('100');
    }, 240_000);
    afterAll(async () => {
      await one.close();
      expect(one.faults).toEqual([]);
      expect(one.elsewhere).toEqual([]);
    });

    it('draws the mask where it lies, and not when it is switched off', async () => {
      await expectMaskDrawn(page, 'turned', await sliceShown(page));
      await press(page, 'm');
      expect((await CanvasPicture.of(page)).count(MASK)).toBe(0);
      await press(page, 'm');
    });

    it('goes to the slices that a flag names, by button and by key', async () => {
      expect(await sliceShown(page)).not.toBe(FLAGGED_SLICE);
      const name = `slices ${FLAGGED_SLICE}–${FLAGGED_SLICE + 1}`;
      await page.getByRole('button', { name }).click();
      expect(await sliceShown(page)).toBe(FLAGGED_SLICE);
      await expectMaskDrawn(page, 'turned', FLAGGED_SLICE);
      await press(page, 'n', 'n');
      expect(await sliceShown(page)).toBe(FLAGGED_SLICE + 4);
      await press(page, 'p');
      expect(await sliceShown(page)).toBe(FLAGGED_SLICE + 1);
    });

    it('draws the CAM over the place that its own header gives', async () => {
      await press(page, 'm', 'c');
      const { index, grid } = await hottestCell(cases.out, 'turned');
      await page.locator('#slice').fill(String(Math.round(index[2])));
      const [i, j] = [Math.round(index[0]), Math.round(index[1])];
      const colour = (await CanvasPicture.of(page)).overAxial(grid, i, j);
      expect(Math.max(...colour.map((value, n) => Math.abs(value - CAM_PEAK[n]!)))).toBeLessThan(
        40,
      );
      await press(page, 'c');
      const without = (await CanvasPicture.of(page)).overAxial(grid, i, j);
      expect(new Set(without).size).toBe(1);
      await press(page, 'm');
    });
  });

  describe('of a case with a label', () => {
    let one: Opened;
    let page: Page;
    beforeAll(async () => {
      one = await open(path.join(cases.out, 'plain'));
      ({ page } = one);
      await press(page, 'x');
    }, 240_000);
    afterAll(async () => {
      await one.close();
      expect(one.faults).toEqual([]);
      expect(one.elsewhere).toEqual([]);
    });

    it('draws the label as contours or as areas', async () => {
      await press(page, 'm');
      await page.getByRole('slider', { name: 'Opacity of the Label' }).fill('100');
      const contour = (await CanvasPicture.of(page)).count(LABEL);
      await press(page, 'o');
      const area = (await CanvasPicture.of(page)).count(LABEL);
      expect(contour).toBeGreaterThan(0);
      expect(area).toBeGreaterThan(2 * contour);
      await press(page, 'm', 'l');
    });

    it('draws the mask of a file as scanners store it', async () => {
      await page.getByRole('slider', { name: 'Opacity of the Mask' }).fill('100');
      await expectMaskDrawn(page, 'plain', await sliceShown(page));
    });

    it('draws Hounsfield units as the window says', async () => {
      const k = await sliceShown(page);
      const { grid, outside } = await clearVoxels(cases.out, 'plain', k);
      const hu = await slice(path.join(cases.input, 'plain.nii'), k);
      for (const [label, low, high] of [
        ['Bone (W 1500, L 400)', -350, 1150],
        ['Soft tissue (W 400, L 40)', -160, 240],
      ] as const) {
        await page.getByLabel('Window').selectOption({ label });
        const shown = await CanvasPicture.of(page);
        const drawn = outside.map(([i, j]) => shown.overAxial(grid, i, j)[0]);
        const expected = outside.map(([i, j]) => {
          const share = (hu[j * grid.columns + i]! - low) / (high - low);
          return 255 * Math.min(1, Math.max(0, share));
        });
        expect(Math.abs(mean(drawn) - mean(expected))).toBeLessThan(4);
      }
    });

    it('is worked by keys, and says which', async () => {
      const first = await sliceShown(page);
      await page.locator('#canvas').focus();
      await press(page, 'ArrowUp', 'ArrowRight', 'ArrowDown');
      expect(await sliceShown(page)).toBe(first + 1);
      expect(await page.locator('#readout').textContent()).toContain(`slice ${first + 1} of 0–23`);
      for (const [key, name, last] of [
        ['2', 'Coronal', 55],
        ['3', 'Sagittal', 71],
        ['4', 'Planes', 23],
        ['5', '3D', 23],
        ['1', 'Axial', 23],
      ] as const) {
        await press(page, key);
        expect(await page.getByRole('radio', { name }).isChecked()).toBe(true);
        expect(await page.locator('#slice').getAttribute('max')).toBe(String(last));
      }
      await press(page, '?');
      expect(await page.getByRole('dialog', { name: 'Keys' }).isVisible()).toBe(true);
      await press(page, 'Escape');
      expect(await page.getByRole('dialog', { name: 'Keys' }).isVisible()).toBe(false);
    });

    it('fits a phone, and every control has a name', async () => {
      await page.setViewportSize({ width: 390, height: 844 });
      const wider = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(wider).toBeLessThanOrEqual(0);
      const nameless = await page.evaluate(`[...document.querySelectorAll('input, select, button')]
        .filter((one) => !one.labels?.length && !one.getAttribute('aria-label'))
        .filter((one) => !one.textContent.trim())
        .map((one) => one.outerHTML)`);
      expect(nameless).toEqual([]);
    });
  });

  it('lists the cases of a folder, and opens the one that is clicked', async () => {
    const { page, view } = await opened(cases.out, {}, { width: 1100, height: 500 });
    expect(view.index.cases.map(({ caseId }) => caseId)).toEqual(['cut', 'plain', 'turned']);
    const list = page.getByRole('navigation', { name: 'Cases' });
    expect(await list.getByRole('link').count()).toBe(3);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('plain');
    expect(await list.getByRole('listitem').nth(1).textContent()).toMatch(/ ml · Dice 0\.\d{3}/);
    const loaded = page.waitForEvent('load');
    await list.getByRole('link', { name: 'cut' }).click();
    await loaded;
    await ready(page);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('cut');
    expect(await page.locator('#message').textContent()).toMatch(/This case failed: expected/);
  });

  it('shows the mask where the image is not the one that was segmented', async () => {
    const image = path.join(cases.input, 'plain.nii');
    const { page } = await opened(path.join(cases.out, 'turned'), { image });
    expect(await page.locator('#message').textContent()).toMatch(/Not shown: plain\.nii: expected/);
    await press(page, 'o', 'x');
    await page.getByRole('slider', { name: 'Opacity of the Mask' }).fill('100');
    await expectMaskDrawn(page, 'turned', await sliceShown(page));
  });

  it('says what is missing where there is no WebGL 2, and shows the report’s picture', async () => {
    const flat = await openBrowser({ webgl: false });
    onTestFinished(() => flat.close());
    const view = await openView(path.join(cases.out, 'plain'), { port: 0 });
    onTestFinished(() => view.server.close());
    const { page, faults } = await flat.newPage();
    await page.goto(view.server.url);
    await ready(page);
    expect(await page.locator('#message').textContent()).toContain('no WebGL 2');
    await page.waitForFunction('document.getElementById("fallback").naturalWidth > 0');
    expect(await page.getByRole('article').count()).toBe(1);
    expect(faults).toEqual([]);
  });
});

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

async function slice(file: string, k: number): Promise<Float32Array> {
  const reader = await openNifti(once(await readFile(file)), { subject: file });
  for await (const { index, hu } of reader.axialSlices())
    if (index === k) return Float32Array.from(hu);
  throw new Error(`${file} has no slice ${k}`);
}

const ready = (page: Page): Promise<unknown> =>
  page.waitForSelector('body:not([data-state=loading])[data-state]');

async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

const sliceShown = async (page: Page): Promise<number> =>
  Number(await page.locator('#slice').inputValue());
