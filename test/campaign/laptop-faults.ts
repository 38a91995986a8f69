import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { buildCommand } from '../../cli/build.ts';
import { EXIT } from '../../cli/exit-codes.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { RunSummary } from '../../core/contract/summary.ts';
import type { Random } from '../../core/random.ts';
import { phantomFile, TINY_BUNDLE } from '../support/case.ts';
import { maskHash, type Scene } from './scene.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const CASES = ['a', 'b', 'c'] as const;

/** Runs of three small scans by the built command, in processes of their own. */
export async function laptop(work: string): Promise<Scene> {
  const scans = path.join(work, 'scans');
  const command = path.join(work, 'dist', 'main.mjs');
  await mkdir(scans, { recursive: true });
  await symlink(path.join(ROOT, 'node_modules'), path.join(work, 'node_modules'));
  await buildCommand(path.dirname(command));
  for (const [at, caseId] of CASES.entries()) {
    const { image } = phantomFile({ seed: at + 1, columns: 32, rows: 28, slices: 12 });
    await writeFile(path.join(scans, `${caseId}.nii`), image);
  }
  const disk = await smallDisk(path.join(work, 'disk'));
  const room: Room = { scans, command, disk, out: path.join(work, 'calm'), runMs: 0 };
  const startedMs = performance.now();
  expectExit(await start(room).ended, [EXIT.ok], 'a calm run');
  const runMs = performance.now() - startedMs;
  const calm = await masksIn(room.out);
  return {
    async chain(random, faults, struck) {
      // Only what lies on the small disk can fill it.
      const onDisk = disk !== undefined && random.next() < 0.4;
      const out = path.join(onDisk ? disk.folder : work, 'out');
      const kinds = KINDS.filter((kind) => kind !== 'full disk' || onDisk);
      const here = { ...room, out, runMs };
      try {
        for (let n = 0; n < faults; n++) {
          const kind = random.pick(kinds as [Kind, ...Kind[]]);
          struck(kind);
          await FAULTS[kind](here, random);
        }
        await mustBeWhole(here, calm);
      } finally {
        disk?.size(LARGE_KIB);
        await rm(out, { recursive: true, force: true });
      }
    },
    close: async () => disk?.remove(),
  };
}

interface Room {
  readonly scans: string;
  readonly command: string;
  readonly disk: Disk | undefined;
  readonly out: string;
  /** How long a calm run takes here: faults strike within it. */
  readonly runMs: number;
}

function start({ scans, command, out }: Room): {
  child: ChildProcess;
  ended: Promise<number | null>;
} {
  const options = ['--out', out, '--bundle', TINY_BUNDLE, '--slices-per-job', '4'];
  const args = [command, 'run', scans, ...options, '--threads', '1', '-q'];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  return { child, ended: new Promise((resolve) => child.once('close', resolve)) };
}

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function expectExit(code: number | null, wanted: readonly number[], where: string): void {
  if (code === null || !wanted.includes(code)) throw new Error(`exit ${code} of ${where}`);
}

const FAULTS = {
  async kill(room: Room, random: Random): Promise<void> {
    const { child, ended } = start(room);
    await after(random.uniform(0.1, 1) * room.runMs);
    child.kill('SIGKILL');
    await ended;
  },

  async interrupt(room: Room, random: Random): Promise<void> {
    const { child, ended } = start(room);
    await after(random.uniform(0.1, 1) * room.runMs);
    child.kill(random.pick(['SIGINT', 'SIGTERM', 'SIGHUP']));
    await ended;
  },

  /** An input goes while it may be read, and comes back. */
  async 'lost input'(room: Room, random: Random): Promise<void> {
    const file = path.join(room.scans, `${random.pick(CASES)}.nii`);
    const { ended } = start(room);
    await after(random.uniform(0.1, 0.9) * room.runMs);
    await rename(file, `${file}.gone`);
    const code = await ended;
    await rename(`${file}.gone`, file);
    expectExit(code, [EXIT.ok, EXIT.someCasesFailed], 'a run whose input went');
  },

  /** One result, record or report that is there is cut, emptied, removed or filled with rubbish. */
  async damage({ out }: Room, random: Random): Promise<void> {
    const entries = await readdir(out, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.slab'))
      .map((entry) => path.join(entry.parentPath, entry.name));
    if (files.length === 0) return;
    const file = files[random.integer(0, files.length - 1)]!;
    const { size } = await stat(file);
    const how = random.next();
    if (how < 0.4) await truncate(file, random.integer(0, size));
    else if (how < 0.6) await rm(file);
    else await writeFile(file, Buffer.alloc(random.integer(0, 400), random.integer(0, 255)));
  },

  /** Of two at once, one may write; the other says so. */
  async 'two at once'(room: Room): Promise<void> {
    const [one, other] = [start(room), start(room)];
    const codes = [await one.ended, await other.ended].sort();
    // Where the first had ended before the second began, both are done.
    expectExit(codes[0]!, [EXIT.ok], 'the first of two runs at once');
    expectExit(codes[1]!, [EXIT.ok, EXIT.usage], 'the second of two runs at once');
  },

  /** The disk has room for a part of the results only, then for all. */
  async 'full disk'(room: Room, random: Random): Promise<void> {
    const disk = room.disk!;
    disk.size(disk.usedKiB() + random.integer(4, 160));
    const code = await start(room).ended;
    disk.size(LARGE_KIB);
    expectExit(code, [EXIT.ok, EXIT.storage], 'a run on a full disk');
  },
};
type Kind = keyof typeof FAULTS;
const KINDS = Object.keys(FAULTS) as Kind[];

const LARGE_KIB = 65_536;

interface Disk {
  readonly folder: string;
  size(kib: number): void;
  usedKiB(): number;
  remove(): void;
}

/** A file system of its own in memory; undefined, which is said, where none may be mounted. */
async function smallDisk(folder: string): Promise<Disk | undefined> {
  await mkdir(folder);
  const call = (...[command, ...args]: [string, ...string[]]): string =>
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    call('mount', '-t', 'tmpfs', '-o', `size=${LARGE_KIB}k`, 'tmpfs', folder);
  } catch {
    console.error('NOT TRIED: a full disk, which needs the right to mount one');
    return undefined;
  }
  return {
    folder,
    size: (kib) => void call('mount', '-o', `remount,size=${kib}k`, folder),
    usedKiB: () => Number(call('df', '-k', '--output=used', folder).trim().split('\n').at(-1)),
    remove: () => void call('umount', folder),
  };
}

const masksIn = async (out: string): Promise<string[]> =>
  Promise.all(
    CASES.map(async (caseId) => maskHash(await readFile(path.join(out, caseId, 'mask.nii.gz')))),
  );

async function mustBeWhole(room: Room, calm: readonly string[]): Promise<void> {
  const { out } = room;
  expectExit(await start(room).ended, [EXIT.ok], 'the run in peace');
  const json = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(path.join(out, file), 'utf8'));
  const summary = RunSummary.parse(await json('summary.json'));
  if (summary.segmented !== CASES.length) throw new Error(`${summary.segmented} segmented`);
  for (const caseId of CASES) {
    const report = CaseReport.parse(await json(`${caseId}/report.json`));
    if (report.status !== 'segmented') throw new Error(`${caseId} ${report.status}`);
  }
  const masks = await masksIn(out);
  const other = CASES.filter((_, at) => masks[at] !== calm[at]);
  if (other.length > 0) throw new Error(`another mask of ${other.join(', ')}`);
  const left = (await readdir(out, { recursive: true })).filter((name) =>
    /\.part$|\.lock$|[\\/]work([\\/]|$)/.test(name),
  );
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
}
