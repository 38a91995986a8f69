import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TrainingLogLine } from '../../../core/contract/training-events.ts';
import { bestOf, trainingLog } from '../../../core/training/log.ts';

const train = (step: number): TrainingLogLine => ({
  kind: 'train',
  step,
  elapsed_s: step,
  progress: 0.5,
  seg: 1 / (step + 1),
});
const validation = (step: number, dice: number): TrainingLogLine => ({
  kind: 'validation',
  step,
  elapsed_s: step,
  progress: 0.5,
  dice,
  auc: null,
  box_recall: 0.9,
});
const text = (lines: readonly TrainingLogLine[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join('');

describe('the log of a training', () => {
  it('keeps lines as they are, further fields too, and passes over what was cut off', () => {
    const lines = [train(20), validation(20, 0.4), { ...train(40), dice_site: 0.3 }];
    expect(trainingLog(`${text(lines)}{"kind": "train", "step": 6`)).toEqual(lines);
  });

  it('forgets the steps that a killed training repeats', () => {
    const before = [train(20), validation(30, 0.5), train(40), train(60)];
    const after = [train(40), validation(55, 0.4), train(60)];
    expect(trainingLog(text([...before, ...after]))).toEqual([
      train(20),
      validation(30, 0.5),
      ...after,
    ]);
  });

  it('is in order of steps, however often it was killed', () => {
    const step = fc.integer({ min: 0, max: 50 });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const found = trainingLog(text(steps.map(train))).map((line) => line.step);
        expect(found).toEqual([...new Set(found)].sort((a, b) => a - b));
        if (steps.length > 0) expect(found.at(-1)).toBe(steps.at(-1));
      }),
    );
  });

  it('has a best validation: the first of the highest', () => {
    expect(bestOf([train(1)])).toBeUndefined();
    expect(bestOf([validation(1, 0.2), validation(2, 0.7), validation(3, 0.7)])?.step).toBe(2);
  });
});
