import { spawn } from 'node:child_process';
import { once as event } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { EXIT } from '../../cli/exit-codes.ts';
import { phantomFile, TINY_BUNDLE, temporaryFolder } from '../support/case.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.mjs', import.meta.url));

it('stopped while a graph runs, sammix ends in order and keeps the finished slabs', async () => {
  const folder = await temporaryFolder();
  const input = path.join(folder, 'patient1.nii');
  await writeFile(input, phantomFile({ seed: 3, columns: 48, rows: 48, slices: 160 }).image);
  const out = path.join(folder, 'out');
  const options = ['--out', out, '--bundle', TINY_BUNDLE, '--slices-per-job', '8'];
  const child = spawn(process.execPath, [BIN, 'run', input, ...options], { stdio: 'ignore' });
  const ended = event(child, 'exit');
  const finishedSlab = path.join(out, 'patient1/work/masks/00000.json');
  while (!existsSync(finishedSlab) && child.exitCode === null) await setTimeout(20);
  child.kill('SIGINT');
  const [code, signal] = await ended;
  expect(signal).toBeNull();
  expect(code).toBe(EXIT.interrupted);
  expect(existsSync(finishedSlab)).toBe(true);
  expect(existsSync(path.join(out, 'patient1/report.json'))).toBe(false);
});
