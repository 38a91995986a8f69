import * as z from 'zod';
import { ExtendedNumber } from './panel.ts';

/** One row of `summary.json` and `summary.csv`. */
export const SummaryRow = z.strictObject({
  caseId: z.string(),
  /** Where the run has several targets: which of them. */
  target: z.string().optional(),
  status: z.enum(['segmented', 'failed']),
  resumed: z.boolean(),
  volumeMl: z.number().nullable(),
  flags: z.array(z.string()),
  /** Of the liver; absent in summaries of before they were measured. */
  surfaceAreaMm2: z.number().nullable().optional(),
  longestAxialDiameterMm: z.number().nullable().optional(),
  /** Of all voxels of the mask. */
  meanHu: z.number().nullable().optional(),
  sdHu: z.number().nullable().optional(),
  medianHu: z.number().nullable().optional(),
  /** Of the mask without its outermost voxels. */
  erodedMeanHu: z.number().nullable().optional(),
  below40HuShare: z.number().nullable().optional(),
  dice: z.number().nullable(),
  hd95Mm: ExtendedNumber.nullable(),
  seconds: z.number().nullable(),
  reason: z.string().nullable(),
});
export type SummaryRow = z.infer<typeof SummaryRow>;

/** What a command saw and did not take for a case, by reason. */
export const LeftOutFiles = z.strictObject({
  reason: z.string(),
  meaning: z.string(),
  count: z.int().positive(),
  paths: z.array(z.string()).readonly(),
});
export type LeftOutFiles = Readonly<z.infer<typeof LeftOutFiles>>;

/** Over the compared cases, and over all labelled ones with failures counted as 0. */
const MeanDice = {
  meanDice: z.number().nullable(),
  meanDiceFailuresAsZero: z.number().nullable(),
};

export const RunSummary = z.strictObject({
  schemaVersion: z.literal(1),
  bundleDigest: z.string(),
  cases: z.array(SummaryRow),
  segmented: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  skipped: z.int().nonnegative(),
  /** Segmented cases whose label could not be used; they are in no mean. */
  notCompared: z.int().nonnegative().optional(),
  leftOut: z.array(LeftOutFiles).readonly().optional(),
  ...MeanDice,
  /** Where the run has several targets: each of them, in whose cases the means then are. */
  targets: z
    .array(z.strictObject({ target: z.string(), bundleDigest: z.string(), ...MeanDice }))
    .optional(),
});
export type RunSummary = z.infer<typeof RunSummary>;
