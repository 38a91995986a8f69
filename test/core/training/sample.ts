import type { TrainingLogLine } from '../../../core/contract/training-events.ts';
import type { TrainingPageFacts } from '../../../core/training/page.ts';

const position = (step: number) => ({ step, elapsed_s: 2 * step, progress: step / 100 });
export const LOG: TrainingLogLine[] = [
  { kind: 'train', ...position(20), seg: 0.9, cls: 0.2 },
  { kind: 'validation', ...position(30), dice: 0.41, auc: null, box_recall: 0.5 },
  { kind: 'train', ...position(40), seg: 0.4 },
  { kind: 'validation', ...position(100), dice: 0.83, auc: 0.95, box_recall: 0.9 },
];

export const FACTS: TrainingPageFacts = {
  asked: {
    schemaVersion: 1,
    dataset: '/scans/<b>mine',
    target: 'left <kidney>',
    labels: 50,
    startFrom: 'a'.repeat(64),
    length: { minutes: 20 },
    seed: 3,
  },
  data: {
    kind: 'data',
    step: 0,
    trainingPatients: 12,
    validationPatients: 3,
    labelledSlices: 50,
    emptySlices: 204,
    unlabelledSlices: 34,
    validationSlices: 69,
    machine: 'cpu, 2 threads, x86_64',
  },
  log: LOG,
  bundle: undefined,
  startFrom: 'bundle',
  createdAt: '2026-03-04T05:06:07.000Z',
  sammixVersion: '0.1.0',
  commands: ["sammix run SCANS --bundle 'my bundle' --out results"],
};
