import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openLabelling } from '../../cli/labelling/server.ts';
import { findChromium, NO_CHROMIUM, openBrowser, type TestBrowser } from '../browser.ts';
import { TINY_BUNDLE } from '../support/case.ts';
import { runPhantoms } from './cases.ts';
import { dataset, labelled, OPTIONS, phantom, placeOf, ready, text } from './label-dataset.ts';
import { CanvasPicture, type Rgb } from './picture.ts';

const RANDOM = { ...OPTIONS, bundle: TINY_BUNDLE, order: 'random' } as const;
const SLICE = 5;
const { columns } = phantom.grid;
const PROPOSED: Rgb = [240, 228, 66];
const TARGET: Rgb = [86, 180, 233];

/** Middle of what is labelled in the slice, and how much. */
async function drawnAt(root: string) {
  const plane = await labelled(root, SLICE);
  const at = [...plane.keys()].filter((n) => plane[n] === 1);
  const mean = (of: (n: number) => number) => at.reduce((sum, n) => sum + of(n), 0) / at.length;
  return {
    voxels: at.length,
    x: mean((n) => n % columns),
    y: mean((n) => Math.floor(n / columns)),
  };
}

/** They lie over the picture, which is compared. */
const withoutMessages = (page: Page) =>
  page.addStyleTag({ content: '#message { visibility: hidden }' });

describe.skipIf(findChromium() === undefined)(`hands on the label page (${NO_CHROMIUM})`, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await openBrowser({ webgl: false });
  });
  afterAll(() => browser.close());

  async function open(context: object) {
    const root = await dataset();
    const labelling = await openLabelling(root, RANDOM);
    let stopped: Promise<void> | undefined;
    const stop = () => {
      stopped ??= labelling.stop();
      return stopped;
    };
    onTestFinished(stop);
    const { page, faults } = await browser.newPage(context);
    onTestFinished(async () => {
      await page.close();
      expect(faults).toEqual([]);
    });
    await page.goto(`${labelling.server.url}#case=one&slice=${SLICE}`);
    await ready(page);
    await withoutMessages(page);
    await page.locator('#canvas').focus();
    await page.keyboard.press('d');
    return { root, page, stop };
  }

  it('zooms about the mouse, moves, paints where it is seen, and goes back to the whole slice', async () => {
    const { root, page, stop } = await open({ viewport: { width: 900, height: 700 } });
    const whole = await CanvasPicture.of(page);
    const spot = await placeOf(page, 30, 20);
    await page.mouse.move(spot.x, spot.y);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -700);
    await page.keyboard.up('Control');
    for (const button of ['middle', 'left'] as const) {
      if (button === 'left') await page.keyboard.down(' ');
      await page.mouse.down({ button });
      await page.mouse.move(spot.x + 20, spot.y + 15);
      await page.mouse.move(spot.x + 40, spot.y + 30);
      await page.mouse.up({ button });
      if (button === 'left') await page.keyboard.up(' ');
      await page.mouse.move(spot.x, spot.y);
    }
    expect(await text(page, 'count')).toBe('0 of 4 slices labelled');
    // Twice moved: the voxel that was under the mouse is there now.
    await page.mouse.move(spot.x + 80, spot.y + 60);
    await page.mouse.down();
    await page.mouse.up();
    await ready(page);
    await page.keyboard.press('0');
    await page.keyboard.press('u');
    await ready(page);
    await page.mouse.move(1, 1);
    expect((await CanvasPicture.of(page)).sameAs(whole)).toBe(true);
    expect(await text(page, 'count')).toBe('0 of 4 slices labelled');
    await page.keyboard.press('y');
    await ready(page);
    await page.keyboard.press('.');
    await ready(page);
    expect(await text(page, 'place')).toBe(`one, slice ${SLICE + 1}`);
    await stop();
    const { voxels, x, y } = await drawnAt(root);
    expect(Math.hypot(x - 30, y - 20)).toBeLessThan(0.5);
    // A disc of six voxels.
    expect(voxels).toBeGreaterThan(100);
    expect(voxels).toBeLessThan(125);
  });

  it('is drawn on with a finger and a pen, and moved with two fingers, without scrolling the page', async () => {
    const { root, page, stop } = await open({
      viewport: { width: 820, height: 1180 },
      hasTouch: true,
    });
    const cdp = await page.context().newCDPSession(page);
    const { x: cx, y: cy } = await placeOf(page, 48, 40);
    const touch = (type: string, ...points: [number, number][]) =>
      cdp.send('Input.dispatchTouchEvent', {
        type: type as 'touchStart',
        touchPoints: points.map(([dx, dy], id) => ({ x: cx + dx, y: cy + dy, id })),
      });
    const whole = await CanvasPicture.of(page);
    // Two fingers never land at once: what the first began is taken back.
    await touch('touchStart', [-60, 0]);
    await touch('touchMove', [-58, 0]);
    await touch('touchStart', [-58, 0], [60, 0]);
    await touch('touchMove', [-116, 0], [120, 0]);
    await touch('touchEnd');
    await ready(page);
    expect(await text(page, 'count')).toBe('0 of 4 slices labelled');
    expect((await CanvasPicture.of(page)).sameAs(whole)).toBe(false);
    await page.keyboard.press('0');
    expect((await CanvasPicture.of(page)).sameAs(whole)).toBe(true);

    await touch('touchStart', [0, 0]);
    for (const dy of [30, 60, 90]) await touch('touchMove', [0, dy]);
    await touch('touchEnd');
    await ready(page);
    expect(await text(page, 'count')).toBe('1 of 4 slices labelled');
    expect(await page.evaluate('[scrollX, scrollY, visualViewport.scale]')).toEqual([0, 0, 1]);
    expect(await page.evaluate('document.documentElement.scrollHeight <= innerHeight')).toBe(true);
    await page.keyboard.press('u');
    await ready(page);

    const pen = (type: string, dx: number) =>
      cdp.send('Input.dispatchMouseEvent', {
        type: type as 'mousePressed',
        pointerType: 'pen',
        x: cx + dx,
        y: cy,
        button: 'left',
        buttons: 1,
        clickCount: 1,
      });
    await pen('mousePressed', 0);
    await pen('mouseMoved', 1);
    await pen('mouseReleased', 1);
    await ready(page);
    expect(await text(page, 'count')).toBe('1 of 4 slices labelled');
    await page.mouse.move(1, 1);
    const drawn = await CanvasPicture.of(page);
    // The hand that rests beside the pen moves the picture, and draws nothing.
    await touch('touchStart', [-80, 80]);
    await touch('touchMove', [-60, 60]);
    await touch('touchEnd');
    await ready(page);
    const moved = await CanvasPicture.of(page);
    const [from, to] = [drawn.middleOf(TARGET), moved.middleOf(TARGET)];
    expect(Math.hypot(to.x - from.x - 20, to.y - from.y + 20)).toBeLessThan(3);
    await stop();
    const { voxels, x, y } = await drawnAt(root);
    expect(Math.hypot(x - 48, y - 40)).toBeLessThan(1);
    expect(voxels).toBeLessThan(125);
  });

  it('shows what a run drew as proposed, until it is accepted', async () => {
    const cases = await runPhantoms(['plain']);
    onTestFinished(cases.remove);
    const { server, state, stop } = await openLabelling(undefined, {
      ...RANDOM,
      from: cases.out,
    });
    onTestFinished(stop);
    const { page, faults } = await browser.newPage({ viewport: { width: 900, height: 700 } });
    const slice = state.cases[0]!.slices >> 1;
    await page.goto(`${server.url}#case=plain&slice=${slice}`);
    await ready(page);
    await withoutMessages(page);
    expect(await text(page, 'standing')).toBe('proposed, not yet confirmed');
    expect(await text(page, 'message')).toContain('Accept (key a)');
    await page.locator('#canvas').focus();
    const proposed = await CanvasPicture.of(page);
    expect(proposed.count(PROPOSED)).toBeGreaterThan(50);
    expect(proposed.count(TARGET)).toBe(0);
    await page.keyboard.press('a');
    await ready(page);
    const accepted = await CanvasPicture.of(page);
    expect(accepted.count(PROPOSED)).toBe(0);
    expect(accepted.count(TARGET)).toBeGreaterThan(50);
    expect(await text(page, 'standing')).toBe('labelled');
    expect(await text(page, 'count')).toBe('1 of 4 slices labelled');
    await page.keyboard.press('u');
    await ready(page);
    await page.mouse.move(1, 1);
    expect(await text(page, 'standing')).toBe('proposed, not yet confirmed');
    expect((await CanvasPicture.of(page)).sameAs(proposed)).toBe(true);
    await page.close();
    expect(faults).toEqual([]);
  });
});
