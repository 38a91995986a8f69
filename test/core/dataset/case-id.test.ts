import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEGMENT } from '../../../core/contract/keys.ts';
import { caseIdOf, distinctCaseIds } from '../../../core/dataset/case-id.ts';

const ids = (...files: string[]): string[] =>
  distinctCaseIds(files.map((file) => ['data', ...file.split('/')]));

describe('ids of cases', () => {
  it.each([
    ['liver_1_0000.nii.gz', 'liver_1'],
    ['volume-10.nii', 'volume-10'],
    ['a.b+c.hdr', 'a.b+c'],
  ])('%s keeps its plain name %s', (name, id) => expect(caseIdOf(name)).toBe(id));

  it('what a plain name cannot hold leaves a hash behind', () => {
    expect(caseIdOf('a b.nii')).toMatch(/^a-b-[0-9a-f]{8}$/);
    expect(caseIdOf('肝臓.nii')).toMatch(/^case-[0-9a-f]{8}$/);
    expect(caseIdOf('Müller 1960.nii')).toMatch(/^Muller-1960-[0-9a-f]{8}$/);
    expect(caseIdOf('summary.csv.nii.gz')).not.toBe('summary.csv');
  });

  it.each([
    [
      'folders',
      ['P001/2020-01-01/ct.nii.gz', 'P002/2020-01-01/ct.nii.gz'],
      ['P001-2020-01-01', 'P002-2020-01-01'],
    ],
    ['a folder per case', ['s1/ct.nii.gz', 's2/ct.nii.gz'], ['s1', 's2']],
    ['one name in two folders', ['x/scan1.nii', 'y/scan1.nii'], ['x-scan1', 'y-scan1']],
  ])('%s tell cases apart', (_, files, expected) => expect(ids(...files)).toEqual(expected));

  it.each([
    [['a.nii', 'a.nii.gz']],
    [['A.nii', 'a.nii']],
    [['肝.nii', '肝臓.nii', '-.nii']],
    [['a b.nii', 'a-b.nii', 'a_b.nii']],
    [['x/a.nii', 'y/a.nii', 'x-a.nii']],
    [['a/b-c.nii', 'a-b/c.nii', 'a/b/c.nii']],
    [['a.nii', 'a_0000.nii']],
  ])('%j are different cases', (files) => {
    const found = ids(...files).map((id) => id.toLowerCase());
    expect(new Set(found).size).toBe(files.length);
  });

  it('never lose anything, whatever the names: different files have different ids that stand in a key', () => {
    const part = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
      .filter((s) => !s.includes('/'));
    const file = fc
      .tuple(fc.array(part, { maxLength: 3 }), part)
      .map(([folders, name]) => [...folders, `${name}.nii`]);
    const some = fc.uniqueArray(file, {
      selector: (parts) => parts.join('/').normalize('NFC'),
      maxLength: 12,
    });
    fc.assert(
      fc.property(some, (files) => {
        const found = distinctCaseIds(files);
        expect(new Set(found.map((id) => id.toLowerCase())).size).toBe(files.length);
        for (const id of found) expect(id).toMatch(SEGMENT);
      }),
    );
  });
});
