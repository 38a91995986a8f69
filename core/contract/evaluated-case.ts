import * as z from 'zod';
import { FaultSchema } from './fault.ts';
import { HuSummary } from './manifest.ts';
import { CaseStatus, ExtendedNumber, METRIC_DEFINITIONS, type MetricName } from './panel.ts';
import { PaperMeans, ShownSlice } from './report.ts';

/** What an evaluation (`evaluation.ts`) says of one case; all that it needs to know of it. */

export const Metric = z.enum(Object.keys(METRIC_DEFINITIONS) as [MetricName, ...MetricName[]]);
export const Share = z.number().min(0).max(1);

/**
 * `failed` has no mask, `label-unusable` has one that could not be compared, `unlabelled` has no
 * label. None of them leaves the table.
 */
export const EvaluatedStatus = z.enum([
  ...CaseStatus.options,
  'failed',
  'label-unusable',
  'unlabelled',
]);
export type EvaluatedStatus = z.infer<typeof EvaluatedStatus>;

/** How the header describes a scan: what the strata and the drift flag are made from. */
export const ScanTraits = z.strictObject({
  orientation: z.string().length(3),
  spacingMm: z.strictObject({ column: z.number(), row: z.number(), slice: z.number() }),
  /** NIfTI `descrip`, where converters put the scanner or themselves; null where it is empty. */
  description: z.string().nullable(),
  hu: HuSummary,
});
export type ScanTraits = z.infer<typeof ScanTraits>;

/** Classifier probability of one slice, and whether the label shows the target there. */
export const ScoredSlice = z.strictObject({ score: Share, positive: z.boolean() });
export type ScoredSlice = z.infer<typeof ScoredSlice>;

export const EvaluatedCase = z.strictObject({
  caseId: z.string(),
  /** Cases of one patient are resampled together; the case itself where nothing says otherwise. */
  patientId: z.string(),
  runId: z.string().nullable(),
  status: EvaluatedStatus,
  /** Why there is no mask, or why it could not be compared. */
  fault: FaultSchema.nullable(),
  /** Changes with the label's content. Null where there is no label: the case is in no metric. */
  labelVersion: z.string().nullable(),
  /** What was counted as the target in label and mask; absent where neither was read. */
  labelMeaning: z.string().optional(),
  predictionMeaning: z.string().optional(),
  /** Protocol `volume`; null without a comparison. */
  metrics: z.record(Metric, ExtendedNumber).nullable(),
  /** Protocol `paper`: means over the middle slices at the model's resolution, distances in px. */
  paper: PaperMeans.nullable(),
  predictionVolumeMl: z.number().nullable(),
  labelVolumeMl: z.number().nullable(),
  /** Share of slices with the target in the label in which the mask has any voxel. */
  liverSliceRecall: Share.nullable(),
  /** Share of slices without the target in the label in which the mask has none. */
  liverFreeSliceSpecificity: Share.nullable(),
  scan: ScanTraits.nullable(),
  /** In slice order; empty where no classifier ran. */
  scores: z.array(ScoredSlice),
  flags: z.array(z.string()),
  /** Those of them that ask for a look; absent in evaluations of before they were kept apart. */
  reviewFlags: z.array(z.string()).optional(),
  seconds: z.number().nullable(),
});
export type EvaluatedCase = z.infer<typeof EvaluatedCase>;

/**
 * `cases/<case>/measured.json` where masks were made elsewhere: the row of a case, kept so that an
 * evaluation that was stopped goes on from it.
 */
export const MeasuredCase = z.strictObject({
  schemaVersion: z.literal(1),
  /** Changes with image, mask and label. */
  inputsVersion: z.string(),
  case: EvaluatedCase,
  /** Of `prediction/gallery.png`, from left to right; absent where nothing was drawn. */
  gallery: z.array(ShownSlice).optional(),
});
export type MeasuredCase = z.infer<typeof MeasuredCase>;
