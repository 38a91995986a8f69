import { describe, expect, it } from 'vitest';
import { datasetJsonTable } from '../../../core/dataset/class-tables.ts';
import {
  type CountedCase,
  type TrainingSet,
  targetValues,
  trainingFault,
} from '../../../core/dataset/training-set.ts';

const TABLE = datasetJsonTable(
  JSON.stringify({ labels: { background: 0, spleen: 1, 'left kidney': [2, 3], ignore: 9 } }),
  'dataset.json',
)!;

describe('the target of a training', () => {
  it('has the values of its names in dataset.json', () => {
    expect(targetValues(TABLE, 'left kidney', 'd').target).toEqual(new Set([2, 3]));
    expect(targetValues(TABLE, 'spleen+left kidney', 'd').target).toEqual(new Set([1, 2, 3]));
    expect(targetValues(TABLE, 'spleen', 'd').ignore).toEqual(new Set([9]));
    expect(targetValues(undefined, 'whatever', 'd').target).toEqual(new Set([1]));
  });

  it.each(['pancreas', 'background', 'ignore', 'spleen+pancreas'])(
    '%s is refused with the names that there are',
    (target) => {
      expect(() => targetValues(TABLE, target, 'd')).toThrow('found spleen, left kidney');
    },
  );
});

const counted = (caseId: string, shown: number, empty = 3): CountedCase => ({
  caseId,
  patient: caseId.slice(0, 1),
  counts: { shown, empty, unlabelled: 0 },
});

const set = (labelled: readonly CountedCase[], training?: readonly string[]): TrainingSet => ({
  labelled,
  unlabelledCases: 0,
  training: training && new Set(training),
});

const fault = (of: TrainingSet, labels: number | 'all' = 'all') =>
  trainingFault(of, { target: 'spleen', labels }, 'scans');

describe('what keeps a data set from being trained on', () => {
  it('is nothing where two patients show and lack the target', () => {
    expect(fault(set([counted('a', 3), counted('b', 2)]))).toBeUndefined();
  });

  it('is one patient, however many cases there are of them', () => {
    expect(fault(set([counted('a1', 30), counted('a2', 30)]))).toMatchObject({
      code: 'one-patient',
      found: 'those of 1',
    });
  });

  it('is too few labels, with the number that would do', () => {
    const two = set([counted('a', 6), counted('b', 5)]);
    expect(fault(two, 11)).toBeUndefined();
    expect(fault(two, 12)).toMatchObject({
      code: 'too-few-labels',
      found: '11',
      remedy: expect.stringContaining('--labels 11'),
    });
    expect(fault(set([counted('a', 2), counted('b', 2)]), 2)).toMatchObject({
      code: 'too-few-labels',
      expected: expect.stringContaining('at least 5'),
    });
  });

  it('counts only those that train, where the data set says who does', () => {
    const cases = [counted('a', 4), counted('b', 40)];
    expect(fault(set(cases))).toBeUndefined();
    expect(fault(set(cases, ['a']))).toMatchObject({ code: 'too-few-labels', found: '4' });
  });

  it('is a data set without an empty slice', () => {
    expect(fault(set([counted('a', 9, 0), counted('b', 9, 0)]))).toMatchObject({
      code: 'no-empty-slices',
    });
    expect(fault(set([counted('a', 9, 0), counted('b', 9, 4)], ['a']))).toMatchObject({
      code: 'no-empty-slices',
    });
  });
});
