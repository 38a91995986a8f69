import * as z from 'zod';
import { EstimateInterval, StratumDifference } from './evaluation.ts';

/** When a candidate bundle may replace the active one, and the record of each decision. */

export const PromotionPolicy = z.strictObject({
  /** The interval's lower end of the paired Dice difference must be above this. */
  marginDice: z.number().min(-1).max(1).default(0),
  /** Confidence of that interval. */
  confidence: z.number().gt(0.5).lt(1).default(0.95),
  /** No stratum's mean Dice may fall by more than this. */
  stratumLimitDice: z.number().min(0).max(1).default(0.02),
  /** A stratum of fewer patients is shown, but does not decide: one scan would be its whole mean. */
  stratumMinimumPatients: z.int().min(1).default(3),
  /** Fewer patients than this decide nothing. */
  minimumPatients: z.int().min(2).default(10),
});
export type PromotionPolicy = z.infer<typeof PromotionPolicy>;

export const PromotionReason = z.strictObject({
  code: z.enum([
    'too-few-patients',
    'difference-not-above-margin',
    'stratum-falls',
    'more-failures',
    'different-cases',
    'same-bundle',
    'no-incumbent',
    'incumbent-changed',
    'passed',
    'forced',
    'rolled-back',
  ]),
  message: z.string(),
});
export type PromotionReason = z.infer<typeof PromotionReason>;

/** A bundle that was decided about; the evaluation is null where a person decided without one. */
const Judged = z.strictObject({ digest: z.string(), evaluationId: z.string().nullable() });

/** `models/decisions/<time>-<candidate>.json`: the gate's decision, or a person's, and why. */
export const PromotionDecision = z.strictObject({
  schemaVersion: z.literal(1),
  decidedAt: z.iso.datetime(),
  /** Null where nothing was measured. */
  dataset: z.string().nullable(),
  candidate: Judged,
  /** Null where the site had no active bundle. */
  incumbent: Judged.nullable(),
  /** Null where a person decided. */
  policy: PromotionPolicy.nullable(),
  promoted: z.boolean(),
  /** `passed`, `no-incumbent` or a person's reason alone, or every rule that was broken. */
  reasons: z.array(PromotionReason).min(1),
  patients: z.int().nonnegative(),
  diceDifference: EstimateInterval.nullable(),
  strata: z.array(StratumDifference),
});
export type PromotionDecision = z.infer<typeof PromotionDecision>;
