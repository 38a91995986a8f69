import { z } from 'zod';

/**
 * The environment of every function and job, once: handlers parse it, and infra types the
 * `environment` that it sets by the same schema, so a missing or misspelt variable does not compile.
 * Each is made when it is asked for: a function starts with its own and not with all of them.
 */

export const commonEnv = () => ({
  SAMMIX_SITE: z.string().min(1),
  SAMMIX_BUCKET: z.string().min(1),
});

export const SplitEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_JOB_QUEUE: z.string().min(1),
    SAMMIX_SEGMENT_JOB: z.string().min(1),
    /** `active`, or the prefix of a pinned bundle. */
    SAMMIX_BUNDLE: z.string().min(1),
    SAMMIX_SLICES_PER_JOB: z.coerce.number().int().positive(),
    SAMMIX_SLICES_PER_SLAB: z.coerce.number().int().positive(),
    /** A claim older than this was left by a crash; equals the function's timeout. */
    SAMMIX_LEASE_SECONDS: z.coerce.number().int().positive(),
  });
export type SplitEnv = z.infer<ReturnType<typeof SplitEnv>>;

export const AssembleEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_USD_PER_GPU_HOUR: z.coerce.number().nonnegative(),
  });

export const FailuresEnv = () => z.object({ ...commonEnv(), SAMMIX_BUNDLE: z.string().min(1) });

export const SummaryEnv = () =>
  z.object({
    ...commonEnv(),
    /** JSON array of dataset names. */
    SAMMIX_DATASETS: z.string().transform((text) => z.array(z.string()).parse(JSON.parse(text))),
  });

export const TrainEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_JOB_QUEUE: z.string().min(1),
    /** Empty at a site that does not train. */
    SAMMIX_TRAIN_JOB: z.string(),
    SAMMIX_USD_PER_GPU_HOUR: z.coerce.number().nonnegative(),
    /** A claim older than this was left by a crash; equals the function's timeout. */
    SAMMIX_LEASE_SECONDS: z.coerce.number().int().positive(),
  });
export type TrainEnv = z.infer<ReturnType<typeof TrainEnv>>;

/** Set on the training job's definition; gpu-jobs/train/sammix_train/job.py reads it. */
export const TrainJobDefinitionEnv = () =>
  z.object({
    ...commonEnv(),
    /** A folder that can be written, with room for the data. */
    SAMMIX_SCRATCH: z.string().min(1),
  });

/** Set when a training job is submitted. */
export const TrainJobRunEnv = () =>
  z.object({
    /** `training/requests/<id>.json` */
    SAMMIX_TRAINING_REQUEST: z.string().min(1),
    SAMMIX_TRACE_ID: z.string().min(1),
  });

/** Set on the job definition. */
export const SegmentJobDefinitionEnv = () =>
  z.object({
    ...commonEnv(),
    /** Execution providers in order of preference, comma-separated. */
    SAMMIX_PROVIDERS: z.string().min(1),
    /** CPU threads of one graph: the job's vCPUs. */
    SAMMIX_THREADS: z.coerce.number().int().positive(),
  });

/** Set when the job is submitted. Ids only: Batch shows a job's environment in its console. */
export const SegmentJobRunEnv = () =>
  z.object({
    SAMMIX_RUN_ID: z.string().regex(/^[0-9a-f]{16}$/),
    SAMMIX_TRACE_ID: z.string().min(1),
  });

export const SegmentJobEnv = () =>
  SegmentJobDefinitionEnv()
    .extend(SegmentJobRunEnv().shape)
    .extend({
      /** Set by Batch on the children of an array job; a plain job is child 0. */
      AWS_BATCH_JOB_ARRAY_INDEX: z.coerce.number().int().nonnegative().default(0),
      AWS_BATCH_JOB_ATTEMPT: z.coerce.number().int().positive().default(1),
    });
export type SegmentJobEnv = z.infer<ReturnType<typeof SegmentJobEnv>>;

/** What CDK and Batch are given for a schema: each variable, as a string. */
export type EnvironmentOf<Schema extends () => z.ZodObject> = {
  readonly [Name in keyof z.input<ReturnType<Schema>>]: string;
};
