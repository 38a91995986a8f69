// docs/viewer.png: the demo of the README as the viewer shows it. `npm run picture`
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openBrowser } from '../browser.ts';
import { ROOT, sammix, served } from './pictures.ts';

/** Drawing a volume without a graphics chip takes a while. */
const DRAWN_MS = 25_000;

const folder = await mkdtemp(path.join(tmpdir(), 'sammix-picture-'));
const [scans, out] = [path.join(folder, 'in'), path.join(folder, 'out')];
sammix('phantom', '--out', scans);
sammix('run', scans, '--label', path.join(scans, 'labelsTr'), '--out', out);
const { url, stop } = await served('view', out);
const browser = await openBrowser();
const { page } = await browser.newPage({
  viewport: { width: 1280, height: 800 },
  colorScheme: 'dark',
});
await page.goto(url);
await page.waitForTimeout(DRAWN_MS);
await page.screenshot({ path: path.join(ROOT, 'docs/viewer.png') });
await browser.close();
stop();
await rm(folder, { recursive: true });
