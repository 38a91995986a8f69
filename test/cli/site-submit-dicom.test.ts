import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rangedFile } from '../../adapters/ranged-files.ts';
import { zipEntries } from '../../adapters/zip.ts';
import { silentProgress } from '../../cli/progress.ts';
import { submitCases } from '../../cli/site/submit.ts';
import { sortFiles } from '../../dicom/sort-files.ts';
import { stackSha256 } from '../../dicom/volume-bytes.ts';
import { SERIES_ZIP } from '../dicom/golden.ts';
import { temporaryFolder } from '../support/case.ts';
import { drawnSeries } from '../support/dicom-series.ts';
import { MemoryBucket } from '../support/memory-bucket.ts';

/** Stands for a patient's name in the names of folders and files. */
const PATIENT = 'Vandersloot-1961';

const HASH_ZIP = /^incoming\/liver\/dicom\/[0-9a-f]{32}\.zip$/;

let folder: string;

const GRID = { columns: 24, rows: 24, slices: 24, spacingMm: { column: 15, row: 15, slice: 10 } };

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sammix-submit-'));
  const golden = await zipEntries(await rangedFile(SERIES_ZIP));
  for (const file of golden.filter(({ name }) => /^(study|gap)\//.test(name)))
    await copy(file.name, await file.read(0, file.bytes));
  for (const acquisition of ['1', '2']) {
    const options = { ...GRID, seed: Number(acquisition) };
    for (const { name, bytes } of await drawnSeries(options, { name: 'two-phases', acquisition }))
      await copy(name, bytes);
  }
});

async function copy(name: string, bytes: Uint8Array): Promise<void> {
  const file = `${PATIENT} ${path.basename(name)}`;
  const at = path.join(folder, PATIENT, path.dirname(name), file);
  await mkdir(path.dirname(at), { recursive: true });
  await writeFile(at, bytes);
}

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a site finds in an uploaded zip. */
async function sortedUpload({ store }: MemoryBucket, key: string) {
  const file = path.join(await temporaryFolder(), 'up.zip');
  await writeFile(file, await store.get(key));
  return sortFiles(await zipEntries(await rangedFile(file)));
}

async function submit(bucket: MemoryBucket) {
  const lines: string[] = [];
  const progress = { ...silentProgress, line: (text: string) => void lines.push(text) };
  const done = await submitCases(bucket.store, [folder], { dataset: 'liver' }, progress);
  return { ...done, lines };
}

describe('a DICOM folder that is submitted', () => {
  it('goes up as one zip for each series, which a site reads as this machine does', async () => {
    const bucket = new MemoryBucket();
    const { submitted } = await submit(bucket);
    expect(bucket.keys().every((key) => HASH_ZIP.test(key))).toBe(true);
    expect(bucket.keys()).toHaveLength(2);
    const local = await sortFiles(await filesBelow(folder));
    for (const { caseId, image } of submitted) {
      const { stacks, leftAside } = await sortedUpload(bucket, image);
      expect(leftAside).toEqual([]);
      expect(stacks).toHaveLength(caseId.includes('two-phases') ? 2 : 1);
      for (const stack of stacks) {
        const here = local.stacks.find(
          (one) => one.seriesUid === stack.seriesUid && one.part === stack.part,
        );
        expect(await stackSha256(stack)).toEqual(await stackSha256(here!));
      }
    }
  });

  it('keeps what cannot be segmented, and says why on this terminal', async () => {
    const { refused, lines } = await submit(new MemoryBucket());
    expect(refused.map(({ caseId }) => caseId)).toEqual([`${PATIENT}-gap-s1`]);
    expect(refused[0]!.reasons.join()).toContain('a gap of 22.5 mm');
    expect(lines.join('\n')).toContain(`FAILED ${PATIENT}-gap-s1: `);
    for (const said of ['LOCALIZER', 'MR, not CT']) expect(lines.join('\n')).toContain(said);
  });

  it('says nothing of names: of folders, files or patients, but for what lies in the images', async () => {
    const bucket = new MemoryBucket();
    const { submitted } = await submit(bucket);
    const { instances } = await sortedUpload(bucket, submitted[0]!.image);
    expect(instances.map(({ file }) => file.name)).toEqual(
      instances.map((_, n) => `${String(n + 1).padStart(6, '0')}.dcm`),
    );
    for (const key of bucket.keys()) {
      expect(key).not.toContain(PATIENT);
      expect(Buffer.from(await bucket.store.get(key)).includes(PATIENT)).toBe(false);
    }
  });

  it('has the same name when it is submitted again, from other folders and file names', async () => {
    const bucket = new MemoryBucket();
    const first = await submit(bucket);
    const elsewhere = await temporaryFolder();
    for (const [n, file] of (await filesBelow(folder)).reverse().entries())
      await writeFile(path.join(elsewhere, `${n}`), await file.read(0, file.bytes));
    const again = await submitCases(
      bucket.store,
      [elsewhere],
      { dataset: 'liver' },
      silentProgress,
    );
    const keys = (of: readonly { image: string }[]) => of.map(({ image }) => image).sort();
    expect(keys(again.submitted)).toEqual(keys(first.submitted));
    expect(bucket.keys()).toHaveLength(2);
  });

  it('leaves a label where it is, because only the site knows the name of its case', async () => {
    const bucket = new MemoryBucket();
    const label = path.join(await temporaryFolder(), 'label.nii.gz');
    await writeFile(label, 'a mask');
    const lines: string[] = [];
    const progress = { ...silentProgress, line: (text: string) => void lines.push(text) };
    const study = path.join(folder, PATIENT, 'study');
    await submitCases(bucket.store, [study], { dataset: 'liver', label }, progress);
    expect(bucket.keys()).toHaveLength(1);
    expect(lines.join('\n')).toContain('not uploaded: the label of');
  });
});

async function filesBelow(root: string) {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(files.map((file) => rangedFile(path.join(file.parentPath, file.name))));
}
