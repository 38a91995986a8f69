import * as z from 'zod';
import { BundleDisplay } from './bundle.ts';
import { EvaluatedCase, EvaluatedStatus, Metric, Share } from './evaluated-case.ts';
import { ExtendedNumber } from './panel.ts';
import { LeftOutFiles } from './summary.ts';

/**
 * `evaluation.json`: a labelled dataset measured with one bundle, or with masks made elsewhere.
 * Case reports are its only source, so that a laptop and a site's bucket give the same numbers.
 *
 * Patients are the unit of all statistics: a patient's value is the mean over its cases, an estimate
 * the mean over patients, an interval the percentile bootstrap over patients. A case is *labelled*
 * where `labelVersion` is not null; a labelled case that failed or whose label could not be used
 * stays in and counts with the worst value; one whose label could not be used is counted and listed
 * apart, because nothing is known of its mask. Cases are listed by id, so their order changes nothing.
 */

/** A point estimate and its percentile bootstrap interval over patients; null where undefined. */
export const EstimateInterval = z.strictObject({
  estimate: z.number().nullable(),
  lower: z.number().nullable(),
  upper: z.number().nullable(),
});
export type EstimateInterval = z.infer<typeof EstimateInterval>;

/** One metric over all labelled cases. */
export const MetricSummary = z.strictObject({
  name: Metric,
  unit: z.string(),
  definition: z.string(),
  /** Mean of the finite values (over patients of each patient's mean). */
  mean: EstimateInterval,
  count: z.int().nonnegative(),
  /**
   * Labelled cases that this mean leaves out because their value is infinite or missing: failed
   * ones always, missed and spurious ones where the metric is a distance.
   */
  leftOut: z.int().nonnegative(),
  /**
   * Mean over all labelled cases with `worst` in place of those left out, and of what is worse;
   * null where no worst exists.
   */
  meanWithWorst: EstimateInterval,
  /** 0 for overlaps; for distances 700 mm, the diagonal of a field of view of 400 mm each way. */
  worst: z.number().nullable(),
  quartiles: z.tuple([ExtendedNumber, ExtendedNumber, ExtendedNumber]).nullable(),
  min: ExtendedNumber.nullable(),
  max: ExtendedNumber.nullable(),
});
export type MetricSummary = z.infer<typeof MetricSummary>;

/** Slices as items, patients as clusters. */
export const ClassificationSummary = z.strictObject({
  slices: z.int().nonnegative(),
  positives: z.int().nonnegative(),
  threshold: z.number(),
  auc: EstimateInterval,
  accuracy: EstimateInterval,
  sensitivity: EstimateInterval,
  specificity: EstimateInterval,
  expectedCalibrationError: z.number().nullable(),
  roc: z.array(
    z.strictObject({
      falsePositiveRate: Share,
      truePositiveRate: Share,
      threshold: ExtendedNumber,
    }),
  ),
  calibration: z.array(
    z.strictObject({
      lower: Share,
      upper: Share,
      count: z.int().nonnegative(),
      meanScore: Share.nullable(),
      positiveShare: Share.nullable(),
    }),
  ),
});
export type ClassificationSummary = z.infer<typeof ClassificationSummary>;

/**
 * Labelled cases that share a trait; failed ones count with Dice 0. The trait of a case whose header
 * could not be read is `unknown`; descriptions that only one case has are `other`.
 */
export const Stratum = z.strictObject({
  by: z.enum(['slice-spacing', 'orientation', 'description']),
  value: z.string(),
  cases: z.int().positive(),
  patients: z.int().positive(),
  diceWithFailuresAsZero: EstimateInterval,
});
export type Stratum = z.infer<typeof Stratum>;

/** Bland-Altman of volumes: prediction minus label, ml; over compared cases. */
export const VolumeAgreement = z.strictObject({
  cases: z.int().nonnegative(),
  biasMl: z.number().nullable(),
  /** bias -+ 1.96 sample standard deviations (n - 1) of the differences. */
  lowerLimitMl: z.number().nullable(),
  upperLimitMl: z.number().nullable(),
});
export type VolumeAgreement = z.infer<typeof VolumeAgreement>;

/** How the mean Dice of the patients of one stratum differs between two evaluations. */
export const StratumDifference = z.strictObject({
  by: Stratum.shape.by,
  value: z.string(),
  patients: z.int().positive(),
  diceDifference: EstimateInterval,
});

/** Against an earlier evaluation of the same dataset; differences are this minus earlier. */
export const EvaluationComparison = z.strictObject({
  previous: z.strictObject({
    evaluationId: z.string(),
    createdAt: z.iso.datetime(),
    bundleDigest: z.string().nullable(),
  }),
  /** Patients in both, failures with Dice 0. */
  patients: z.int().nonnegative(),
  diceDifference: EstimateInterval,
  wilcoxon: z
    .strictObject({ statistic: z.number(), pValue: Share, pairs: z.int().nonnegative() })
    .nullable(),
  /** Cases whose status changed or whose Dice moved by 0.01 or more; largest changes first. */
  moved: z.array(
    z.strictObject({
      caseId: z.string(),
      previousDice: z.number(),
      dice: z.number(),
      previousStatus: EvaluatedStatus,
      status: EvaluatedStatus,
    }),
  ),
  strata: z.array(StratumDifference),
  /** Cases that only one of the two has, or whose label has changed since. */
  onlyHere: z.array(z.string()),
  onlyThere: z.array(z.string()),
  relabelled: z.array(z.string()),
});
export type EvaluationComparison = z.infer<typeof EvaluationComparison>;

/** Whether the inputs still look like those of the earlier evaluation. */
export const DriftSignal = z.strictObject({
  of: z.enum(['hu-p01', 'hu-p50', 'hu-p99', 'slice-spacing', 'pixel-spacing', 'classifier-score']),
  /** Two-sample Kolmogorov-Smirnov over cases (for scores: each case's mean score). */
  statistic: Share,
  pValue: Share,
  /** p < 0.01. */
  drifted: z.boolean(),
});
export type DriftSignal = z.infer<typeof DriftSignal>;

export const Evaluation = z.strictObject({
  schemaVersion: z.literal(1),
  evaluationId: z.string(),
  dataset: z.string(),
  createdAt: z.iso.datetime(),
  sammixVersion: z.string(),
  /** Null where the masks were made elsewhere. */
  bundle: BundleDisplay.nullable(),
  /** What masks made elsewhere are of, where it was said; else the bundle's target counts, or the liver. */
  target: z.string().optional(),
  /** Cases by status; they add up to the cases listed. */
  counts: z.record(EvaluatedStatus, z.int().nonnegative()),
  patients: z.int().nonnegative(),
  bootstrap: z.strictObject({
    draws: z.int().positive(),
    confidence: Share,
    seed: z.int(),
  }),
  metrics: z.array(MetricSummary),
  /**
   * Protocol `paper`, means over slices (all of a drawn patient's enter a draw). `leftOut`: labelled
   * cases without it.
   */
  paper: z
    .strictObject({
      slices: z.int().nonnegative(),
      dice: EstimateInterval,
      hausdorffPx: EstimateInterval,
      leftOut: z.int().nonnegative(),
    })
    .nullable(),
  /** Failed cases count as 0 in both. */
  liverSliceRecall: EstimateInterval,
  liverFreeSliceSpecificity: EstimateInterval,
  classification: ClassificationSummary.nullable(),
  /** Cases whose slices `classification` is made of, where there were too many for all of them. */
  scoredCases: z.int().nonnegative().optional(),
  volumes: VolumeAgreement,
  strata: z.array(Stratum),
  /** Ids of the worst cases, failed and missed ones first. */
  worst: z.array(z.string()),
  comparison: EvaluationComparison.nullable(),
  drift: z.array(DriftSignal),
  /** What lies in the dataset and was taken for no case. */
  leftOut: z.array(LeftOutFiles).readonly().optional(),
  /** Cases that were measured and whose every trace was removed since: all numbers are without them. */
  purgedCases: z.int().positive().optional(),
  cases: z.array(EvaluatedCase),
});
export type Evaluation = z.infer<typeof Evaluation>;

/** One line of a dataset's history: the trend plot is drawn from these. */
export const HistoryEntry = z.strictObject({
  evaluationId: z.string(),
  createdAt: z.iso.datetime(),
  bundleDigest: z.string().nullable(),
  cases: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  dice: EstimateInterval,
  diceWithFailuresAsZero: EstimateInterval,
  drifted: z.boolean(),
});
export type HistoryEntry = z.infer<typeof HistoryEntry>;

export const History = z.strictObject({
  schemaVersion: z.literal(1),
  dataset: z.string(),
  entries: z.array(HistoryEntry),
});
export type History = z.infer<typeof History>;
