import { z } from 'zod';
import { EstimateInterval, Stratum } from './evaluation.ts';

/** When a candidate bundle may replace the active one, and the record of each decision. */

export const PromotionPolicy = z.strictObject({
  /** The interval's lower end of the paired Dice difference must be above this. */
  marginDice: z.number().min(-1).max(1).default(0),
  /** Confidence of that interval. */
  confidence: z.number().gt(0.5).lt(1).default(0.95),
  /** No stratum's mean Dice may fall by more than this. */
  stratumLimitDice: z.number().min(0).max(1).default(0.02),
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
    'passed',
  ]),
  message: z.string(),
});
export type PromotionReason = z.infer<typeof PromotionReason>;

/** `models/decisions/<time>-<candidate>.json` */
export const PromotionDecision = z.strictObject({
  schemaVersion: z.literal(1),
  decidedAt: z.iso.datetime(),
  dataset: z.string(),
  candidate: z.strictObject({ digest: z.string(), evaluationId: z.string() }),
  /** Null where the site had no active bundle. */
  incumbent: z.strictObject({ digest: z.string(), evaluationId: z.string() }).nullable(),
  policy: PromotionPolicy,
  promoted: z.boolean(),
  /** `passed` alone, or every rule that was broken. */
  reasons: z.array(PromotionReason).min(1),
  patients: z.int().nonnegative(),
  diceDifference: EstimateInterval.nullable(),
  strata: z.array(
    z.strictObject({
      by: Stratum.shape.by,
      value: z.string(),
      patients: z.int().positive(),
      diceDifference: EstimateInterval,
    }),
  ),
});
export type PromotionDecision = z.infer<typeof PromotionDecision>;
