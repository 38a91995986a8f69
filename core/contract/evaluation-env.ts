import * as z from 'zod/mini';
import { amount, commonEnv, count, filled } from './env.ts';

/** The environment of the functions that evaluate, as core/contract/env.ts has that of the others. */

export const EvaluateStartEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_JOB_QUEUE: filled(),
    SAMMIX_EVALUATE_JOB: filled(),
    /** `active`, or the prefix of a pinned bundle. */
    SAMMIX_BUNDLE: filled(),
    SAMMIX_CASES_PER_JOB: count(),
    SAMMIX_SLICES_PER_SLAB: count(),
    /** Dataset on which bundles from the training job are judged; empty: on none. */
    SAMMIX_JUDGE_TRAINED_ON: z.string(),
    SAMMIX_LEASE_SECONDS: count(),
  });
export type EvaluateStartEnv = z.infer<ReturnType<typeof EvaluateStartEnv>>;

export const EvaluateFinishEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_TOPIC: filled(),
    /** JSON of a `PromotionPolicy`. */
    SAMMIX_PROMOTION_POLICY: z.string(),
    SAMMIX_USD_PER_GPU_HOUR: amount(),
    SAMMIX_LEASE_SECONDS: count(),
  });

export const CanaryEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_BUNDLE: filled(),
    /** Scans of one canary. */
    SAMMIX_CANARY_CASES: count(),
  });
export type CanaryEnv = z.infer<ReturnType<typeof CanaryEnv>>;
