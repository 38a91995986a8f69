import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectCases } from '../../cli/cases.ts';
import { findInputs } from '../../cli/inputs.ts';
import { findLabels } from '../../cli/labels.ts';
import { leftOutCounts } from '../../cli/left-out.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sammix-inputs-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const at = (name: string): string => path.join(root, name);

async function files(...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(path.dirname(at(name)), { recursive: true });
    await writeFile(at(name), '');
  }
}

const table = async (name: string, ...lines: string[]): Promise<string> => {
  await writeFile(at(name), lines.join('\n'));
  return at(name);
};

const relative = (file: string | null | undefined) => file && path.relative(root, file);

/** Case id to label, relative to the root. */
async function paired(images: string, labels?: string): Promise<Record<string, unknown>> {
  const { cases } = await collectCases(
    [at(images)],
    labels === undefined ? {} : { label: at(labels) },
    { labelsBeside: true },
  );
  return Object.fromEntries(cases.map((one) => [one.caseId, relative(one.label?.file)]));
}

const leftOut = async (...names: string[]): Promise<Record<string, string[]>> => {
  const found = await findInputs(names.length === 0 ? [root] : names.map(at));
  return Object.fromEntries(
    leftOutCounts(found.leftOut).map(({ reason, paths }) => [
      reason,
      paths.map((one) => path.relative(root, one)).sort(),
    ]),
  );
};

it('says so where the images are in the folder of the results, which may lie below them', async () => {
  await files('d/a.nii.gz');
  const into = (out: string) =>
    collectCases([at('d')], { out: at(out) }, { labelsBeside: false }).then(({ cases }) =>
      cases.map(({ caseId }) => caseId),
    );
  for (const out of ['d', '.'])
    await expect(into(out)).rejects.toMatchObject({ code: 'input-inside-other' });
  expect(await into('d/results')).toEqual(['a']);
});

describe('labels of cases', () => {
  it('in numeric order, in one folder', async () => {
    await files('volume-2.nii', 'volume-10.nii', 'segmentation-2.nii', 'segmentation-10.nii');
    const found = await paired('.', '.');
    expect(Object.keys(found)).toEqual(['volume-2', 'volume-10']);
    expect(found).toEqual({ 'volume-2': 'segmentation-2.nii', 'volume-10': 'segmentation-10.nii' });
  });

  it('in a folder of their own, by --label or without', async () => {
    await files('d/imagesTr/liver_1_0000.nii.gz', 'd/imagesTr/liver_1_0001.nii.gz');
    await files('d/labelsTr/liver_1.nii.gz', 'd/imagesTr/b_0000.nii.gz');
    const expected = { b: undefined, liver_1: 'd/labelsTr/liver_1.nii.gz' };
    expect(await paired('d', 'd/labelsTr')).toEqual(expected);
    expect(await paired('d')).toEqual(expected);
    expect(await paired('d/imagesTr', 'd/labelsTr')).toEqual(expected);
  });

  it('through links: to files and to folders', async () => {
    await files('store/a.nii.gz', 'store/l/a.nii.gz', 'imgs/b_0000.nii.gz', 'd/.keep');
    await symlink(at('imgs'), at('d/imagesTr'));
    await mkdir(at('d/labelsTr'));
    await symlink(at('store/a.nii.gz'), at('imgs/a_0000.nii.gz'));
    await symlink(at('store/l/a.nii.gz'), at('d/labelsTr/a.nii.gz'));
    expect(await paired('d')).toEqual({ a: 'd/labelsTr/a.nii.gz', b: undefined });
  });

  it('by a table, from its own folder, with patients', async () => {
    await files('x/one.nii', 'x/two.nii', 'y/l1.nii', 'other.nii');
    const pairs = await table(
      'x/pairs.csv',
      'label,image,patient',
      '../y/l1.nii,one.nii,P1',
      ',two.nii,P1',
    );
    const { cases } = await collectCases([at('x')], { pairs }, { labelsBeside: true });
    expect(cases.map((one) => [one.caseId, relative(one.label?.file), one.patientId])).toEqual([
      ['one', 'y/l1.nii', 'P1'],
      ['two', undefined, 'P1'],
    ]);
  });

  it.each([
    [['images,labels', 'a,b'], 'the columns images, labels'],
    [['image,label', 'one.nii,l.nii', './one.nii,m.nii'], 'twice'],
    [['image,label'], 'no line but the header'],
    [[''], 'the columns'],
  ])('a table of pairs that says nothing is refused: %j', async (lines, says) => {
    await files('one.nii');
    const pairs = await table('pairs.csv', ...lines);
    await expect(collectCases([root], { pairs }, { labelsBeside: true })).rejects.toThrow(says);
  });

  it('that would do for several are taken for none, and it is said', async () => {
    await files('P001/a.nii', 'P002/a.nii', 'labels/a.nii');
    const { cases } = await collectCases([root], {}, { labelsBeside: true });
    const label = await cases[0]!.label!.read();
    await expect(label.open()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'label-ambiguous',
    });
  });

  it('refuses one label file for several cases, and a label path that does not exist', async () => {
    await files('a.nii', 'b.nii', 'label.nii');
    const { cases } = await findInputs([at('a.nii'), at('b.nii')]);
    await expect(findLabels(at('label.nii'), cases, [])).rejects.toThrow(/one file for 2 cases/);
    await expect(findLabels(at('gone'), cases, [])).rejects.toMatchObject({ code: 'bad-label' });
    const found = await findLabels(at('label.nii'), cases.slice(0, 1), []);
    expect(found.of(cases[0]!)).toBe(at('label.nii'));
  });
});

describe('patients', () => {
  const patientsOf = async (...lines: string[]) => {
    await files('c1.nii.gz', 'c2.nii.gz');
    const patients = await table('patients.csv', 'case,patient', ...lines);
    return collectCases([at('c1.nii.gz'), at('c2.nii.gz')], { patients }, { labelsBeside: true });
  };

  it('are found by the id or by the name of the file', async () => {
    const { cases, notes } = await patientsOf('c1.nii.gz,P1', 'c2,P1');
    expect(cases.map(({ patientId }) => patientId)).toEqual(['P1', 'P1']);
    expect(notes).toEqual([]);
  });

  it('rows of no case and cases without a row are named', async () => {
    const { notes } = await patientsOf('c1,P1', 'c7,P1');
    expect(notes.join('\n')).toMatch(
      /1 of its rows meet no case \(c7\)[\s\S]*1 cases are not in it/,
    );
  });

  it('a table that names none of the cases is refused', async () => {
    await expect(patientsOf('C1,P1')).rejects.toMatchObject({ code: 'bad-patients' });
    await expect(patientsOf()).rejects.toMatchObject({ code: 'bad-patients' });
  });
});

describe('nothing is left out unsaid', () => {
  it('names what it does not take, and why', async () => {
    await files(
      'a_0000.nii',
      'a_0001.nii',
      'x_liver.nii.gz',
      'masks/a.nii',
      '.hid/b.nii',
      '._a.nii',
    );
    await files('d.dcm', 'e.nrrd', 'lone.img', 'p.hdr', 'p.img');
    await symlink(root, at('loop'));
    await symlink(at('a_0000.nii'), at('same.nii'));
    expect(await leftOut()).toEqual({
      'further-channel': ['a_0001.nii'],
      'other-format': ['d.dcm', 'e.nrrd'],
      'header-missing': ['lone.img'],
      hidden: ['._a.nii', '.hid'],
      'seen-twice': ['same.nii'],
      'link-loop': ['loop'],
    });
    const { cases, labels } = await findInputs([root]);
    expect(cases.map(({ caseId }) => caseId)).toEqual(['a', 'p']);
    expect(labels.map((file) => relative(file.path)).sort()).toEqual([
      'masks/a.nii',
      'x_liver.nii.gz',
    ]);
  });

  it('looks into deep folders', async () => {
    await files('a/b/c/d/e/f/g/x.nii');
    expect((await findInputs([root])).cases).toHaveLength(1);
  });

  it('takes no results of its own for scans', async () => {
    const report = { schemaVersion: 1, provenance: { sammixVersion: '1' } };
    await files('ct.nii.gz', 'results/p1/mask.nii.gz', 'results/p1/cam.nii.gz', 'mine/report.json');
    await writeFile(at('results/p1/report.json'), JSON.stringify(report));
    await files('mine/scan7.nii');
    expect(await leftOut()).toMatchObject({ 'own-result': ['results/p1'] });
    expect((await findInputs([root])).cases).toHaveLength(2);
  });

  it('says of a folder without images what is in it', async () => {
    await files('segmentation-1.nii', 'case_liver.nii.gz', 'x.dcm');
    await expect(findInputs([root])).rejects.toThrow(
      /2 labels, or what looks like them, 1 files of other formats/,
    );
    await mkdir(at('empty'));
    await expect(findInputs([at('empty')])).rejects.toMatchObject({ code: 'no-images' });
    await expect(findInputs([at('nowhere')])).rejects.toMatchObject({ code: 'input-missing' });
  });

  it('takes a file that is named, whatever it is called', async () => {
    await files('x_liver.nii.gz', 'b_0001.nii');
    const { cases } = await findInputs([at('x_liver.nii.gz'), at('b_0001.nii')]);
    expect(cases.map(({ caseId }) => caseId)).toEqual(['x_liver', 'b_0001']);
  });
});

describe('what cannot be opened is a case with a reason, and stops no other', () => {
  const faults = async (...names: string[]): Promise<Record<string, string | undefined>> => {
    const { cases } = await findInputs(names.length === 0 ? [root] : names.map(at));
    return Object.fromEntries(cases.map((one) => [relative(one.image), one.fault?.code]));
  };

  it('halves of pairs, broken links, arguments without images', async () => {
    await files('good.nii', 'alone.hdr', 'only.img', 'UP.HDR', 'UP.IMG');
    await symlink(at('gone'), at('link.nii.gz'));
    await mkdir(at('empty'));
    expect(await faults()).toEqual({
      'alone.hdr': 'pair-incomplete',
      'good.nii': undefined,
      'link.nii.gz': 'input-missing',
      'UP.HDR': undefined,
    });
    expect(await faults('good.nii', 'empty', 'nowhere', 'only.img', 'UP.IMG')).toEqual({
      'good.nii': undefined,
      'only.img': 'pair-incomplete',
      'UP.HDR': undefined,
      empty: 'no-images',
      nowhere: 'input-missing',
    });
  });

  it.skipIf(process.platform === 'win32')('pipes, named or found', async () => {
    await files('good.nii');
    execFileSync('mkfifo', [at('p.nii.gz')]);
    expect(await faults()).toEqual({ 'good.nii': undefined, 'p.nii.gz': 'not-a-file' });
    expect(await faults('good.nii', 'p.nii.gz')).toMatchObject({ 'p.nii.gz': 'not-a-file' });
  });

  it.skipIf(process.getuid?.() === 0 || process.platform === 'win32')(
    'folders without permission',
    async () => {
      await files('good.nii', 'shut/a.nii');
      await chmod(at('shut'), 0);
      expect(await faults()).toEqual({ 'good.nii': undefined, shut: 'no-permission' });
      await chmod(at('shut'), 0o700);
    },
  );
});
