// docs/label-page.png: a box around the liver of a synthetic CT, and what the bundle draws in it. `npm run picture`
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { extentOf, type Plane } from '../../core/labelling/paint.ts';
import { phantomCase } from '../../phantom/phantom.ts';
import { KEY_ZOOM } from '../../viewer/label/zoom.ts';
import { openBrowser } from '../browser.ts';
import { ROOT, sammix, served } from './pictures.ts';

/** Of the first of them. */
const { grid, label } = phantomCase({ seed: 1 });
const SLICE = 33;

const folder = await mkdtemp(path.join(tmpdir(), 'sammix-picture-'));
const [labelled, scans] = [path.join(folder, 'labelled'), path.join(folder, 'scans')];
sammix('phantom', '--out', labelled);
await cp(path.join(labelled, 'imagesTr'), path.join(scans, 'imagesTr'), { recursive: true });
const browser = await openBrowser({ webgl: false });
await writeFile(path.join(ROOT, 'docs/label-page.png'), await labelPicture());
await browser.close();
await rm(folder, { recursive: true });

/** A box being dragged, and beside it what the bundle made of it. */
async function labelPicture(): Promise<Buffer> {
  const { url, stop } = await served('label', scans, '--target', 'liver', '--order', 'random');
  const { page } = await browser.newPage({ viewport: { width: 620, height: 640 } });
  const ready = () => page.waitForSelector('body[data-state=ready]');
  for (const slice of [4, 8, 50, SLICE]) {
    await page.goto(`${url}#case=phantom_0001&slice=${slice}`);
    await page.reload();
    await ready();
    if (slice !== SLICE) await page.keyboard.press('n');
    await ready();
  }
  const size = grid.columns * grid.rows;
  for (let n = 0; n < 2; n++) await page.keyboard.press('+');
  const mask = label.slice(SLICE * size, (SLICE + 1) * size).map((value) => (value ? 1 : 0));
  const [from, to] = extentOf({ columns: grid.columns, rows: grid.rows, mask } as Plane)!;
  const [a, b] = [await placeOf(page, from), await placeOf(page, to)];
  await page.mouse.move(a.x - 6, a.y - 6);
  await page.mouse.down();
  await page.mouse.move(b.x + 6, b.y + 6);
  const before = PNG.sync.read(await page.screenshot());
  await page.mouse.up();
  await ready();
  const after = PNG.sync.read(await page.screenshot());
  stop();
  await page.close();
  const gap = 16;
  const both = new PNG({ width: before.width * 2 + gap, height: before.height, fill: true });
  both.data.fill(255);
  PNG.bitblt(before, both, 0, 0, before.width, before.height, 0, 0);
  PNG.bitblt(after, both, 0, 0, before.width, before.height, before.width + gap, 0);
  return PNG.sync.write(both, { colorType: 2 });
}

async function placeOf(page: Page, { x: column, y: row }: { x: number; y: number }) {
  const { x, y, width, height } = (await page.locator('#canvas').boundingBox())!;
  const { columns, rows, spacingMm: mm } = grid;
  const whole = Math.min(width / (columns * mm.column), height / (rows * mm.row));
  const perMm = whole * KEY_ZOOM ** 2;
  return {
    x: x + width / 2 + (column + 0.5 - columns / 2) * mm.column * perMm,
    y: y + height / 2 + (row + 0.5 - rows / 2) * mm.row * perMm,
  };
}
