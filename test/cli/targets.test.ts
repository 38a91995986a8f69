import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvaluateOptions } from '../../cli/evaluate.ts';
import { exportCommand } from '../../cli/export.ts';
import { silentProgress } from '../../cli/progress.ts';
import { type RunOptions, runCommand } from '../../cli/run.ts';
import { findCases } from '../../cli/view-cases.ts';
import { CaseReport, type SegmentedReport } from '../../core/contract/report.ts';
import { TargetsReport } from '../../core/contract/targets.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { encodePhantom, phantomCase } from '../../phantom/phantom.ts';
import { bundleOf } from '../support/bundles.ts';
import { once, phantomFile, TINY_BUNDLE } from '../support/case.ts';
import { evaluate } from './evaluated-dataset.ts';

const { image, label } = phantomFile({ seed: 3, columns: 32, rows: 28, slices: 8 });

let scan: string;
let labels: string;
let spleen: string;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sammix-targets-'));
  scan = path.join(root, 'one.nii');
  labels = path.join(root, 'labels');
  await writeFile(scan, image);
  await mkdir(labels);
  await writeFile(path.join(labels, 'one.nii'), label);
  // Another window than the tiny bundle's, so that its slices are others.
  spleen = await bundleOf(path.join(root, 'spleen'), { target: 'spleen', windowHu: [-100, 300] });
});

afterAll(() => rm(root, { recursive: true, force: true }));

const options = (out: string, more: Partial<RunOptions> = {}): RunOptions => ({
  out: path.join(root, out),
  bundle: [TINY_BUNDLE, spleen],
  threads: 1,
  slicesPerJob: 8,
  postprocess: true,
  force: false,
  ...more,
});
const run = (out: string, more?: Partial<RunOptions>) =>
  runCommand([scan], options(out, more), silentProgress);

const bytesOf = (out: string, file: string): Promise<Buffer> =>
  readFile(path.join(root, out, 'one', file));
const reportOf = async (out: string, folder: string): Promise<SegmentedReport> =>
  fromJsonBytes(CaseReport, await bytesOf(out, `${folder}/report.json`)) as SegmentedReport;
const reportSeconds = async (out: string, folder: string): Promise<number> => {
  const { splitSeconds, segmentSeconds, assembleSeconds } = (await reportOf(out, folder)).timings;
  return splitSeconds + segmentSeconds + assembleSeconds;
};
const joinedOf = async (out: string): Promise<TargetsReport> =>
  fromJsonBytes(TargetsReport, await bytesOf(out, 'report.json'));

/** Voxels of a file in stored order. */
async function voxels(bytes: Uint8Array): Promise<number[]> {
  const reader = await openNifti(once(bytes), { subject: 'mask' });
  const found: number[] = [];
  for await (const { hu } of reader.axialSlices()) found.push(...hu);
  return found;
}

describe('two bundles', () => {
  it('make what each makes alone, though the second wants another window', async () => {
    const { summary, exitCode } = await run('both');
    expect(exitCode).toBe(0);
    expect(summary.cases.map(({ target, status }) => [target, status])).toEqual([
      ['liver', 'segmented'],
      ['spleen', 'segmented'],
    ]);
    await run('liver', { bundle: TINY_BUNDLE });
    await run('spleen', { bundle: [spleen] });
    for (const target of ['liver', 'spleen']) {
      const [alone, beside] = [
        await bytesOf(target, 'mask.nii.gz'),
        await bytesOf('both', `${target}/mask.nii.gz`),
      ];
      expect(beside.equals(alone), target).toBe(true);
      const report = await reportOf('both', target);
      const single = fromJsonBytes(
        CaseReport,
        await bytesOf(target, 'report.json'),
      ) as SegmentedReport;
      expect({ ...report.slices }).toEqual({ ...single.slices });
      expect(report.runId).toBe(single.runId);
      expect(report.bundle.windowHu).toEqual(single.bundle.windowHu);
    }
    const [liver, other] = [
      await bytesOf('liver', 'mask.nii.gz'),
      await bytesOf('spleen', 'mask.nii.gz'),
    ];
    expect(liver.equals(other), 'the window matters').toBe(false);
  }, 120_000);

  it('read the image once for the slices of both', async () => {
    const { summary } = await run('read-once');
    expect(summary.segmented).toBe(2);
    const times = await Promise.all(
      ['liver', 'spleen'].map((target) => reportOf('read-once', target)),
    );
    // One reading has one time; two would have two.
    expect(times[1]!.timings.splitSeconds).toBe(times[0]!.timings.splitSeconds);
  }, 120_000);

  it('are joined in one report and one page, and kept', async () => {
    const { summary } = await run('both');
    expect(summary.cases.every(({ resumed }) => resumed)).toBe(true);
    const joined = await joinedOf('both');
    expect(joined.targets.map(({ target, folder }) => [target, folder])).toEqual([
      ['liver', 'liver'],
      ['spleen', 'spleen'],
    ]);
    expect(joined.targets[1]!.report).toEqual(await reportOf('both', 'spleen'));
    const page = (await bytesOf('both', 'report.html')).toString();
    expect(joined.liverToSpleen !== undefined).toBe(page.includes('Liver to spleen'));
    for (const id of ['target-liver', 'target-spleen']) expect(page).toContain(`id="${id}"`);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size, 'ids are unique').toBe(ids.length);
    const index = await readFile(path.join(root, 'both', 'index.html'), 'utf8');
    expect(index).toContain('Liver and spleen segmentation');
  }, 120_000);

  it('do again the one whose files are not whole, and no other', async () => {
    await run('harmed');
    await rm(path.join(root, 'harmed', 'one', 'spleen', 'cam.nii.gz'));
    const { summary } = await run('harmed');
    expect(summary.cases.map(({ resumed }) => resumed)).toEqual([true, false]);
    await rm(path.join(root, 'harmed', 'one', 'liver', 'cam.nii.gz'));
    const again = await run('harmed');
    expect(again.summary.cases.map(({ resumed }) => resumed)).toEqual([false, true]);
    const forced = await run('harmed', { force: true });
    expect(forced.summary.cases.map(({ resumed }) => resumed)).toEqual([false, false]);
  }, 120_000);

  it('compare each with its own class, where the names of the classes are there', async () => {
    const { summary, exitCode } = await run('compared', { label: labels });
    // A label of 0 and 1 without names is of the liver; of the spleen it says nothing.
    expect(exitCode).toBe(0);
    expect(summary.cases.map(({ dice }) => dice !== null)).toEqual([true, false]);
    expect(summary.meanDice).toBeNull();
    expect(summary.targets?.map(({ meanDice }) => meanDice !== null)).toEqual([true, false]);
    const names = { labels: { background: 0, spleen: 1 } };
    await writeFile(path.join(labels, 'dataset.json'), JSON.stringify(names));
    const named = await run('compared', { label: labels });
    await rm(path.join(labels, 'dataset.json'));
    expect(named.summary.cases[1]!.dice).not.toBeNull();
  }, 120_000);

  it('measure a mask that was corrected by hand, and do not draw over it', async () => {
    await run('edited');
    const corrected = await bytesOf('both', 'liver/mask.nii.gz');
    const file = path.join(root, 'edited', 'one', 'spleen', 'mask.nii.gz');
    await writeFile(file, corrected);
    await run('edited');
    expect((await readFile(file)).equals(corrected)).toBe(true);
    const { targets } = await joinedOf('edited');
    expect(targets[1]!.report).toMatchObject({ maskEdited: true });
    expect(targets[0]!.report).not.toHaveProperty('maskEdited');
  }, 120_000);

  it('are shown beside each other', async () => {
    const cases = await findCases(path.join(root, 'both'), {});
    expect(
      cases.map(({ facts, beside }) => [facts.caseId, beside.map(({ target }) => target)]),
    ).toEqual([
      ['one, liver', ['spleen']],
      ['one, spleen', ['liver']],
    ]);
    expect(cases[0]!.image).toBe(scan);
    const one = await findCases(path.join(root, 'both', 'one'), { image: scan });
    expect(one).toHaveLength(2);
  });
});

describe('an evaluation of a run of several targets', () => {
  let dataset: string;
  /** Liver and spleen in one label: the lower and the upper half of what was drawn as liver. */
  beforeAll(async () => {
    dataset = path.join(root, 'dataset');
    await mkdir(path.join(dataset, 'imagesTr'), { recursive: true });
    await mkdir(path.join(dataset, 'labelsTr'));
    await writeFile(path.join(dataset, 'imagesTr', 'one.nii'), image);
    const halves = phantomCase({ seed: 3, columns: 32, rows: 28, slices: 8 });
    const { length } = halves.label;
    for (let at = 0; at < length; at++)
      if (at > length / 2 && halves.label[at]) halves.label[at] = 2;
    await writeFile(path.join(dataset, 'labelsTr', 'one.nii'), encodePhantom(halves).label);
    const names = { labels: { background: 0, liver: 1, spleen: 2 } };
    await writeFile(path.join(dataset, 'dataset.json'), JSON.stringify(names));
    await runCommand([path.join(dataset, 'imagesTr')], options('of-both'), silentProgress);
  }, 120_000);

  const evaluated = async (out: string, more: Partial<EvaluateOptions>) => {
    const { evaluation } = await evaluate(dataset, path.join(root, out), more);
    return evaluation.cases[0]!;
  };

  it('takes what the bundle has made, and reads the label for the target of the bundle', async () => {
    const reuse = path.join(root, 'of-both');
    const of = { liver: TINY_BUNDLE, spleen };
    for (const target of ['liver', 'spleen'] as const) {
      const taken = await evaluated(`reused-${target}`, { bundle: of[target], reuse });
      const made = await evaluated(`made-${target}`, { bundle: of[target] });
      expect(taken).toMatchObject({ status: 'compared', metrics: made.metrics });
      expect(taken.labelMeaning).toContain(target === 'liver' ? 'label 1 of' : 'label 2 of');
      const [report, own] = await Promise.all(
        [`reused-${target}/cases/one`, `of-both/one/${target}`].map((folder) =>
          readFile(path.join(root, folder, 'mask.nii.gz')),
        ),
      );
      expect(report!.equals(own!)).toBe(true);
      expect(taken.seconds, 'not segmented again').toBe(await reportSeconds('of-both', target));
    }
  }, 240_000);

  it('finds the mask of the class that is named among masks made before', async () => {
    const predictions = path.join(root, 'of-both');
    const [liver, named] = [
      await evaluated('predicted', { predictions }),
      await evaluated('predicted-spleen', { predictions, labelName: ['spleen'] }),
    ];
    const made = [
      await evaluated('made-liver', { bundle: TINY_BUNDLE }),
      await evaluated('made-spleen', { bundle: spleen }),
    ];
    expect(liver.metrics).toEqual(made[0]!.metrics);
    expect(named.metrics).toEqual(made[1]!.metrics);
    const kidney = await evaluated('predicted-kidney', { predictions, labelName: ['kidney'] });
    expect(kidney.fault?.code).toBe('prediction-missing');
  }, 240_000);
});

describe('a bundle of another organ, alone', () => {
  it('is compared with its own class', async () => {
    const labelled = { bundle: spleen, label: path.join(root, 'dataset', 'labelsTr') };
    await run('alone', labelled);
    const report = await reportOf('alone', '.');
    expect(report.comparison?.labelMeaning).toBe('label 2 of 0-2 (dataset.json)');
    await run('alone', { ...labelled, labelName: ['liver'] });
    expect((await reportOf('alone', '.')).comparison?.labelMeaning).toContain('label 1 of 0-2');
  }, 120_000);
});

describe('a label map', () => {
  it('numbers the targets as they were named, and gives shared voxels to the first', async () => {
    await run('map', { labelMap: true });
    const { labelMap } = await joinedOf('map');
    expect(labelMap?.classes).toEqual([
      { value: 1, target: 'liver' },
      { value: 2, target: 'spleen' },
    ]);
    const [joined, liver, other] = await Promise.all(
      ['labels.nii.gz', 'liver/mask.nii.gz', 'spleen/mask.nii.gz'].map(async (file) =>
        voxels(await bytesOf('map', file)),
      ),
    );
    const expected = liver!.map((inside, at) => (inside ? 1 : other![at] ? 2 : 0));
    expect(joined).toEqual(expected);
    const shared = liver!.filter((inside, at) => inside && other![at]).length;
    expect(labelMap?.overlapVoxels).toBe(shared);
    expect(shared).toBeGreaterThan(0);
    const [image, map] = await Promise.all(
      [await readFile(scan), await bytesOf('map', 'labels.nii.gz')].map((bytes) =>
        openNifti(once(bytes), { subject: 'volume' }),
      ),
    );
    expect(map!.geometry.affine).toEqual(image!.geometry.affine);
    expect(map!.geometry.shape).toEqual(image!.geometry.shape);
  }, 120_000);

  it('is made again of a corrected mask, and goes where it is not asked for then', async () => {
    const map = () => stat(path.join(root, 'map', 'one', 'labels.nii.gz')).catch(() => undefined);
    const before = await bytesOf('map', 'labels.nii.gz');
    const file = path.join(root, 'map', 'one', 'spleen', 'mask.nii.gz');
    const drawn = await readFile(file);
    await writeFile(file, await bytesOf('map', 'liver/mask.nii.gz'));
    await run('map', { labelMap: true });
    const after = await bytesOf('map', 'labels.nii.gz');
    expect(after.equals(before)).toBe(false);
    expect((await voxels(after)).includes(2), 'all of it is shared').toBe(false);
    await run('map');
    expect(await map(), 'unchanged, it stays').toBeDefined();
    await writeFile(file, drawn);
    await run('map');
    expect(await map(), 'of other masks it goes').toBeUndefined();
  }, 120_000);
});

describe('export of several targets', () => {
  it('writes each into its own folder, and says of which there is nothing', async () => {
    const { files, notes } = await exportCommand(path.join(root, 'both', 'one'), { format: 'obj' });
    const drawn: string[] = [];
    for (const target of ['liver', 'spleen'])
      if ((await voxels(await bytesOf('both', `${target}/mask.nii.gz`))).includes(1))
        drawn.push(path.join(root, 'both', 'one', target, 'mask.obj'));
    expect(files).toEqual(drawn);
    expect(files.length + notes.length).toBe(2);
    for (const file of files) expect(await readFile(file, 'utf8')).toMatch(/^v .*\nf /ms);
  });

  it('writes one label map of all, equal to that of a run', async () => {
    await run('mapped', { labelMap: true });
    const folder = path.join(root, 'mapped', 'one');
    const { files, notes } = await exportCommand(folder, { format: 'labelmap' });
    expect(files).toEqual([path.join(folder, 'labelmap.nii.gz')]);
    expect(notes[0]).toMatch(/^0 none, 1 liver, 2 spleen/);
    const [ours, theirs] = await Promise.all(
      ['labelmap.nii.gz', 'labels.nii.gz'].map(async (file) =>
        voxels(await bytesOf('mapped', file)),
      ),
    );
    expect(ours).toEqual(theirs);
  }, 120_000);

  it('makes a label map of a single target too, of its mask', async () => {
    await run('single', { bundle: TINY_BUNDLE });
    const folder = path.join(root, 'single', 'one');
    const out = path.join(root, 'elsewhere.nii.gz');
    const { files, notes } = await exportCommand(folder, { format: 'labelmap', out });
    expect(files).toEqual([out]);
    expect(notes).toEqual(['0 none, 1 liver']);
    expect(await voxels(await readFile(out))).toEqual(
      await voxels(await bytesOf('single', 'mask.nii.gz')),
    );
  }, 120_000);
});

describe('what is refused', () => {
  const refusal = (out: string, more: Partial<RunOptions>) =>
    run(out, more).then(
      () => 'nothing',
      (error: { code?: string }) => error.code,
    );

  it('says so before anything is done', async () => {
    expect(await refusal('no', { bundle: [TINY_BUNDLE, TINY_BUNDLE] })).toBe('same-target');
    expect(await refusal('no', { bundle: TINY_BUNDLE, labelMap: true })).toBe('label-map-of-one');
    expect(await refusal('no', { labelValue: [1] })).toBe('label-of-several');
    expect(await refusal('both', { bundle: TINY_BUNDLE })).toBe('other-targets');
    await run('one-target', { bundle: TINY_BUNDLE });
    expect(await refusal('one-target', {})).toBe('other-targets');
    const one = path.join(root, 'both', 'one');
    await expect(
      exportCommand(one, { format: 'stl', out: path.join(root, 'x.stl') }),
    ).rejects.toMatchObject({ code: 'several-targets' });
    const mask = path.join(one, 'liver', 'mask.nii.gz');
    await expect(exportCommand(one, { format: 'labelmap', mask })).rejects.toMatchObject({
      code: 'label-map-of-mask',
    });
  }, 120_000);

  it('ends every target of an image that is no scan in its own report', async () => {
    const bad = path.join(root, 'bad.nii');
    await writeFile(bad, image.slice(0, 2000));
    const { summary, exitCode } = await runCommand([bad], options('bad'), silentProgress);
    expect(exitCode).toBe(1);
    expect(summary.cases.map(({ status }) => status)).toEqual(['failed', 'failed']);
    const page = await readFile(path.join(root, 'bad', 'bad', 'report.html'), 'utf8');
    expect(page).toContain('Not segmented');
  }, 60_000);
});
