import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lockFolder } from '../../adapters/dir-lock.ts';
import { silentProgress } from '../../cli/progress.ts';
import { runCommand } from '../../cli/run.ts';
import { phantomFile, TINY_BUNDLE, temporaryFolder } from '../support/case.ts';

const { image } = phantomFile({ seed: 3, columns: 32, rows: 28, slices: 8 });

let scan: string;
let out: string;
const at = (name: string): string => path.join(out, 'one', name);

const run = () =>
  runCommand(
    [scan],
    { out, bundle: TINY_BUNDLE, threads: 1, slicesPerJob: 8, postprocess: true, force: false },
    silentProgress,
  );
const kept = async (): Promise<boolean> => (await run()).summary.cases[0]!.resumed;

beforeEach(async () => {
  const folder = await temporaryFolder();
  scan = path.join(folder, 'one.nii');
  out = path.join(folder, 'out');
  await writeFile(scan, image);
});

describe('a case is kept only while its files are whole', () => {
  /** One byte that is another, at the same length. */
  const alter = async (file: string): Promise<void> => {
    const bytes = await readFile(file);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(file, bytes);
  };

  it('and is done again, with the same mask, where one is cut, altered or gone', async () => {
    expect(await kept()).toBe(false);
    const mask = await readFile(at('mask.nii.gz'));
    expect(await kept()).toBe(true);
    for (const [harm, file] of [
      [(name: string) => truncate(name, 100), 'mask.nii.gz'],
      [alter, 'mask.nii.gz'],
      [alter, 'report.html'],
      [rm, 'overlay.png'],
      [rm, 'cam.nii.gz'],
      [(name: string) => truncate(name, 200), 'report.json'],
    ] as const) {
      await harm(at(file));
      expect(await kept(), `${harm.name} ${file}`).toBe(false);
      expect((await readFile(at('mask.nii.gz'))).equals(mask), file).toBe(true);
    }
    expect(await kept()).toBe(true);
  }, 120_000);

  it('and what an interrupted write has left is swept, wherever it lies', async () => {
    await run();
    const parts = ['mask.nii.gz.2409c5f965bc.part', 'work/slabs/00000.slab.0123456789ab.part'];
    for (const part of parts) {
      await mkdir(path.dirname(at(part)), { recursive: true });
      await writeFile(at(part), 'half');
    }
    await writeFile(path.join(out, 'summary.json.da177e3cb8e5.part'), 'half');
    const mine = at('notes.part');
    await writeFile(mine, 'a name of the user');
    expect(await kept()).toBe(true);
    for (const part of parts) expect(existsSync(at(part)), part).toBe(false);
    expect(existsSync(path.join(out, 'summary.json.da177e3cb8e5.part'))).toBe(false);
    expect(existsSync(mine)).toBe(true);
  });
});

describe('one run at a time writes into a folder', () => {
  const lock = () => path.join(out, '.sammix.lock');
  const heldBy = async (holder: unknown): Promise<void> => {
    await mkdir(out, { recursive: true });
    await writeFile(lock(), typeof holder === 'string' ? holder : JSON.stringify(holder));
  };
  let gone: number;
  beforeAll(() => {
    gone = spawnSync(process.execPath, ['-e', '']).pid;
  });

  it('of two at once one is refused, and says who has it', async () => {
    const both = await Promise.allSettled([run(), run()]);
    const refused = both.filter((one) => one.status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(refused[0]!.reason).toMatchObject({
      code: 'output-in-use',
      message: expect.stringContaining(`process ${process.pid} on ${hostname()}`),
    });
    expect(existsSync(lock())).toBe(false);
    expect(await kept()).toBe(true);
  });

  it('what a killed process has left is taken over; what it wrote by halves as well', async () => {
    const since = '2026-01-01T00:00:00Z';
    for (const holder of [{ pid: gone, host: hostname(), since }, '{"pid": 1']) {
      await heldBy(holder);
      await (await lockFolder(out))();
      expect(existsSync(lock())).toBe(false);
    }
  });

  it('that of another machine is respected, and the message says which file to remove', async () => {
    await heldBy({ pid: gone, host: 'another', since: '2026-01-01T00:00:00Z' });
    await expect(lockFolder(out)).rejects.toThrow(/process \d+ on another, since .*remove .*lock/);
    expect((await stat(lock())).isFile()).toBe(true);
  });
});
