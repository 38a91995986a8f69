import { z } from 'zod';
import { commonEnv } from './env.ts';

/** The environment of the functions that evaluate, as core/contract/env.ts has that of the others. */

export const EvaluateStartEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_JOB_QUEUE: z.string().min(1),
    SAMMIX_EVALUATE_JOB: z.string().min(1),
    /** `active`, or the prefix of a pinned bundle. */
    SAMMIX_BUNDLE: z.string().min(1),
    SAMMIX_CASES_PER_JOB: z.coerce.number().int().positive(),
    SAMMIX_SLICES_PER_SLAB: z.coerce.number().int().positive(),
    /** Dataset on which bundles from the training job are judged; empty: on none. */
    SAMMIX_JUDGE_TRAINED_ON: z.string(),
    SAMMIX_LEASE_SECONDS: z.coerce.number().int().positive(),
  });
export type EvaluateStartEnv = z.infer<ReturnType<typeof EvaluateStartEnv>>;

export const EvaluateFinishEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_TOPIC: z.string().min(1),
    /** JSON of a `PromotionPolicy`. */
    SAMMIX_PROMOTION_POLICY: z.string(),
    SAMMIX_USD_PER_GPU_HOUR: z.coerce.number().nonnegative(),
    SAMMIX_LEASE_SECONDS: z.coerce.number().int().positive(),
  });

export const CanaryEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_BUNDLE: z.string().min(1),
    /** Scans of one canary. */
    SAMMIX_CANARY_CASES: z.coerce.number().int().positive(),
  });
export type CanaryEnv = z.infer<ReturnType<typeof CanaryEnv>>;
