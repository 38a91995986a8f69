import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openLabelling } from '../../cli/labelling/server.ts';
import { axeViolations, LOOKS } from '../axe.ts';
import { findChromium, NO_CHROMIUM, openBrowser, type TestBrowser } from '../browser.ts';
import { dataset, labelled, OPTIONS, phantom, placeOf, ready, text } from './label-dataset.ts';

async function drag(page: Page, from: readonly [number, number], to: readonly [number, number]) {
  const [a, b] = [await placeOf(page, ...from), await placeOf(page, ...to)];
  await page.mouse.move(a.x, a.y);
  await page.mouse.down();
  await page.mouse.move((a.x + b.x) / 2, (a.y + b.y) / 2);
  await page.mouse.move(b.x, b.y);
  await page.mouse.up();
  await ready(page);
}

async function values(root: string, slice: number): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for (const value of await labelled(root, slice)) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

describe.skipIf(findChromium() === undefined)(`the page of sammix label (${NO_CHROMIUM})`, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await openBrowser({ webgl: false });
  });
  afterAll(() => browser.close());

  it('draws by box and brush, undoes, saves, and shows it again after a restart', async () => {
    const root = await dataset();
    let labelling = await openLabelling(root, OPTIONS);
    const { page, faults } = await browser.newPage({ viewport: { width: 900, height: 700 } });
    await page.goto(labelling.server.url);
    await ready(page);
    expect(await text(page, 'count')).toBe('0 of 4 slices labelled');
    const slice = 7;
    await page.locator('#slice').fill(String(slice));
    await ready(page);
    // The extent of the liver in this slice, as somebody would draw a box around it.
    const { columns, rows } = phantom.grid;
    const liver = [...phantom.label.subarray(slice * columns * rows, (slice + 1) * columns * rows)];
    const at = liver.flatMap((value, n) =>
      value ? [[n % columns, Math.floor(n / columns)] as const] : [],
    );
    const low = (axis: 0 | 1) => Math.min(...at.map((one) => one[axis]));
    const high = (axis: 0 | 1) => Math.max(...at.map((one) => one[axis]));
    await drag(page, [low(0), low(1)], [high(0), high(1)]);
    expect(await text(page, 'message')).toBe('Saved.');
    expect(await text(page, 'count')).toBe('1 of 4 slices labelled');

    await page.keyboard.press('d');
    await drag(page, [5, 5], [20, 5]);
    await page.keyboard.press('u');
    await ready(page);
    await page.keyboard.press('e');
    await drag(page, [low(0), low(1)], [high(0), low(1)]);
    await page.keyboard.press('.');
    await ready(page);
    await page.keyboard.press('n');
    await ready(page);
    expect(await text(page, 'count')).toBe('2 of 4 slices labelled');
    await labelling.stop();

    const drawn = await values(root, slice);
    expect(drawn.get(2)).toBeUndefined();
    const share = drawn.get(1)! / at.length;
    expect(share).toBeGreaterThan(0.3);
    expect(share).toBeLessThan(1.5);
    expect(await values(root, slice + 1)).toEqual(new Map([[0, columns * rows]]));
    expect(await values(root, 0)).toEqual(new Map([[2, columns * rows]]));
    expect(await readdir(path.join(root, '.sammix', 'strokes', 'liver'))).toEqual([]);

    labelling = await openLabelling(root, OPTIONS);
    onTestFinished(() => labelling.stop());
    await page.goto(`${labelling.server.url}#case=one&slice=${slice}`);
    await ready(page);
    expect(await text(page, 'count')).toBe('2 of 4 slices labelled');
    expect(await text(page, 'standing')).toBe('labelled');
    expect(faults).toEqual([]);
    await page.close();
  });

  it('is drawn on by the keyboard alone, with the help at hand', async () => {
    const labelling = await openLabelling(await dataset(), OPTIONS);
    onTestFinished(() => labelling.stop());
    const { page, faults } = await browser.newPage({ viewport: { width: 900, height: 700 } });
    await page.goto(labelling.server.url);
    await ready(page);
    for (const key of ['?', 'Escape', 'd', 'ArrowUp', 'x', 'ArrowUp', 'ArrowUp', 'x'])
      await page.keyboard.press(key);
    await ready(page);
    expect(await text(page, 'count')).toBe('1 of 4 slices labelled');
    expect(faults).toEqual([]);
    await page.close();
  });

  it.each(LOOKS)('has nothing that axe finds wrong ($colorScheme)', async (look) => {
    const labelling = await openLabelling(await dataset(), OPTIONS);
    onTestFinished(() => labelling.stop());
    const { page } = await browser.newPage(look);
    await page.goto(labelling.server.url);
    await ready(page);
    expect(await axeViolations(page)).toEqual([]);
    expect(await cutOff(page)).toEqual([]);
    await page.close();
  });
});

/** Windows whose names are wider than their list; its arrow takes what a letter and a half does. */
const cutOff = (page: Page): Promise<string[]> =>
  page.evaluate(`(() => {
    const list = document.getElementById('window');
    const { font, paddingLeft, paddingRight } = getComputedStyle(list);
    const pen = document.createElement('canvas').getContext('2d');
    pen.font = font;
    const room = list.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight) - 20;
    return [...list.options].map((one) => one.textContent).filter((one) => pen.measureText(one).width > room);
  })()`);
