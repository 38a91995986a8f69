// docs/viewer.png: the demo of the README as the viewer shows it. `npm run picture`
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openBrowser } from '../browser.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const BIN = path.join(ROOT, 'cli/bin.mjs');
/** Drawing a volume without a graphics chip takes a while. */
const DRAWN_MS = 25_000;

const folder = await mkdtemp(path.join(tmpdir(), 'sammix-picture-'));
const [scans, out] = [path.join(folder, 'in'), path.join(folder, 'out')];
sammix('phantom', '--out', scans);
sammix('run', scans, '--label', path.join(scans, 'labelsTr'), '--out', out);
const server = spawn(process.execPath, [BIN, 'view', out, '--json']);
const browser = await openBrowser();
const { page } = await browser.newPage({
  viewport: { width: 1280, height: 800 },
  colorScheme: 'dark',
});
await page.goto(await address());
await page.waitForTimeout(DRAWN_MS);
await page.screenshot({ path: path.join(ROOT, 'docs/viewer.png') });
await browser.close();
server.kill();
await rm(folder, { recursive: true });

function sammix(...args: string[]): void {
  const { status } = spawnSync(process.execPath, [BIN, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function address(): Promise<string> {
  let text = '';
  return new Promise((resolve) => {
    server.stdout.on('data', (chunk) => {
      text += chunk;
      const found = /http:\/\/[^"\s]+/.exec(text);
      if (found) resolve(found[0]);
    });
  });
}
