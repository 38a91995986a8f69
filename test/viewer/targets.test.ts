import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentProgress } from '../../cli/progress.ts';
import { runCommand } from '../../cli/run.ts';
import { LAYERS } from '../../core/draw/layers.ts';
import { findChromium, NO_CHROMIUM, openBrowser, type TestBrowser } from '../browser.ts';
import { bundleOf } from '../support/bundles.ts';
import { phantomFile, TINY_BUNDLE, temporaryFolder } from '../support/case.ts';
import { opened, press, ready } from './opened.ts';
import { CanvasPicture, type Rgb } from './picture.ts';

const chromium = findChromium();
if (!chromium) console.warn(`SKIPPED: several targets in a browser; ${NO_CHROMIUM}`);

const MASK = LAYERS.find(({ key }) => key === 'mask')!.rgb;
/** The first of the colours of other targets: blue. */
const BESIDE: Rgb = [70, 130, 255];

describe.skipIf(!chromium)('a case of two targets in the viewer', { timeout: 240_000 }, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await openBrowser();
  }, 240_000);
  afterAll(() => browser?.close());

  it('shows both masks, each in its colour, by name and one at a time', async () => {
    const folder = await temporaryFolder();
    const scan = path.join(folder, 'one.nii');
    const { image } = phantomFile({ seed: 3, columns: 64, rows: 64, slices: 8 });
    await writeFile(scan, image);
    const out = path.join(folder, 'out');
    const spleen = await bundleOf(path.join(folder, 'spleen'), {
      target: 'spleen',
      windowHu: [-100, 300],
    });
    const options = { out, bundle: [TINY_BUNDLE, spleen], threads: 1, slicesPerJob: 8 };
    await runCommand([scan], { ...options, postprocess: true, force: false }, silentProgress);

    const { page, view } = await opened(browser, out);
    expect(view.index.cases.map(({ caseId }) => caseId)).toEqual(['one, liver', 'one, spleen']);
    await press(page, 'o', 'x');
    for (const name of ['liver', 'spleen'])
      await page.getByRole('slider', { name: `Opacity of the ${name}`, exact: true }).fill('100');
    expect(await page.locator('#facts').textContent()).toContain('liver');
    expect((await CanvasPicture.of(page)).count(MASK)).toBeGreaterThan(50);
    await press(page, 'm');
    const alone = await CanvasPicture.of(page);
    expect(alone.count(MASK)).toBe(0);
    expect(alone.count(BESIDE)).toBeGreaterThan(50);
    await page.getByRole('checkbox', { name: 'spleen', exact: true }).click();
    expect((await CanvasPicture.of(page)).count(BESIDE)).toBe(0);
    await press(page, 'm');

    const loaded = page.waitForEvent('load');
    await press(page, 'j');
    await loaded;
    await ready(page);
    expect(await page.locator('#facts').textContent()).toMatch(/ · spleen \d+ ml$/);
    expect(await page.locator('#readout').textContent()).toContain('P(spleen)');
    expect(await page.locator('#layer-rows').textContent()).toMatch(/^spleen m.*liver/);
  });
});
