import { copyFile, cp, mkdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EvaluateOptions } from '../../cli/evaluate.ts';
import { EXIT } from '../../cli/exit-codes.ts';
import { openView } from '../../cli/view.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { once, temporaryFolder } from '../support/case.ts';
import { byId, evaluate, nnUNet, ON_OTHER_GRID, PHANTOMS } from './evaluated-dataset.ts';

describe('sammix evaluate with masks made elsewhere', () => {
  it('compares them without a model, wherever they lie', async () => {
    const folder = await temporaryFolder();
    const dataset = await nnUNet(folder, ['a', 'b', 'c', 'd']);
    const predictions = path.join(folder, 'predictions');
    await mkdir(path.join(predictions, 'b'), { recursive: true });
    await writeFile(path.join(predictions, 'a.nii'), PHANTOMS[0]!.label);
    await writeFile(path.join(predictions, 'b/mask.nii.gz'), emptied(PHANTOMS[1]!.label));
    await writeFile(path.join(predictions, 'c.nii'), ON_OTHER_GRID.label);
    const out = path.join(folder, 'out');

    const { evaluation, exitCode, lines } = await evaluate(dataset, out, { predictions });
    expect(exitCode).toBe(EXIT.someCasesFailed);
    expect(evaluation.bundle).toBeNull();
    expect(evaluation.classification).toBeNull();
    expect(byId(evaluation, 'a')).toMatchObject({
      status: 'compared',
      metrics: { dice: 1, hdMm: 0, nsd1Mm: 1 },
      liverSliceRecall: 1,
      liverFreeSliceSpecificity: 1,
      paper: { dice: 1, hausdorffPx: 0 },
    });
    expect(byId(evaluation, 'b')).toMatchObject({
      status: 'missed',
      metrics: { dice: 0, hdMm: 'inf' },
      liverSliceRecall: 0,
    });
    expect(byId(evaluation, 'c')).toMatchObject({
      status: 'failed',
      fault: { code: 'shape-differs' },
      scan: { orientation: byId(evaluation, 'a').scan!.orientation },
    });
    expect(byId(evaluation, 'd')).toMatchObject({ fault: { code: 'prediction-missing' } });
    expect(evaluation.worst).toEqual(['c', 'd', 'b', 'a']);
    expect(lines.some((line) => line.startsWith('kept'))).toBe(false);

    const page = await readFile(path.join(out, 'evaluation.html'), 'utf8');
    expect(page.match(/<img [^>]*alt="Axial CT slice \d+ of [ab] with/g)).toHaveLength(2);
    expect(page).not.toContain('No picture is stored');
    expect(page).not.toContain('<b>CAM</b>');
    const { server, index } = await openView(out, { port: 0 });
    await server.close();
    expect(index.cases).toMatchObject([
      { caseId: 'a', dice: 1, mask: {}, image: { name: 'a_0000.nii' }, label: { name: 'a.nii' } },
      { caseId: 'b', dice: 0, volumeMl: 0 },
    ]);
    const drawn = await openNifti(
      once(await readFile(path.join(out, 'cases/a/prediction/mask.nii.gz'))),
      { subject: 'mask' },
    );
    let voxels = 0;
    for await (const { hu } of drawn.axialSlices())
      voxels += hu.filter((value) => value > 0).length;
    expect(voxels).toBe(PHANTOMS[0]!.label.subarray(352).filter((value) => value > 0).length);

    await copyFile(path.join(dataset, 'labelsTr/d.nii'), path.join(predictions, 'd.nii'));
    // The same label written again is the same label.
    await utimes(path.join(dataset, 'labelsTr/d.nii'), 1, 1);
    const better = await evaluate(dataset, out, { predictions });
    expect(better.lines.filter((line) => line.startsWith('kept'))).toHaveLength(2);
    expect(byId(better.evaluation, 'd').metrics!.dice).toBe(1);
    expect(better.evaluation.comparison!.moved).toEqual([
      { caseId: 'd', previousDice: 0, dice: 1, previousStatus: 'failed', status: 'compared' },
    ]);
  });

  it('calls them by the organ that they are said to be of', async () => {
    const folder = await temporaryFolder();
    const dataset = await nnUNet(folder, ['a']);
    const names = { labels: { background: 0, spleen: 1 } };
    const predictions = path.join(folder, 'predictions');
    await cp(path.join(dataset, 'labelsTr'), predictions, { recursive: true });
    for (const place of [dataset, predictions])
      await writeFile(path.join(place, 'dataset.json'), JSON.stringify(names));
    const out = path.join(folder, 'out');
    const targets = async (said: Partial<EvaluateOptions>) => {
      const { evaluation, lines } = await evaluate(dataset, out, { predictions, ...said });
      const { server, index } = await openView(out, { port: 0 });
      await server.close();
      return [evaluation.target, index.cases[0]!.target, lines.join('\n')];
    };
    const [evaluated, viewed, lines] = await targets({ labelName: ['spleen'] });
    expect([evaluated, viewed]).toEqual(['spleen', 'spleen']);
    expect(lines).toContain('counted as spleen in labels: label 1');
    const html = await readFile(path.join(out, 'evaluation.html'), 'utf8');
    expect(html).toContain('Slices with spleen in which the mask has any voxel');
    expect(html.replaceAll(path.basename(dataset), '')).not.toMatch(/liver/i);
    expect((await targets({ labelValue: [1] })).slice(0, 2)).toEqual(['class 1', 'class 1']);
  });

  it.each([
    ['the Decathlon', 'imagesTr/a.nii', 'labelsTr/a.nii'],
    ['LiTS', 'volume-0.nii', 'segmentation-0.nii'],
    ['one folder', 'a_ct.nii', 'a_liver.nii'],
    ['a folder per case', 's1/ct.nii', 's1/segmentations/liver.nii'],
  ])('knows the layout of %s', async (_, image, label) => {
    const folder = await temporaryFolder();
    const dataset = path.join(folder, 'data');
    for (const [name, bytes] of [
      [image, PHANTOMS[0]!.image],
      [label, PHANTOMS[0]!.label],
    ] as const) {
      await mkdir(path.dirname(path.join(dataset, name)), { recursive: true });
      await writeFile(path.join(dataset, name), bytes);
    }
    const predictions = path.join(folder, 'copy');
    await cp(path.join(dataset, label), path.join(predictions, label), { recursive: true });
    const { evaluation } = await evaluate(dataset, path.join(folder, 'out'), { predictions });
    expect(evaluation.cases).toHaveLength(1);
    expect(evaluation.cases[0]!.metrics!.dice).toBe(1);
  });
});

it('takes labels that lie among the images for labels, whatever their folder is called', async () => {
  const folder = await temporaryFolder();
  const dataset = await nnUNet(folder, ['a']);
  const label = path.join(dataset, 'drawn by hand');
  await rename(path.join(dataset, 'labelsTr'), label);
  const predictions = path.join(folder, 'predictions');
  await cp(label, predictions, { recursive: true });
  const { evaluation } = await evaluate(dataset, path.join(folder, 'out'), { label, predictions });
  expect(evaluation.cases.map((one) => [one.caseId, one.status])).toEqual([['a', 'compared']]);
});

/** The same header, no voxel set. */
function emptied(label: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(label);
  copy.fill(0, 352);
  return copy;
}

it('masks and results may lie inside the dataset: they are neither its labels nor its images', async () => {
  const folder = await temporaryFolder();
  const dataset = await nnUNet(folder, ['a', 'b']);
  const predictions = path.join(dataset, 'ours');
  await cp(path.join(dataset, 'labelsTr'), predictions, { recursive: true });
  const out = path.join(dataset, 'results');
  for (const _ of [1, 2]) {
    const { evaluation, exitCode } = await evaluate(dataset, out, { predictions });
    expect(exitCode).toBe(EXIT.ok);
    expect(evaluation.counts).toMatchObject({ compared: 2, unlabelled: 0, failed: 0 });
  }
});

describe('sammix evaluate refuses', () => {
  it.each<[string, Partial<EvaluateOptions>, string | undefined, string]>([
    ['a dataset without labels', { label: '.' }, undefined, 'no-labels'],
    ['predictions that are not there', { predictions: 'nowhere' }, undefined, 'bad-predictions'],
    ['an evaluation that is not there', { against: 'nowhere.json' }, undefined, 'bad-evaluation'],
    ['a table without its columns', { patients: 'table.csv' }, 'case,age\na,7\n', 'bad-patients'],
    [
      'two patients of one case',
      { patients: 'table.csv' },
      'case,patient\na,p\na,q\n',
      'bad-patients',
    ],
    ['a stray quote', { patients: 'table.csv' }, 'case,patient\na,"p\n', 'bad-patients'],
  ])('%s', async (_, options, table, code) => {
    const folder = await temporaryFolder();
    const dataset = await nnUNet(folder, ['a']);
    await mkdir(path.join(folder, 'empty'));
    if (table !== undefined) await writeFile(path.join(folder, 'table.csv'), table);
    const inFolder = Object.fromEntries(
      Object.entries(options).map(([name, file]) => [
        name,
        path.join(folder, file === '.' ? 'empty' : String(file)),
      ]),
    );
    await expect(evaluate(dataset, path.join(folder, 'out'), inFolder)).rejects.toMatchObject({
      fault: { code },
    });
  });

  it('an output folder of another dataset', async () => {
    const folder = await temporaryFolder();
    const out = path.join(folder, 'out');
    const dataset = await nnUNet(folder, ['a']);
    const label = path.join(dataset, 'labelsTr');
    const predictions = path.join(folder, 'predictions');
    await cp(label, predictions, { recursive: true });
    await evaluate(dataset, out, { predictions });
    await expect(
      evaluate(path.join(dataset, 'imagesTr'), out, { predictions, label }),
    ).rejects.toMatchObject({ fault: { code: 'other-dataset' } });
  });
});
