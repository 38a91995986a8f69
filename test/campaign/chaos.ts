import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { CaseReport, RunSummary } from '../../core/contract/report.ts';
import { createRandom, type Random } from '../../core/random.ts';
import { phantomFile, TINY_BUNDLE } from '../support/case.ts';
import { options } from './options.ts';

/**
 * `npm run chaos -- --faults N --seed S`: runs of three scans that are killed, robbed of an input, given
 * damaged files of an earlier run, or started twice at once, and then left in peace. In the end masks are
 * those of a calm run, every case is in a report that passes its schema, and nothing half-written is left.
 */
const { faults, seed } = options({ faults: 20, seed: 1 });

const root = path.resolve(import.meta.dirname, '../..');
const CASES = ['a', 'b', 'c'] as const;
const work = await mkdtemp(path.join(tmpdir(), 'sammix-chaos-'));
const scans = path.join(work, 'scans');

function start(out: string): { child: ChildProcess; ended: Promise<number | null> } {
  const args = ['cli/bin.mjs', 'run', scans, '--out', out, '--bundle', TINY_BUNDLE];
  const child = spawn(
    process.execPath,
    [...args, '--slices-per-job', '4', '--threads', '1', '-q'],
    {
      cwd: root,
      stdio: 'ignore',
    },
  );
  return { child, ended: new Promise((resolve) => child.once('close', resolve)) };
}

const calmly = async (out: string): Promise<number | null> => start(out).ended;

/** Of the uncompressed mask. */
async function maskOf(out: string, caseId: string): Promise<string> {
  const bytes = gunzipSync(await readFile(path.join(out, caseId, 'mask.nii.gz')));
  return createHash('sha256').update(bytes).digest('hex');
}

const FAULTS = {
  async kill(out: string, random: Random): Promise<void> {
    const { child, ended } = start(out);
    await new Promise((resolve) => setTimeout(resolve, random.uniform(300, 6000)));
    child.kill('SIGKILL');
    await ended;
  },

  /** An input goes while it may be read, and comes back. */
  async vanish(out: string, random: Random): Promise<void> {
    const file = path.join(scans, `${random.pick(CASES)}.nii`);
    const { ended } = start(out);
    await new Promise((resolve) => setTimeout(resolve, random.uniform(100, 3000)));
    await rename(file, `${file}.gone`);
    const code = await ended;
    await rename(`${file}.gone`, file);
    if (code !== 0 && code !== 1) throw new Error(`exit ${code} where an input went`);
  },

  /** One result, record or report that is there is cut, emptied or filled with rubbish. */
  async damage(out: string, random: Random): Promise<void> {
    const files = (await readdir(out, { recursive: true, withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.slab'))
      .map((entry) => path.join(entry.parentPath, entry.name));
    if (files.length === 0) return;
    const file = files[random.integer(0, files.length - 1)]!;
    const { size } = await stat(file);
    if (random.next() < 0.5) await truncate(file, random.integer(0, size));
    else await writeFile(file, Buffer.alloc(random.integer(0, 400), random.integer(0, 255)));
  },

  /** Of two at once, one may write; the other says so. */
  async twice(out: string): Promise<void> {
    const [one, other] = [start(out), start(out)];
    const codes = [await one.ended, await other.ended].sort();
    if (codes[0] !== 0 || (codes[1] !== 2 && codes[1] !== 0))
      throw new Error(`exits ${codes.join(', ')} of two runs at once`);
  },
};

async function mustBeWhole(out: string, calm: ReadonlyMap<string, string>): Promise<void> {
  const code = await calmly(out);
  if (code !== 0) throw new Error(`exit ${code} of the run in peace`);
  const summary = RunSummary.parse(
    JSON.parse(await readFile(path.join(out, 'summary.json'), 'utf8')),
  );
  if (summary.segmented !== CASES.length) throw new Error(`${summary.segmented} segmented`);
  for (const caseId of CASES) {
    CaseReport.parse(JSON.parse(await readFile(path.join(out, caseId, 'report.json'), 'utf8')));
    if ((await maskOf(out, caseId)) !== calm.get(caseId))
      throw new Error(`another mask of ${caseId}`);
  }
  const left = (await readdir(out, { recursive: true })).filter((name) =>
    /\.part$|\.lock$|[\\/]work[\\/]/.test(name),
  );
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
}

await mkdir(scans, { recursive: true });
for (const [at, caseId] of CASES.entries())
  await writeFile(
    path.join(scans, `${caseId}.nii`),
    phantomFile({ seed: at + 1, columns: 64, rows: 56, slices: 20 }).image,
  );
const calmOut = path.join(work, 'calm');
await calmly(calmOut);
const calm = new Map<string, string>();
for (const caseId of CASES) calm.set(caseId, await maskOf(calmOut, caseId));

const kinds = Object.keys(FAULTS) as [keyof typeof FAULTS, ...(keyof typeof FAULTS)[]];
const counts = new Map<string, number>();
let [failures, done] = [0, 0];
for (let chain = 0; done < faults; chain++) {
  const random = createRandom(seed * 1_000_003 + chain);
  const out = path.join(work, `chain-${chain}`);
  const story: string[] = [];
  try {
    // A few faults on top of each other, then peace.
    for (let n = random.integer(1, 4); n > 0 && done < faults; n--, done++) {
      const kind = random.pick(kinds);
      story.push(kind);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      await FAULTS[kind](out, random);
    }
    await mustBeWhole(out, calm);
  } catch (error) {
    failures++;
    console.error(`FAILED chain ${chain} (${story.join(', ')}) --seed ${seed}:`, error);
  }
  await rm(out, { recursive: true, force: true });
}
await rm(work, { recursive: true, force: true });
const parts = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
console.log(`${done} faults (${parts}); ${failures} chains that did not end whole; seed ${seed}`);
process.exit(failures === 0 ? 0 : 1);
