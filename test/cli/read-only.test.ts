import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { EXIT } from '../../cli/exit-codes.ts';
import { phantomFile, TINY_BUNDLE, temporaryFolder } from '../support/case.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.mjs', import.meta.url));

it('a read-only disk is called one, before any work is done', async (test) => {
  const disk = await temporaryFolder();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=64k', 'tmpfs', disk]);
  if (status !== 0) {
    console.warn('SKIPPED: a read-only disk; no file system may be mounted here');
    test.skip();
  }
  onTestFinished(() => void spawnSync('umount', [disk]));
  const scan = path.join(await temporaryFolder(), 'scan.nii');
  await writeFile(scan, phantomFile({ seed: 3, columns: 24, rows: 24, slices: 8 }).image);
  const args = ['run', scan, '--out', path.join(disk, 'results'), '--bundle', TINY_BUNDLE];
  const run = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
  expect(run.status, run.stderr).toBe(EXIT.storage);
  expect(run.stderr).toMatch(/a read-only file system\. Choose a folder that can be written/);
});

it.skipIf(process.platform !== 'linux')(
  'a file system that takes no folders is called one that cannot be written',
  async () => {
    const scan = path.join(await temporaryFolder(), 'scan.nii');
    await writeFile(scan, phantomFile({ seed: 3, columns: 24, rows: 24, slices: 8 }).image);
    const args = ['run', scan, '--out', '/proc/results/here', '--bundle', TINY_BUNDLE];
    const run = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8', timeout: 60_000 });
    expect(run.status, run.stderr).toBe(EXIT.storage);
    expect(run.stderr).toContain('/proc/results/here');
  },
  90_000,
);
