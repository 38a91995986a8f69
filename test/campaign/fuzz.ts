import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { SEGMENT } from '../../core/contract/keys.ts';
import { CaseManifest, HuSummary, InputGeometry } from '../../core/contract/manifest.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { RunSummary } from '../../core/contract/summary.ts';
import { distinctCaseIds } from '../../core/dataset/case-id.ts';
import { datasetJsonTable, dsegTsvTable } from '../../core/dataset/class-tables.ts';
import { isMeaning, meaningOf } from '../../core/dataset/label-meaning.ts';
import { rolesOf } from '../../core/dataset/layout.ts';
import { pair } from '../../core/dataset/pairing.ts';
import { SammixError } from '../../core/errors.ts';
import { createRandom, type Random } from '../../core/random.ts';
import { describeGeometry } from '../../core/volume/geometry.ts';
import { readLabel } from '../../core/volume/label.ts';
import { type PreflightResult, preflight } from '../../core/volume/preflight.ts';
import { parseUpload } from '../../site/contract/keys.ts';
import { corpus } from '../corpus/malformed.ts';
import { HOSTILE, mutated, pick, uint } from './mutated.ts';
import { asked, options } from './options.ts';

/**
 * `npm run fuzz -- --cases N --seed S`: N inputs, mutated or made up, for everything that reads what comes
 * from outside. Each either gives a result that passes its schema, or one of our own errors; anything
 * else is printed with the number that makes it again, and the exit code is 1. What the reader accepts
 * is compared with nibabel, where `SAMMIX_PYTHON` names a Python that has it.
 */
const { cases, seed, only } = options({ cases: 2000, seed: 1, only: 0 });

const once = async function* (bytes: Uint8Array) {
  // In pieces, as a disk or a network brings them.
  for (let at = 0; at < bytes.length; at += 7000) yield bytes.subarray(at, at + 7000);
};

const FILES = corpus();
const SMALL = FILES.filter(({ expected, image }) => expected === 'usable' && !image);
/** Throws what is wrong with a result. */
function mustBeSound(result: PreflightResult): void {
  JSON.stringify(result.problems);
  if (result.intensity) HuSummary.parse(JSON.parse(JSON.stringify(result.intensity.summary)));
  if (result.usable && result.image)
    InputGeometry.parse(
      JSON.parse(JSON.stringify(describeGeometry(result.image.header, result.image.geometry))),
    );
}

interface Accepted {
  readonly file: string;
  readonly shape: readonly number[];
  readonly affine: readonly (readonly number[])[];
}
const accepted: Accepted[] = [];
const folder = mkdtempSync(path.join(tmpdir(), 'sammix-fuzz-'));
const python = process.env.SAMMIX_PYTHON;
const TRUTH_LIMIT = 2000;

async function reader(random: Random, n: number): Promise<void> {
  const plain = mutated(random, pick(random, SMALL).bytes);
  const bytes = random.next() < 0.2 ? new Uint8Array(gzipSync(plain, { level: 1 })) : plain;
  const result = await preflight(once(bytes), { subject: 'fuzz', fileBytes: bytes.length });
  mustBeSound(result);
  if (!result.usable || !result.image || accepted.length >= TRUTH_LIMIT || !python) return;
  const file = path.join(folder, `${n}.nii${bytes === plain ? '' : '.gz'}`);
  writeFileSync(file, bytes);
  const { shape, affine } = result.image.geometry;
  accepted.push({ file, shape, affine });
}

async function gzip(random: Random): Promise<void> {
  const bytes = new Uint8Array(gzipSync(pick(random, SMALL).bytes, { level: uint(random, 10) }));
  for (let n = 1 + uint(random, 3); n > 0; n--)
    bytes[uint(random, bytes.length)]! ^= 1 << uint(random, 8);
  const cut = random.next() < 0.3 ? bytes.slice(0, uint(random, bytes.length)) : bytes;
  mustBeSound(await preflight(once(cut), { subject: 'fuzz', fileBytes: cut.length }));
}

async function labels(random: Random): Promise<void> {
  const bytes = mutated(random, pick(random, SMALL).bytes);
  const choice = random.next() < 0.5 ? { values: [uint(random, 9)] } : {};
  try {
    const { mask } = await readLabel(once(bytes), {
      subject: 'fuzz',
      fileBytes: bytes.length,
      choice,
    });
    if (mask.data.some((voxel) => voxel > 1)) throw new Error('a mask that is not binary');
  } catch (error) {
    if (!(error instanceof SammixError)) throw error;
  }
}

const WORDS = [
  'liver',
  'ct',
  'img',
  'label',
  'seg',
  '_',
  '-',
  ' ',
  '.',
  '0000',
  '0001',
  '7',
  'P1',
  '肝',
  'volume',
  'imagesTr',
  'labelsTr',
  'a',
  'A',
  'segmentations',
  'mask',
  'é',
  'sub-01',
  'derivatives',
  'dseg',
  '\u202e',
  '%',
  "'",
];
const word = (random: Random): string =>
  Array.from({ length: 1 + uint(random, 4) }, () => pick(random, WORDS)).join('');
const fileName = (random: Random): string =>
  [
    ...Array.from({ length: uint(random, 4) }, () => word(random)),
    `${word(random)}.nii${random.next() < 0.5 ? '.gz' : ''}`,
  ].join('/');

async function layouts(random: Random): Promise<void> {
  const names = [...new Set(Array.from({ length: 1 + uint(random, 12) }, () => fileName(random)))];
  const files = names.map((name) => ({ path: name, parts: name.split('/'), root: 'root' }));
  const { images, labels: found, furtherChannels } = rolesOf(files);
  if (images.length + found.length + furtherChannels.length !== files.length)
    throw new Error(`a file without a role, or with two: ${names.join(' ')}`);
  const ids = distinctCaseIds(images.map(({ parts }) => parts));
  if (
    new Set(ids.map((id) => id.toLowerCase())).size !== ids.length ||
    !ids.every((id) => SEGMENT.test(id))
  )
    throw new Error(`ids that clash or cannot be: ${ids.join(' ')}`);
  const { labelOf } = pair(
    images.map((file, at) => ({ file, caseId: ids[at]! })),
    found,
  );
  const used = [...labelOf.values()].map((file) => file.path);
  if (new Set(used).size !== used.length)
    throw new Error(`a label of two images: ${used.join(' ')}`);
}

async function meanings(random: Random): Promise<void> {
  const text = JSON.stringify({
    labels: Object.fromEntries(
      Array.from({ length: uint(random, 6) }, () =>
        random.next() < 0.5
          ? [String(uint(random, 9)), word(random)]
          : [word(random), pick(random, [uint(random, 9), [1, 2], 'x', null, -1])],
      ),
    ),
  });
  const json = datasetJsonTable(random.next() < 0.2 ? text.slice(0, -3) : text, 'dataset.json');
  const tsv = dsegTsvTable(
    `index\tname\n${uint(random, 9)}\t${word(random)}\n${word(random)}`,
    'dseg.tsv',
  );
  const values = [
    ...new Set(Array.from({ length: 1 + uint(random, 5) }, () => uint(random, 9))),
  ].sort((a, b) => a - b);
  const found = meaningOf({
    values,
    choice:
      random.next() < 0.3
        ? { values: [uint(random, 9)] }
        : random.next() < 0.3
          ? { names: [word(random)] }
          : {},
    tables: [json, tsv].filter((table) => table !== undefined),
    calledLiver: random.next() < 0.1,
  });
  if (isMeaning(found) && found.counted.includes(0) && !found.source.includes('--')) {
    const named = [json, tsv].some((table) => table?.classes.some((one) => one.values.includes(0)));
    if (!named) throw new Error(`background counted as liver: ${text}`);
  }
}

async function events(random: Random): Promise<void> {
  const key = `${pick(random, ['incoming/', 'cases/', ''])}${word(random)}/${pick(random, ['images', 'labels', word(random)])}/${fileName(random)}`;
  const upload = parseUpload(key);
  if (upload && !SEGMENT.test(upload.caseId)) throw new Error(`no case's id: ${upload.caseId}`);
}

async function records(random: Random): Promise<void> {
  const junk = (depth: number): unknown =>
    pick<() => unknown>(random, [
      () => pick(random, HOSTILE),
      () => word(random),
      () => null,
      () => (depth > 2 ? [] : [junk(depth + 1), junk(depth + 1)]),
      () =>
        depth > 2
          ? {}
          : {
              [pick(random, ['schemaVersion', 'slices', 'status', 'run', word(random)])]: junk(
                depth + 1,
              ),
            },
    ])();
  for (const schema of [CaseManifest, CaseReport, RunSummary]) schema.safeParse(junk(0));
}

const TARGETS = { reader, gzip, labels, layouts, meanings, events, records };
/** How often each is drawn: what holds most of the code most often. */
const WEIGHTS: readonly (keyof typeof TARGETS)[] = [
  'reader',
  'reader',
  'reader',
  'gzip',
  'labels',
  'layouts',
  'meanings',
  'events',
  'records',
];

const counts = new Map<string, number>();
let [failures, slowestMs, peakMiB] = [0, 0, 0];
const from = only > 0 ? only : 1;
for (let n = from; n < from + (only > 0 ? 1 : cases) && !asked.toStop; n++) {
  const random = createRandom(seed * 1_000_003 + n);
  const target = pick(random, WEIGHTS);
  const startedMs = performance.now();
  try {
    await TARGETS[target](random, n);
  } catch (error) {
    failures++;
    console.error(
      `FAILED ${target} --seed ${seed} --only ${n}:`,
      error instanceof Error ? error.stack : error,
    );
  }
  counts.set(target, (counts.get(target) ?? 0) + 1);
  slowestMs = Math.max(slowestMs, performance.now() - startedMs);
  if (n % 500 !== 0) continue;
  peakMiB = Math.max(peakMiB, process.memoryUsage().rss / 2 ** 20);
  // Signals are heard between turns of the loop only.
  await new Promise(setImmediate);
}

if (accepted.length > 0 && python && existsSync(python)) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'accepted.json'), JSON.stringify(accepted));
  const script = path.join(import.meta.dirname, 'nibabel_truth.py');
  const { status } = spawnSync(python, [script, path.join(folder, 'accepted.json')], {
    stdio: 'inherit',
  });
  if (status !== 0) failures++;
}
rmSync(folder, { recursive: true, force: true });
const parts = [...counts].map(([target, count]) => `${count} ${target}`).join(', ');
console.log(
  `${parts}; ${accepted.length} accepted and compared with nibabel; ${failures} failures; slowest ${slowestMs.toFixed(0)} ms; peak ${peakMiB.toFixed(0)} MiB; seed ${seed}`,
);
process.exit(failures === 0 ? 0 : 1);
