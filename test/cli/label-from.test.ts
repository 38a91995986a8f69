import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { rangedFile } from '../../adapters/ranged-files.ts';
import { zipEntries } from '../../adapters/zip.ts';
import { readFile as streamOf } from '../../cli/files.ts';
import { openLabelling } from '../../cli/labelling/server.ts';
import { silentProgress } from '../../cli/progress.ts';
import { runCommand } from '../../cli/run.ts';
import { LabelState } from '../../core/contract/label-page.ts';
import { VOXEL } from '../../core/labelling/label-plane.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { SERIES_ZIP } from '../dicom/golden.ts';
import { bundleOf } from '../support/bundles.ts';
import { TINY_BUNDLE, temporaryFolder } from '../support/case.ts';
import { type Cases, runPhantoms } from '../viewer/cases.ts';

const PYTHON = fileURLToPath(new URL('../../gpu-jobs/train/.venv/bin/python', import.meta.url));
const OPTIONS = { bundle: TINY_BUNDLE, order: 'random', seed: 0, port: 0 } as const;
const COLUMNS = 72;
const SIZE = COLUMNS * 56;
const SLICES = 24;

/** Values by canonical slice. */
async function planesOf(file: string): Promise<Uint8Array[]> {
  const planes: Uint8Array[] = [];
  const reader = await openNifti(streamOf(file), { subject: file });
  for await (const { index, hu } of reader.axialSlices()) planes[index] = Uint8Array.from(hu);
  return planes;
}

const post = (url: string, action: string, body: unknown): Promise<Response> =>
  fetch(new URL(action, url), { method: 'POST', body: JSON.stringify(body) });

async function save(url: string, slice: number, kinds: Uint8Array, caseId = 'turned') {
  const text = Buffer.from(kinds).toString('base64');
  const answer = await post(url, 'save', { caseId, slice, kinds: text });
  expect(answer.status).toBe(200);
  return LabelState.parse(await answer.json());
}

async function kindsOf(url: string, slice: number, caseId = 'turned'): Promise<Uint8Array> {
  const bytes = await (await post(url, 'slice', { caseId, slice })).arrayBuffer();
  return new Uint8Array(bytes).slice(16 + 2 * SIZE);
}

const square = (from: number): Uint8Array =>
  Uint8Array.from({ length: SIZE }, (_, n) => {
    const [x, y] = [n % COLUMNS, Math.floor(n / COLUMNS)];
    return x >= from && x < from + 9 && y >= from && y < from + 5 ? VOXEL.target : 0;
  });

/** Affine, shape, type, codes and the voxels per canonical slice, as nibabel and (where it is installed) SimpleITK read them. */
const READ = `
import json, sys, nibabel, numpy
image, label = (nibabel.load(f) for f in sys.argv[1:3])
a = nibabel.as_closest_canonical(label).get_fdata()
try:
  import SimpleITK
  itk = [SimpleITK.ReadImage(f) for f in sys.argv[1:3]]
except ImportError:
  itk = None
print(json.dumps({
  'type': str(label.get_data_dtype()), 'slope': [label.dataobj.slope, label.dataobj.inter],
  'shape': image.shape == label.shape,
  'affines': [numpy.array_equal(f(image), f(label)) for f in (lambda i: i.affine, lambda i: i.get_sform(), lambda i: i.get_qform())],
  'codes': [[int(i.header['sform_code']), int(i.header['qform_code'])] for i in (image, label)],
  'voxels': [[int((a[:, :, k] == v).sum()) for v in (0, 1, 2)] for k in range(a.shape[2])],
  'itk': itk and [*(getattr(itk[0], f)() == getattr(itk[1], f)() for f in ('GetSize', 'GetOrigin', 'GetSpacing', 'GetDirection')),
    itk[1].GetPixelIDTypeAsString()],
  'itkVoxels': itk and [int((SimpleITK.GetArrayViewFromImage(itk[1]) == v).sum()) for v in (0, 1, 2)]}))`;

function readByOthers(image: string, label: string) {
  const { stdout, stderr } = spawnSync(PYTHON, ['-c', READ, image, label], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const read = JSON.parse(stdout);
  if (!read.itk) console.warn(`not read by SimpleITK: ${PYTHON} does not have it`);
  return read;
}

/** What 3D Slicer and ITK-SNAP go by: an unscaled integer type, and both transforms those of the image. */
function expectOnItsImage(read: ReturnType<typeof readByOthers>): void {
  expect(read).toMatchObject({ type: 'uint8', slope: [1, 0], shape: true });
  expect(read.affines).toEqual([true, true, true]);
  expect(read.codes[1]).toEqual(read.codes[0]);
  if (read.itk) expect(read.itk).toEqual([true, true, true, true, '8-bit unsigned integer']);
}

describe('sammix label --from', () => {
  let cases: Cases;
  beforeAll(async () => {
    cases = await runPhantoms(['plain', 'turned']);
  }, 120_000);
  afterAll(() => cases.remove());
  const maskFile = () => path.join(cases.out, 'turned', 'mask.nii.gz');

  it('keeps what is not confirmed out of labelsTr, and undone strokes too', async () => {
    const root = await temporaryFolder();
    await mkdir(path.join(root, 'imagesTr'));
    for (const name of ['turned', 'other'])
      await copyFile(
        path.join(cases.input, 'turned.nii'),
        path.join(root, 'imagesTr', `${name}_0000.nii`),
      );
    const options = { ...OPTIONS, target: 'liver', from: cases.out };
    const { server, state, stop } = await openLabelling(root, options);
    expect(state.cases.map(({ caseId, proposed }) => [caseId, proposed])).toEqual([
      ['other', false],
      ['turned', true],
    ]);
    expect(state.labelled).toBe(0);
    const masks = await planesOf(maskFile());
    const full = masks.findIndex((plane) => plane.includes(1));
    const proposed = await kindsOf(server.url, full);
    const expected = Array.from(masks[full]!, (value) => (value ? VOXEL.proposed : VOXEL.ignore));
    expect([...proposed]).toEqual(expected);
    expect(new Set(await kindsOf(server.url, full, 'other'))).toEqual(new Set([VOXEL.ignore]));

    await save(server.url, full, masks[full]!);
    await save(server.url, 2, square(4));
    await save(server.url, 3, square(8));
    const before = await kindsOf(server.url, 3);
    expect(before).toEqual(square(8));
    const left = await save(server.url, 3, new Uint8Array(SIZE).fill(VOXEL.ignore));
    expect(left.labelled).toBe(2);
    await stop();

    const label = path.join(root, 'labelsTr', 'turned.nii.gz');
    const planes = await planesOf(label);
    expect(planes[full]).toEqual(masks[full]);
    expect(planes[2]).toEqual(square(4));
    const labelled = [full, 2];
    for (const [slice, plane] of planes.entries())
      if (!labelled.includes(slice)) expect(new Set(plane)).toEqual(new Set([2]));
    expect(await readdir(path.join(root, 'labelsTr'))).toEqual(['turned.nii.gz']);
    if (!existsSync(PYTHON)) return console.warn(`not read by others: no ${PYTHON}`);
    const read = readByOthers(path.join(root, 'imagesTr', 'turned_0000.nii'), label);
    expectOnItsImage(read);
    expect(read.voxels[2]).toEqual([SIZE - 45, 45, 0]);
    if (read.itk) expect(read.itkVoxels[2]).toBe((SLICES - 2) * SIZE);
  }, 60_000);

  it('corrects a mask where it lies, which the next run measures, and knows what is confirmed', async () => {
    const before = await planesOf(maskFile());
    const was = await readFile(maskFile());
    const options = { ...OPTIONS, from: cases.out };
    const first = await openLabelling(undefined, options);
    const { url } = first.server;
    expect(first.state).toMatchObject({ target: 'liver', labelled: 0, goal: 2 * SLICES });
    const confirmed = before.findIndex((plane) => plane.includes(1));
    await save(url, confirmed, before[confirmed]!);
    await save(url, 1, new Uint8Array(SIZE), 'plain');
    await expect(openLabelling(undefined, options)).rejects.toMatchObject({
      code: 'output-in-use',
    });
    await first.stop();
    // Nothing was drawn: the file is the run's own.
    expect(await readFile(maskFile())).toEqual(was);

    const second = await openLabelling(undefined, { ...options, cases: ['turned'] });
    expect(second.state).toMatchObject({ labelled: 1, goal: SLICES });
    const corrected = confirmed + 1;
    await save(second.server.url, corrected, square(20));
    await save(second.server.url, 0, square(30));
    const restored = await kindsOf(second.server.url, 0);
    await save(
      second.server.url,
      0,
      restored.map((_, n) => (before[0]![n] ? 4 : 2)),
    );
    await second.stop();

    const planes = await planesOf(maskFile());
    for (const [slice, plane] of planes.entries())
      expect(plane).toEqual(slice === corrected ? square(20) : before[slice]);
    const third = await openLabelling(undefined, options);
    expect(third.state.labelled).toBe(3);
    expect(await kindsOf(third.server.url, corrected)).toEqual(square(20));
    await third.stop();
    if (existsSync(PYTHON))
      expectOnItsImage(readByOthers(path.join(cases.input, 'turned.nii'), maskFile()));

    const run = { out: cases.out, label: cases.input, bundle: TINY_BUNDLE, threads: 1 };
    const rest = { slicesPerJob: 32, postprocess: true, force: false };
    await expect(
      runCommand([cases.input], { ...run, ...rest, probability: true }, silentProgress),
    ).rejects.toMatchObject({ code: 'corrected-by-hand' });
    await runCommand([cases.input], { ...run, ...rest }, silentProgress);
    // Another run would draw it again, whether it was measured since or not.
    const kept = await readFile(maskFile());
    await expect(
      runCommand([cases.input], { ...run, ...rest, threshold: 0.6 }, silentProgress),
    ).rejects.toMatchObject({ code: 'corrected-by-hand' });
    expect(await readFile(maskFile())).toEqual(kept);
    const report = JSON.parse(
      await readFile(path.join(cases.out, 'turned', 'report.json'), 'utf8'),
    );
    expect(report.maskEdited).toBe(true);
    const voxels = planes.reduce((sum, plane) => sum + plane.filter((value) => value).length, 0);
    const perSlice = report.slices.map(({ maskVoxels }: { maskVoxels: number }) => maskVoxels);
    const counted = report.voxelsPerSlice ?? perSlice;
    expect(counted.reduce((sum: number, one: number) => sum + one, 0)).toBe(voxels);
    const plain = JSON.parse(await readFile(path.join(cases.out, 'plain', 'report.json'), 'utf8'));
    expect(plain.maskEdited ?? false).toBe(false);
  }, 120_000);

  it('corrects one of several targets, and a scan that came as DICOM', async () => {
    const folder = await temporaryFolder();
    const [scans, out] = [path.join(folder, 'study'), path.join(folder, 'out')];
    for (const file of await zipEntries(await rangedFile(SERIES_ZIP))) {
      if (!file.name.startsWith('study/')) continue;
      await mkdir(path.dirname(path.join(folder, file.name)), { recursive: true });
      await writeFile(path.join(folder, file.name), await file.read(0, file.bytes));
    }
    const spleen = await bundleOf(path.join(folder, 'spleen'), {
      target: 'spleen',
      windowHu: [-100, 300],
    });
    const run = () =>
      runCommand(
        [scans],
        {
          out,
          bundle: [TINY_BUNDLE, spleen],
          labelMap: true,
          threads: 1,
          slicesPerJob: 32,
          postprocess: true,
          force: false,
        },
        silentProgress,
      );
    await run();
    const masks = ['liver', 'spleen'].map((name) =>
      path.join(out, 'study-s2', name, 'mask.nii.gz'),
    );
    const [liver, before] = [await readFile(masks[0]!), await planesOf(masks[1]!)];
    await expect(openLabelling(undefined, { ...OPTIONS, from: out })).rejects.toMatchObject({
      code: 'unknown-target',
    });
    const options = { ...OPTIONS, from: out, target: 'spleen' };
    const { server, state, stop } = await openLabelling(undefined, options);
    expect(state.cases).toEqual([{ caseId: 'study-s2', slices: before.length, proposed: true }]);
    const drawn = before[1]!.map((_, n) => (n < 7 ? VOXEL.target : 0));
    await save(server.url, 1, drawn, 'study-s2');
    await stop();
    expect(await planesOf(masks[1]!)).toEqual(before.map((one, n) => (n === 1 ? drawn : one)));
    expect(await readFile(masks[0]!)).toEqual(liver);

    await run();
    const { targets } = JSON.parse(
      await readFile(path.join(out, 'study-s2', 'report.json'), 'utf8'),
    );
    expect(
      targets.map((one: { report: { maskEdited?: boolean } }) => one.report.maskEdited),
    ).toEqual([undefined, true]);
    const map = await planesOf(path.join(out, 'study-s2', 'labels.nii.gz'));
    const spleenOnly = drawn.filter((value, n) => value && map[1]![n] !== 1).length;
    expect(map[1]!.filter((value) => value === 2)).toHaveLength(spleenOnly);
  }, 120_000);

  it('says what it needs, and names a case that it cannot show', async () => {
    await expect(openLabelling(undefined, OPTIONS)).rejects.toMatchObject({ code: 'no-dataset' });
    const from = cases.out;
    await expect(
      openLabelling(undefined, { ...OPTIONS, from, target: 'spleen' }),
    ).rejects.toMatchObject({ code: 'unknown-target' });
    await expect(
      openLabelling(undefined, { ...OPTIONS, from: path.join(from, 'plain') }),
    ).rejects.toMatchObject({ code: 'one-case' });
    const evaluation = path.join(from, 'evaluation.json');
    await writeFile(evaluation, '{}');
    await expect(openLabelling(undefined, { ...OPTIONS, from })).rejects.toMatchObject({
      code: 'masks-of-an-evaluation',
    });
    await rm(evaluation);
    const moved = path.join(cases.input, 'plain.nii');
    const bytes = await readFile(moved);
    await rm(moved);
    onTestFinished(() => writeFile(moved, bytes));
    const { state, stop } = await openLabelling(undefined, { ...OPTIONS, from });
    await stop();
    expect(state.cases.map(({ caseId }) => caseId)).toEqual(['turned']);
    expect(state.unread).toEqual([{ caseId: 'plain', why: expect.stringContaining('plain.nii') }]);
    expect((await stat(path.join(from, 'plain', 'mask.nii.gz'))).size).toBeGreaterThan(0);
  });
});
