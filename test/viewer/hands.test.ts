import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { LAYERS } from '../../core/draw/layers.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { findChromium, NO_CHROMIUM, openBrowser, type TestBrowser } from '../browser.ts';
import { once } from '../support/case.ts';
import { type Cases, runPhantoms } from './cases.ts';
import { messageOf, type Opened, opened, openViewer, press, ready, sliceShown } from './opened.ts';
import { CanvasPicture, near, type Rgb } from './picture.ts';
import { clearVoxels } from './voxels.ts';

const chromium = findChromium();
if (!chromium) console.warn(`SKIPPED: mouse, fingers and keys of the viewer; ${NO_CHROMIUM}`);

const MASK = LAYERS.find(({ key }) => key === 'mask')!.rgb;
interface Place {
  readonly x: number;
  readonly y: number;
}

/** Bluish green, of the same set as the reports' colours. */
const OTHER: Rgb = [0, 158, 115];
const SOFT_TISSUE = 'Soft tissue (W 400, L 40)';

describe.skipIf(!chromium)('hands on the viewer', { timeout: 240_000 }, () => {
  let cases: Cases;
  let browser: TestBrowser;
  let plain: string;
  beforeAll(async () => {
    [cases, browser] = await Promise.all([runPhantoms(['plain', 'cut']), openBrowser()]);
    plain = path.join(cases.out, 'plain');
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    await cases?.remove();
  });

  describe('with a mouse', () => {
    let one: Opened;
    let page: Page;
    beforeAll(async () => {
      one = await openViewer(browser, plain);
      ({ page } = one);
      await press(page, 'o', 'x', 'l');
      await page.getByRole('slider', { name: 'Opacity of the Mask' }).fill('100');
      // The layers lie below the picture here, and filling one in scrolls to it.
      await page.evaluate('scrollTo(0, 0)');
    }, 240_000);
    afterAll(() => one.close());

    const maskPixels = async () => (await CanvasPicture.of(page)).count(MASK);
    const windowShown = (): Promise<string> =>
      page.evaluate('document.getElementById("window").selectedOptions[0].textContent');

    /** A pixel of the canvas in the page. */
    const inPage = async ({ x, y }: Place): Promise<Place> => {
      const box = (await page.locator('#canvas').boundingBox())!;
      return { x: box.x + x, y: box.y + y };
    };

    const middleOf = async (): Promise<Place> => {
      const { width, height } = (await page.locator('#canvas').boundingBox())!;
      return inPage({ x: width / 2, y: height / 2 });
    };

    async function drag(by: Place, button: 'left' | 'middle' = 'left') {
      const middle = await middleOf();
      await page.mouse.move(middle.x, middle.y);
      await page.mouse.down({ button });
      await page.mouse.move(middle.x + by.x / 2, middle.y + by.y / 2);
      await page.mouse.move(middle.x + by.x, middle.y + by.y);
      await page.mouse.up({ button });
    }

    it('begins with soft tissue and without the CAM', async () => {
      expect(await windowShown()).toBe(SOFT_TISSUE);
      expect(await page.getByRole('checkbox', { name: 'CAM' }).isChecked()).toBe(false);
    });

    it('steps through slices with the wheel, towards the head when it turns away', async () => {
      const first = await sliceShown(page);
      const { x, y } = await middleOf();
      await page.mouse.move(x, y);
      await page.mouse.wheel(0, -120);
      await page.mouse.wheel(0, -120);
      await expectSlice(page, first + 2);
      for (const _notch of [1, 2, 3]) await page.mouse.wheel(0, 120);
      await expectSlice(page, first - 1);
      // A touchpad: five small steps are three slices.
      for (const _step of [1, 2, 3, 4, 5]) await page.mouse.wheel(0, -10);
      await expectSlice(page, first + 2);
      await page.locator('#slice').fill(String(first));
      await expectSlice(page, first);
    });

    it('enlarges with Ctrl and the wheel what is under the mouse, and resets', async () => {
      const k = await sliceShown(page);
      const { grid, inside } = await clearVoxels(cases.out, 'plain', k);
      const before = await CanvasPicture.of(page);
      const [i, j] = inside[0]!;
      const { x, y } = before.placeOf(grid, i, j);
      const mouse = await inPage({ x, y });
      await page.mouse.move(mouse.x, mouse.y);
      await page.keyboard.down('Control');
      for (const _notch of [1, 2, 3]) await page.mouse.wheel(0, -120);
      await page.keyboard.up('Control');
      await expect.poll(maskPixels, POLL).toBeGreaterThan(1.5 * before.count(MASK));
      const larger = await CanvasPicture.of(page);
      expect(near(larger.at(x, y), MASK)).toBe(true);
      expect(await sliceShown(page)).toBe(k);
      await page.getByRole('button', { name: 'Reset' }).click();
      expect((await CanvasPicture.of(page)).sameAs(before)).toBe(true);
    });

    it('sets the window by dragging: wider to the right, darker downwards', async () => {
      await drag({ x: 60, y: 0 });
      const wide = /W (\d+), L 40/.exec(await windowShown());
      expect(Number(wide?.[1])).toBeGreaterThan(440);
      await press(page, 'r');
      expect(await windowShown()).toBe(SOFT_TISSUE);
      const before = await CanvasPicture.of(page);
      await drag({ x: 0, y: 60 });
      expect(await windowShown()).toMatch(/By hand \(W 400, L 1[012]\d\)/);
      const { grid, outside } = await clearVoxels(cases.out, 'plain', await sliceShown(page));
      const after = await CanvasPicture.of(page);
      const brightness = (picture: CanvasPicture): number =>
        outside.reduce((sum, [i, j]) => sum + picture.overAxial(grid, i, j)[0], 0);
      expect(brightness(after)).toBeLessThan(0.95 * brightness(before));
      await press(page, 'r');
      expect((await CanvasPicture.of(page)).sameAs(before)).toBe(true);
    });

    it('moves the picture with the middle button', async () => {
      const before = await CanvasPicture.of(page);
      const { grid, inside } = await clearVoxels(cases.out, 'plain', await sliceShown(page));
      await drag({ x: 30, y: -20 }, 'middle');
      const moved = await CanvasPicture.of(page);
      for (const [i, j] of inside) {
        const { x, y } = before.placeOf(grid, i, j);
        expect(near(moved.at(x + 30, y - 20), MASK)).toBe(true);
      }
      await press(page, 'r');
    });

    it('puts the cross where it is clicked, and says what is there', async () => {
      const k = await sliceShown(page);
      const { grid, inside } = await clearVoxels(cases.out, 'plain', k);
      const [i, j] = inside[3]!;
      const place = (await CanvasPicture.of(page)).placeOf(grid, i, j);
      const { x, y } = await inPage(place);
      await page.mouse.click(x, y);
      const hu = await slice(path.join(cases.input, 'plain.nii'), k);
      const text = await page.locator('#readout').textContent();
      expect(text).toContain(
        `${Math.round(hu[j * grid.columns + i]!)} HU at the cross`.replace('-', '−'),
      );
      expect(await sliceShown(page)).toBe(k);
    });
  });

  it('steps through slices with one finger, and enlarges with two', async () => {
    const { page } = await opened(browser, plain, { context: { hasTouch: true } });
    await press(page, 'o', 'x', 'l');
    await page.getByRole('slider', { name: 'Opacity of the Mask' }).fill('100');
    await page.evaluate('scrollTo(0, 0)');
    const touch = await page.context().newCDPSession(page);
    const { x, y, width, height } = (await page.locator('#canvas').boundingBox())!;
    const [cx, cy] = [x + width / 2, y + height / 2];
    const send = (type: string, ...points: [number, number][]) =>
      touch.send('Input.dispatchTouchEvent', {
        type: type as 'touchStart',
        touchPoints: points.map(([dx, dy], id) => ({ x: cx + dx, y: cy + dy, id })),
      });
    const first = await sliceShown(page);
    await send('touchStart', [0, 40]);
    await send('touchMove', [0, 10]);
    await send('touchMove', [0, -20]);
    await send('touchEnd');
    await expectSlice(page, first + 4);
    const before = await CanvasPicture.of(page);
    await send('touchStart', [-20, 0], [20, 0]);
    await send('touchMove', [-30, 0], [30, 0]);
    await send('touchMove', [-40, 0], [40, 0]);
    await send('touchEnd');
    const pixels = async () => (await CanvasPicture.of(page)).count(MASK);
    await expect.poll(pixels, POLL).toBeGreaterThan(2 * before.count(MASK));
    expect(await sliceShown(page)).toBe(first + 4);
  });

  it('shows the report’s picture until the volumes are there, and how much has come', async () => {
    const { page } = await opened(browser, plain, {
      prepare: async (page, { server }) => {
        await page.route(`${server.url}cases/0/image`, async (route) => {
          const width = () => page.evaluate('document.getElementById("fallback").naturalWidth');
          await expect.poll(width, POLL).toBeGreaterThan(0);
          expect(await page.locator('#fallback').isVisible()).toBe(true);
          await expect.poll(() => messageOf(page), POLL).toMatch(/^Loading \d+ %/);
          await route.continue();
        });
      },
    });
    expect(await page.locator('#fallback').isVisible()).toBe(false);
    expect(await page.locator('#progress').isVisible()).toBe(false);
  });

  it('compares two masks, one or the other at a key, and takes another to compare with', async () => {
    const label = path.join(cases.input, 'plain_label.nii');
    const empty = path.join(cases.root, 'by another tool');
    await mkdir(empty);
    await writeFile(path.join(empty, 'plain.nii'), emptied(await readFile(label)));
    const { page } = await opened(browser, plain, { options: { other: [label, empty] } });
    await press(page, 'o', 'x', 'l');
    for (const name of ['Mask', 'plain_label.nii'])
      await page.getByRole('slider', { name: `Opacity of the ${name}`, exact: true }).fill('100');
    const shown = async () => {
      const picture = await CanvasPicture.of(page);
      return [picture.count(MASK) > 50, picture.count(OTHER) > 50];
    };
    await press(page, 'f');
    expect(await shown()).toEqual([true, false]);
    expect(await messageOf(page)).toBe('Shown: Mask.');
    await press(page, 'f');
    expect(await shown()).toEqual([false, true]);
    expect(await messageOf(page)).toBe('Shown: plain_label.nii.');
    const at = await sliceShown(page);
    const loaded = page.waitForEvent('load');
    await page.getByLabel('Compare with').selectOption('by another tool');
    await loaded;
    await ready(page);
    expect(await sliceShown(page)).toBe(at);
    await press(page, 'o', 'x', 'l', 'f', 'f');
    expect(await messageOf(page)).toBe('Shown: by another tool.');
    expect(await shown()).toEqual([false, false]);
  });

  it('leads to the report and back', async () => {
    const { page } = await opened(browser, plain);
    await page.getByRole('link', { name: 'Report' }).click();
    await page.waitForSelector('h1:has-text("Liver segmentation")');
    await page.getByRole('link', { name: 'Open in the viewer' }).click();
    await ready(page);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('plain');
  });

  it('works at the other end of a tunnel, under another port', async () => {
    const { view } = await opened(browser, plain);
    const tunnel = createServer((near) => {
      const far = connect(Number(new URL(view.server.url).port), '127.0.0.1');
      near.pipe(far).pipe(near);
      for (const end of [near, far]) end.on('error', () => end.destroy());
    });
    await new Promise<void>((resolve) => tunnel.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void tunnel.close());
    const { page, faults } = await browser.newPage({ viewport: { width: 400, height: 300 } });
    onTestFinished(() => page.close());
    const { port } = tunnel.address() as AddressInfo;
    await page.goto(view.server.url.replace(/127\.0\.0\.1:\d+/, `localhost:${port}`));
    await ready(page);
    expect(await page.locator('#readout').textContent()).toMatch(/^slice \d+ of 0–23/);
    expect(faults).toEqual([]);
  });
});

/** The same header, no voxel set. */
const emptied = (label: Uint8Array): Uint8Array => Uint8Array.from(label).fill(0, 352);

/** Wheels and fingers are handled after the call that sends them has returned. */
const POLL = { timeout: 20_000, interval: 100 };

const expectSlice = (page: Page, k: number): Promise<void> =>
  expect.poll(() => sliceShown(page), POLL).toBe(k);

async function slice(file: string, k: number): Promise<Float32Array> {
  const reader = await openNifti(once(await readFile(file)), { subject: file });
  for await (const { index, hu } of reader.axialSlices())
    if (index === k) return Float32Array.from(hu);
  throw new Error(`${file} has no slice ${k}`);
}
