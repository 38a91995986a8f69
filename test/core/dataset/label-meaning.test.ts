import { describe, expect, it } from 'vitest';
import {
  type ClassTable,
  datasetJsonTable,
  dsegTsvTable,
  headerTable,
} from '../../../core/dataset/class-tables.ts';
import {
  choiceVersion,
  isMeaning,
  type LabelChoice,
  meaningOf,
  meaningText,
} from '../../../core/dataset/label-meaning.ts';

const say = (
  values: number[],
  choice: LabelChoice = {},
  tables: ClassTable[] = [],
  calledLiver = false,
): string => {
  const found = meaningOf({ values, choice, tables, calledLiver });
  return isMeaning(found) ? meaningText(found) : `REFUSED ${found.found}`;
};

const range = (to: number): number[] => Array.from({ length: to + 1 }, (_, n) => n);
const json = (labels: unknown): ClassTable =>
  datasetJsonTable(JSON.stringify({ labels }), 'dataset.json')!;

describe('what is liver', () => {
  it.each([
    [[0, 1], 'label 1 of 0, 1 (the only class)'],
    [[0, 255], 'label 255 of 0, 255 (the only class)'],
    [[0, 1, 2], 'label 1, 2 of 0-2 (liver and its tumours, as in LiTS)'],
    [[0], 'nothing of 0 (the label is empty)'],
    [range(13), 'REFUSED the values 0-13'],
    [[0, 6], 'REFUSED the values 0, 6'],
    [[1, 2], 'REFUSED the values 1, 2 and no 0 for what is not liver'],
  ])('%j alone: %s', (values, expected) => expect(say(values)).toBe(expected));

  it.each<[string, ClassTable]>([
    ['Decathlon, FLARE', json({ 0: 'background', 5: 'Liver', 1: 'spleen' })],
    ['nnU-Net v2', json({ background: 0, spleen: 1, liver: 5, ignore: 14 })],
    ['BIDS', dsegTsvTable('index\tname\n1\tspleen\n5\tLiver\n', 'x_dseg.tsv')!],
    [
      "the label's header",
      headerTable([
        {
          data: Buffer.from(
            '<LabelTable><Label Key="1" Red="0"><![CDATA[spleen]]></Label>\n<Label Key="5" Red="0"><![CDATA[liver]]></Label></LabelTable>',
          ),
        },
      ])!,
    ],
  ])('is read from names: %s', (_, table) => {
    expect(say(range(14), {}, [table])).toMatch(/^label 5 of 0-14/);
  });

  it('regions, tumours of the liver and no other count with it', () => {
    expect(say(range(2), {}, [json({ background: 0, liver: [1, 2], tumour: 2 })])).toMatch(
      /^label 1, 2 /,
    );
    expect(say(range(2), {}, [json({ 0: 'background', 1: 'liver', 2: 'cancer' })])).toMatch(
      /^label 1, 2 /,
    );
    expect(say(range(3), {}, [json({ 1: 'kidney', 2: 'tumor', 3: 'liver' })])).toMatch(/^label 3 /);
    expect(say(range(2), {}, [json({ 1: 'kidney', 2: 'tumor' })])).toMatch(
      /^REFUSED the names kidney/,
    );
  });

  it('is said by the options, which must fit', () => {
    expect(say(range(13), { values: [5] })).toBe('label 5 of 0-13 (--label-value)');
    expect(say(range(3), { names: ['LIVER'] }, [json({ 1: 'a', 2: 'liver' })])).toMatch(
      /^label 2 /,
    );
    expect(say(range(3), { names: ['leber'] }, [json({ 1: 'a', 2: 'liver' })])).toMatch(
      /^REFUSED the names/,
    );
    expect(say(range(3), { names: ['liver'] })).toMatch(/^REFUSED no names at all/);
    expect(say([0, 1], { values: [5] })).toMatch(/^REFUSED only 0, 1/);
    expect(say([0, 2, 7], { values: [5] })).toBe('label 5 of 0, 2, 7 (--label-value)');
  });

  it('a file that is called liver holds it, whatever its number', () => {
    expect(say([0, 7], {}, [], true)).toBe('label 7 of 0, 7 (the file is called liver)');
    expect(say([0, 1], { values: [5] }, [json({ liver: 5 })], true)).toMatch(/^label 1 /);
    expect(say(range(13), {}, [], true)).toMatch(/^REFUSED/);
  });

  it('ignore is never liver', () => {
    expect(say([0, 1, 9], { ignore: [9] })).toBe('label 1 of 0, 1, 9, 9 ignored (the only class)');
    expect(say([0, 1, 3], {}, [json({ liver: 1, ignore: 3 })])).toMatch(/, 3 ignored/);
  });

  it.each(['{', '[]', '{"labels": 3}', '{"labels": {}}', '{"labels": {"liver": "x"}}', 'null'])(
    'a dataset.json that says nothing is passed over: %s',
    (text) => expect(datasetJsonTable(text, 'dataset.json')).toBeUndefined(),
  );
});

describe('what another target is', () => {
  const spleen: LabelChoice = { target: 'Spleen' };
  const organs = json({ background: 0, spleen: 1, liver: 5, ignore: 14 });

  it.each<[string, number[], LabelChoice, ClassTable[], string]>([
    ['by its name', range(14), spleen, [organs], 'label 1 of 0-14, 14 ignored (dataset.json)'],
    [
      'unless an option says',
      range(14),
      { ...spleen, values: [5] },
      [organs],
      'label 5 of 0-14, 14 ignored (--label-value)',
    ],
    [
      'and no other',
      [0, 1],
      { target: 'kidney' },
      [organs],
      'REFUSED the names background 0, spleen 1, liver 5, ignore 14 in dataset.json (values 0, 1)',
    ],
    ['the only class', [0, 7], spleen, [], 'label 7 of 0, 7 (the only class)'],
    ['and not the tumours of a liver', [0, 1, 2], spleen, [], 'REFUSED the values 0-2'],
    ['nothing', [0], spleen, [], 'nothing of 0 (the label is empty)'],
  ])('%s', (_, values, choice, tables, expected) =>
    expect(say(values, choice, tables)).toBe(expected),
  );

  it('is not what a file called liver holds', () => {
    expect(say([0, 1], spleen, [], true)).toBe('REFUSED a file that is called liver');
    expect(say([0, 1], { target: 'liver' }, [], true)).toContain('the file is called liver');
  });

  it('changes the version of the same label', () => {
    expect(choiceVersion(spleen, [])).not.toBe(choiceVersion({}, []));
    expect(choiceVersion({ target: 'liver' }, [])).toBe(choiceVersion({}, []));
  });
});
