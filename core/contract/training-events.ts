import * as z from 'zod';
import { Sha256 } from './ids.ts';

/**
 * What the trainer says while `sammix train` waits, one JSON object a line of its stdout. Of these, `train`
 * and `validation` are the lines of the run's `log.jsonl`. The trainer's tests hold what it says to the same
 * contract, written as a JSON schema by gpu-jobs/train/write-request-schema.ts.
 */

const Count = z.int().nonnegative();
/** Null where it is not defined, as an AUC without slices of one class. */
const Measured = z.number().nullable();

const POSITION = {
  step: Count,
  /** Seconds trained so far, over all sessions. */
  elapsed_s: z.number().nonnegative(),
  /** Share of the schedule that is done. */
  progress: z.number().min(0).max(1),
};

/** Means over the steps since the last such line; further terms of the loss beside these. */
const TrainLine = z.looseObject({
  kind: z.literal('train'),
  ...POSITION,
  /** Loss of the masks. */
  seg: z.number().optional(),
  /** Loss of the classifier. */
  cls: z.number().optional(),
});

/** Scores of the averaged weights on the validation patients, prompted by the classifier's map. */
const ValidationLine = z.looseObject({
  kind: z.literal('validation'),
  ...POSITION,
  /** Mean over the slices that show the target. */
  dice: z.number(),
  /** Of the classifier, over all slices. */
  auc: Measured,
  /** Share of the target's pixels inside the box of the map. */
  box_recall: Measured,
});
export type ValidationLine = z.infer<typeof ValidationLine>;

/** A line of `log.jsonl`. */
export const TrainingLogLine = z.discriminatedUnion('kind', [TrainLine, ValidationLine]);
export type TrainingLogLine = z.infer<typeof TrainingLogLine>;

/** What is trained on. */
export const DataFacts = z.strictObject({
  kind: z.literal('data'),
  /** Above 0 where a stopped training goes on. */
  step: Count,
  trainingPatients: Count,
  validationPatients: Count,
  /** Slices whose mask is learnt. */
  labelledSlices: Count,
  /** Labelled slices without the target. */
  emptySlices: Count,
  unlabelledSlices: Count,
  validationSlices: Count,
  machine: z.string(),
});
export type DataFacts = z.infer<typeof DataFacts>;

export const TrainingEvent = z.discriminatedUnion('kind', [
  DataFacts,
  TrainLine,
  ValidationLine,
  z.strictObject({ kind: z.literal('exporting') }),
  z.strictObject({ kind: z.literal('stopped'), step: Count }),
  z.strictObject({ kind: z.literal('refused'), reason: z.string() }),
  z.strictObject({
    kind: z.literal('done'),
    steps: Count,
    seconds: z.number().nonnegative(),
    /** The best validation, whose weights are exported. */
    dice: z.number(),
  }),
]);
export type TrainingEvent = z.infer<typeof TrainingEvent>;

/** What was asked of a training, kept beside it: the same is gone on with, anything else is another training. */
export const TrainingAsked = z.strictObject({
  schemaVersion: z.literal(1),
  /** Where the data set was, absolute. */
  dataset: z.string(),
  target: z.string().min(1),
  labels: z.union([z.literal('all'), z.int().positive()]),
  /** Digest of the bundle that the weights start from. */
  startFrom: Sha256,
  length: z.union([
    z.strictObject({ minutes: z.number().positive() }),
    z.strictObject({ steps: z.int().positive() }),
  ]),
  seed: Count,
});
export type TrainingAsked = z.infer<typeof TrainingAsked>;
