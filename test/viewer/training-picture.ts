// docs/training-page.png: the page that `sammix train` writes, of a short fit to synthetic CT. `npm run picture`
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openBrowser } from '../browser.ts';
import { ROOT, sammix } from './pictures.ts';

const PYTHON = path.join(ROOT, 'gpu-jobs/train/.venv/bin/python');

const folder = await mkdtemp(path.join(tmpdir(), 'sammix-picture-'));
const [scans, out] = [path.join(folder, 'scans'), path.join(folder, 'liver')];
sammix('phantom', '--out', scans, '--cases', '4');
const work = ['--labels', '12', '--steps', '40', '--python', PYTHON, '--yes'];
sammix('train', scans, '--target', 'liver', '--out', out, ...work);
const browser = await openBrowser({ webgl: false });
const { page } = await browser.newPage({ viewport: { width: 900, height: 700 } });
await page.goto(`file://${path.join(out, 'training/report.html')}`);
await page.screenshot({ path: path.join(ROOT, 'docs/training-page.png') });
await browser.close();
await rm(folder, { recursive: true });
