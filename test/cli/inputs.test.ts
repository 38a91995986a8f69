import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findInputs } from '../../cli/inputs.ts';
import { labelFinder } from '../../cli/labels.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sammix-inputs-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function files(...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), '');
  }
}

/** Case id to label, relative to the root. */
async function paired(images: string, labels: string): Promise<Record<string, string | undefined>> {
  const { cases } = await findInputs([path.join(root, images)]);
  const find = await labelFinder(path.join(root, labels), cases);
  const relative = (file: string | undefined) => file && path.relative(root, file);
  return Object.fromEntries(cases.map((one) => [one.caseId, relative(find(one))]));
}

describe('dataset layouts', () => {
  it('LiTS: volume-N.nii beside segmentation-N.nii, in numeric order', async () => {
    await files('volume-2.nii', 'volume-10.nii', 'segmentation-2.nii', 'segmentation-10.nii');
    const found = await paired('.', '.');
    expect(Object.keys(found)).toEqual(['volume-2', 'volume-10']);
    expect(found).toEqual({ 'volume-2': 'segmentation-2.nii', 'volume-10': 'segmentation-10.nii' });
  });

  it('nnU-Net: imagesTr with channel suffix, labelsTr without, further channels left out', async () => {
    await files('d/imagesTr/liver_1_0000.nii.gz', 'd/imagesTr/liver_1_0001.nii.gz');
    await files('d/labelsTr/liver_1.nii.gz');
    expect(await paired('d', 'd/labelsTr')).toEqual({ liver_1: 'd/labelsTr/liver_1.nii.gz' });
    expect((await findInputs([root])).leftOut).toHaveLength(2);
  });

  it('Medical Segmentation Decathlon: the same name in imagesTr and labelsTr', async () => {
    await files('imagesTr/liver_7.nii.gz', 'labelsTr/liver_7.nii.gz');
    expect(await paired('imagesTr', 'labelsTr')).toEqual({ liver_7: 'labelsTr/liver_7.nii.gz' });
  });

  it('TotalSegmentator: a folder per case', async () => {
    await files('s1/ct.nii.gz', 's1/segmentations/liver.nii.gz', 's2/ct.nii.gz');
    expect(await paired('.', '.')).toEqual({ s1: 's1/segmentations/liver.nii.gz', s2: undefined });
  });

  it('a dataset of links', async () => {
    await files('store/a.nii.gz', 'store/a-liver.nii.gz', 'd/imagesTr/.keep', 'd/labelsTr/.keep');
    await symlink(path.join(root, 'store/a.nii.gz'), path.join(root, 'd/imagesTr/a_0000.nii.gz'));
    await symlink(path.join(root, 'store/a-liver.nii.gz'), path.join(root, 'd/labelsTr/a.nii.gz'));
    expect(await paired('d', 'd/labelsTr')).toEqual({ a: 'd/labelsTr/a.nii.gz' });
  });

  it('<case>_ct beside <case>_liver', async () => {
    await files('ircad_03_ct.nii.gz', 'ircad_03_liver.nii.gz');
    expect(await paired('.', '.')).toEqual({ ircad_03_ct: 'ircad_03_liver.nii.gz' });
  });
});

describe('inputs', () => {
  it('takes a .hdr with its .img, named by either', async () => {
    await files('a.hdr', 'a.img');
    const { cases } = await findInputs([path.join(root, 'a.img')]);
    expect(cases).toEqual([
      { caseId: 'a', image: path.join(root, 'a.hdr'), pairedImage: path.join(root, 'a.img') },
    ]);
  });

  it('tells equal names in different folders apart, and a file named twice is one case', async () => {
    await files('x/scan1.nii', 'y/scan1.nii');
    const { cases } = await findInputs([root, path.join(root, 'x/scan1.nii')]);
    expect(cases.map((one) => one.caseId)).toEqual(['x-scan1', 'y-scan1']);
  });

  it.each([
    ['a path that does not exist', 'nowhere', 'input-missing'],
    ['a folder without images', 'empty', 'no-images'],
    ['a .hdr without .img', 'alone.hdr', 'pair-incomplete'],
  ])('refuses %s', async (_, name, code) => {
    await mkdir(path.join(root, 'empty'));
    await files('alone.hdr');
    await expect(findInputs([path.join(root, name)])).rejects.toMatchObject({ code });
  });

  it('says where a folder holds only labels', async () => {
    await files('segmentation-1.nii', 'case_liver.nii.gz');
    await expect(findInputs([root])).rejects.toThrow(/only what looks like labels \(2\)/);
  });

  it('refuses one label file for several cases, and a label path that does not exist', async () => {
    await files('a.nii', 'b.nii', 'label.nii');
    const { cases } = await findInputs([path.join(root, 'a.nii'), path.join(root, 'b.nii')]);
    const label = path.join(root, 'label.nii');
    await expect(labelFinder(label, cases)).rejects.toThrow(/one file for 2 cases/);
    await expect(labelFinder(path.join(root, 'gone'), cases)).rejects.toMatchObject({
      code: 'bad-label',
    });
    const find = await labelFinder(label, cases.slice(0, 1));
    expect(find(cases[0]!)).toBe(label);
  });
});
