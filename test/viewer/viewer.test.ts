import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openView } from '../../cli/view.ts';
import { LAYERS } from '../../core/draw/layers.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { axeViolations } from '../axe.ts';
import { findChromium, NO_CHROMIUM, openBrowser, type TestBrowser } from '../browser.ts';
import { once } from '../support/case.ts';
import { type Cases, FLAGGED_SLICE, runPhantoms } from './cases.ts';
import { messageOf, type Opened, opened, openViewer, press, ready, sliceShown } from './opened.ts';
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
      one = await openViewer(browser, path.join(cases.out, 'turned'));
      ({ page } = one);
      await press(page, 'o', 'x');
      await page.getByRole('slider', { name: 'Opacity of the Mask' }).fill('100');
      await page.getByRole('slider', { name: 'Opacity of the CAM' }).fill('100');
    }, 240_000);
    afterAll(() => one.close());

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
      await press(page, 'n', 'n');
      expect(await sliceShown(page)).toBe(FLAGGED_SLICE);
      expect(await messageOf(page)).toBe('Round again: the first flagged slice.');
      await press(page, 'p');
      expect(await sliceShown(page)).toBe(FLAGGED_SLICE + 4);
      expect(await messageOf(page)).toBe('Round again: the last flagged slice.');
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
      one = await openViewer(browser, path.join(cases.out, 'plain'));
      ({ page } = one);
      await press(page, 'x');
    }, 240_000);
    afterAll(() => one.close());

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
      expect(await page.getByRole('dialog', { name: 'Mouse, fingers and keys' }).isVisible()).toBe(
        true,
      );
      await press(page, 'Escape');
      expect(await page.getByRole('dialog', { name: 'Mouse, fingers and keys' }).isVisible()).toBe(
        false,
      );
    });

    it('fits a phone, and every control has a name', async () => {
      await page.setViewportSize({ width: 390, height: 844 });
      const wider = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(wider).toBeLessThanOrEqual(0);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await axeViolations(page)).toEqual([]);
      }
      const nameless = await page.evaluate(`[...document.querySelectorAll('input, select, button')]
        .filter((one) => !one.labels?.length && !one.getAttribute('aria-label'))
        .filter((one) => !one.textContent.trim())
        .map((one) => one.outerHTML)`);
      expect(nameless).toEqual([]);
    });
  });

  it('lists the cases of a folder, and opens the one that is clicked', async () => {
    const { page, view } = await opened(browser, cases.out, {
      context: { viewport: { width: 1100, height: 400 } },
    });
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
    const failure = page.locator('#failure');
    expect(await failure.textContent()).toMatch(
      /Not segmented.*Expected\d+ bytes of voxels.*What to do/,
    );
    expect(await page.locator('#canvas').isVisible()).toBe(false);
    expect(await failure.getByRole('link', { name: 'The report of the case' }).count()).toBe(1);
    const back = page.waitForEvent('load');
    await press(page, 'j');
    await back;
    await ready(page);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('plain');
  });

  it('draws a volume that is too large for the card at half its resolution', async () => {
    const { page } = await opened(browser, path.join(cases.out, 'turned'), {
      // A card that holds 64 voxels along a side; the scan has 72 columns.
      prepare: (page) =>
        page.addInitScript(`{
          const { prototype } = WebGL2RenderingContext;
          const { getParameter } = prototype;
          prototype.getParameter = function (name) {
            return name === this.MAX_3D_TEXTURE_SIZE ? 64 : getParameter.call(this, name);
          };
        }`),
    });
    expect(await messageOf(page)).toMatch(/Drawn at 1\/2 of its resolution .* 24 × 56 × 72 voxels/);
    await press(page, 'o', 'x');
    await page.getByRole('slider', { name: 'Opacity of the Mask' }).fill('100');
    await expectMaskDrawn(page, 'turned', await sliceShown(page));
    expect(await page.locator('#slice').getAttribute('max')).toBe('23');
  });

  it('shows the mask where the image is not the one that was segmented', async () => {
    const image = path.join(cases.input, 'plain.nii');
    const { page } = await opened(browser, path.join(cases.out, 'turned'), {
      options: { image },
    });
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
