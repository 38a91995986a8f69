// docs/training-page.png: the page that `sammix train` writes, of a very small network and synthetic CT. `npm run picture`
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openBrowser } from '../browser.ts';
import { ROOT, sammix } from './pictures.ts';

const PYTHON = path.join(ROOT, 'gpu-jobs/train/.venv/bin/python');

const folder = await mkdtemp(path.join(tmpdir(), 'sammix-picture-'));
const [scans, out] = [path.join(folder, 'scans'), path.join(folder, 'liver')];
sammix('phantom', '--out', scans, '--cases', '4');
// The bundle that comes with sammix would take the better part of an hour for as many points.
const [begun, start] = [path.join(folder, 'begun'), path.join(folder, 'start')];
const small = ['--size', 'tiny', '--steps', '2', '--lambda-max', '0', '--device', 'cpu'];
trainer('train', '--data', scans, '--out', begun, ...small);
trainer('export', '--run', begun, '--out', start, '--golden-cases', 'empty-cam');
const work = ['--start-from', start, '--labels', '50', '--steps', '150'];
sammix('train', scans, '--target', 'liver', '--out', out, ...work, '--python', PYTHON, '--yes');
const browser = await openBrowser({ webgl: false });
const { page } = await browser.newPage({ viewport: { width: 900, height: 700 } });
await page.goto(`file://${path.join(out, 'training/report.html')}`);
await page.screenshot({ path: path.join(ROOT, 'docs/training-page.png') });
await browser.close();
await rm(folder, { recursive: true });

function trainer(...args: string[]): void {
  const cwd = path.join(ROOT, 'gpu-jobs/train');
  const { status } = spawnSync(PYTHON, ['-m', 'sammix_train', ...args], { cwd, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
