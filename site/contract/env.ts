import * as z from 'zod/mini';
import { RUN_ID } from '../../core/contract/hex.ts';
import { EVALUATION_ID } from './keys.ts';
import type { GpuPrices } from './prices.ts';

/**
 * The environment of every function and job, once: handlers parse it, and infra types the
 * `environment` that it sets by the same schema, so a missing or misspelt variable does not compile.
 * Each is made when it is asked for: a function starts with its own and not with all of them. They are
 * of zod's small form, which loads in a fraction of the time: every function's start pays for it.
 */

/** A string that is not empty. The messages are ours: the small form has none. */
export const filled = () => {
  const expected = 'expected text';
  return z.string(expected).check(z.minLength(1, expected));
};
/** A whole number of at least 1. */
export const count = () => wholeNumber('expected a whole number of at least 1', 1);
/** A whole number of at least 0. */
export const ordinal = () => wholeNumber('expected a whole number of at least 0', 0);
/** JSON of what an hour of each instance type costs (`GpuPrices`). */
const gpuPrices = () => {
  const expected = 'expected prices by instance type, as JSON';
  return z.pipe(
    z.string(expected),
    parsed(expected, (json): GpuPrices => {
      const price = z.object({ onDemand: z.number(), spot: z.nullable(z.number()) });
      return z.record(z.string(), price).parse(json);
    }),
  );
};

/** A variable's text as JSON; where that, or `read`, throws, it is not what was expected. */
const parsed = <Value>(expected: string, read: (json: unknown) => Value) =>
  z.transform((text: string, context): Value => {
    try {
      return read(JSON.parse(text));
    } catch {
      context.issues.push({ code: 'custom', message: expected, input: text });
      return z.NEVER;
    }
  });

const wholeNumber = (expected: string, least: number) =>
  z.coerce.number(expected).check(z.int(expected), z.gte(least, expected));

const commonEnv = () => ({
  SAMMIX_SITE: filled(),
  SAMMIX_BUCKET: filled(),
});

/** What a run is asked for, beside its bundle: part of its name, so whoever names runs must agree. */
const runEnv = () => ({
  /** Whether masks and reports carry the free text of the input's header. */
  SAMMIX_HEADER_TEXT: z.pipe(
    z._default(z.enum(['dropped', 'kept']), 'dropped'),
    z.transform((text) => text === 'kept'),
  ),
});

/** JSON of the further targets of the site file and their bundles, `active` or the prefix of a pinned one. */
const furtherTargets = () => {
  const expected = 'expected bundles by target, as JSON';
  return z.pipe(
    z._default(z.string(expected), '{}'),
    parsed(
      expected,
      (json): Readonly<Record<string, string>> => z.record(z.string(), z.string()).parse(json),
    ),
  );
};

/** JSON: what is liver in the labels of a dataset (`labels` of the site's file). */
const labelChoices = () => {
  const expected = 'expected what is liver by dataset, as JSON';
  return z.pipe(
    z._default(z.string(expected), '{}'),
    parsed(expected, (json) => {
      const choice = z.object({
        values: z.optional(z.array(z.int())),
        names: z.optional(z.array(z.string())),
        ignore: z.optional(z.array(z.int())),
      });
      return z.record(z.string(), choice).parse(json);
    }),
  );
};

/** JSON array of their names. */
const datasets = () => {
  const expected = 'expected names of datasets, as JSON';
  return z.pipe(
    z.string(expected),
    parsed(expected, (json) => z.array(z.string()).parse(json)),
  );
};

export const SplitEnv = () =>
  z.object({
    ...commonEnv(),
    ...runEnv(),
    SAMMIX_JOB_QUEUE: filled(),
    /** For the canary's scans, for which nobody waits. */
    SAMMIX_BACKGROUND_QUEUE: filled(),
    SAMMIX_SEGMENT_JOB: filled(),
    /** `active`, or the prefix of a pinned bundle. */
    SAMMIX_BUNDLE: filled(),
    SAMMIX_TARGETS: furtherTargets(),
    SAMMIX_SLICES_PER_JOB: count(),
    SAMMIX_SLICES_PER_SLAB: count(),
    /** A claim older than this was left by a crash; equals the function's timeout. */
    SAMMIX_LEASE_SECONDS: count(),
  });
export type SplitEnv = z.infer<ReturnType<typeof SplitEnv>>;

export const DicomEnv = () =>
  z.object({
    ...commonEnv(),
    ...runEnv(),
    /** Of the secret that names cases. */
    SAMMIX_DICOM_KEY: filled(),
    /** `active`, or the prefix of a pinned bundle. */
    SAMMIX_BUNDLE: filled(),
    SAMMIX_TARGETS: furtherTargets(),
    /** A claim older than this was left by a crash; equals the function's timeout. */
    SAMMIX_LEASE_SECONDS: count(),
  });
export type DicomEnv = z.infer<ReturnType<typeof DicomEnv>>;

export const AssembleEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_GPU_PRICES: gpuPrices(),
    SAMMIX_TARGETS: furtherTargets(),
    SAMMIX_LABELS: labelChoices(),
  });

export const FailuresEnv = () =>
  z.object({
    ...commonEnv(),
    ...runEnv(),
    SAMMIX_BUNDLE: filled(),
    SAMMIX_TARGETS: furtherTargets(),
  });

export const SummaryEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_DATASETS: datasets(),
  });

export const TrainEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_JOB_QUEUE: filled(),
    /** Empty at a site that does not train. */
    SAMMIX_TRAIN_JOB: z.string(),
    SAMMIX_GPU_PRICES: gpuPrices(),
    /** A claim older than this was left by a crash; equals the function's timeout. */
    SAMMIX_LEASE_SECONDS: count(),
  });
export type TrainEnv = z.infer<ReturnType<typeof TrainEnv>>;

/** Set on the training job's definition; gpu-jobs/train/sammix_train/job/attempt.py reads it. */
export const TrainJobDefinitionEnv = () =>
  z.object({
    ...commonEnv(),
    /** A folder that can be written, with room for the data. */
    SAMMIX_SCRATCH: filled(),
    /** What PyTorch must have, or the job ends. */
    SAMMIX_DEVICE: filled(),
  });

/** Set when a training job is submitted. */
export const TrainJobRunEnv = () =>
  z.object({
    /** `training/requests/<id>.json` */
    SAMMIX_TRAINING_REQUEST: filled(),
    SAMMIX_TRACE_ID: filled(),
  });

/** Set by Batch itself. */
const batchEnv = () => ({
  /** Of the children of an array job; a plain job is child 0. */
  AWS_BATCH_JOB_ARRAY_INDEX: z._default(ordinal(), 0),
  AWS_BATCH_JOB_ATTEMPT: z._default(count(), 1),
});

/** Set on the job definition. */
export const SegmentJobDefinitionEnv = () =>
  z.object({
    ...commonEnv(),
    /** Execution providers in order of preference, comma-separated. */
    SAMMIX_PROVIDERS: filled(),
    /** CPU threads of one graph: the job's vCPUs. */
    SAMMIX_THREADS: count(),
    /** Folder in which the instance has described itself (infra/instance.ts). */
    SAMMIX_MACHINE: filled(),
  });

/** Set when the job is submitted. Ids only: Batch shows a job's environment in its console. */
export const SegmentJobRunEnv = () =>
  z.object({
    SAMMIX_RUN_ID: z.string().check(z.regex(RUN_ID, 'expected 16 hexadecimal digits')),
    SAMMIX_TRACE_ID: filled(),
  });

export const SegmentJobEnv = () =>
  z.object({
    ...SegmentJobDefinitionEnv().shape,
    ...SegmentJobRunEnv().shape,
    ...batchEnv(),
  });
export type SegmentJobEnv = z.infer<ReturnType<typeof SegmentJobEnv>>;

/** What CDK and Batch are given for a schema: each variable, as a string. */
export type EnvironmentOf<Schema extends () => z.ZodMiniObject> = {
  readonly [Name in keyof z.input<ReturnType<Schema>>]: string;
};

/** Set when an evaluation's job is submitted; the job definition's part is the segment job's. */
export const EvaluateJobRunEnv = () =>
  z.object({
    SAMMIX_EVALUATION_ID: z
      .string()
      .check(z.regex(EVALUATION_ID, 'expected the id of an evaluation')),
    /** Number of the array's first child among the children of all arrays. */
    SAMMIX_FIRST_CHILD: ordinal(),
    SAMMIX_TRACE_ID: filled(),
  });

export const EvaluateJobEnv = () =>
  z.object({
    ...SegmentJobDefinitionEnv().shape,
    ...EvaluateJobRunEnv().shape,
    ...batchEnv(),
  });

/** The environment of the functions that evaluate. */

export const EvaluateStartEnv = () =>
  z.object({
    ...commonEnv(),
    ...runEnv(),
    SAMMIX_JOB_QUEUE: filled(),
    SAMMIX_EVALUATE_JOB: filled(),
    /** `active`, or the prefix of a pinned bundle. */
    SAMMIX_BUNDLE: filled(),
    SAMMIX_TARGETS: furtherTargets(),
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
    SAMMIX_GPU_PRICES: gpuPrices(),
    SAMMIX_LEASE_SECONDS: count(),
  });

export const WatchEnv = () =>
  z.object({
    ...commonEnv(),
    /** What jobs of uploads, evaluations and trainings may take, the wait for an instance included. */
    SAMMIX_DEADLINE_HOURS: count(),
    SAMMIX_EVALUATION_HOURS: count(),
    SAMMIX_TRAINING_HOURS: count(),
    /** Addresses of the queues on which ends of jobs are announced. */
    SAMMIX_RESULTS_QUEUE: filled(),
    SAMMIX_FAILURES_QUEUE: filled(),
    SAMMIX_EVALUATIONS_QUEUE: filled(),
    SAMMIX_TRAININGS_QUEUE: filled(),
  });
export type WatchEnv = z.infer<ReturnType<typeof WatchEnv>>;

export const DicomSegEnv = () => z.object(commonEnv());

export const CanaryEnv = () =>
  z.object({
    ...commonEnv(),
    SAMMIX_BUNDLE: filled(),
    /** Scans of one canary. */
    SAMMIX_CANARY_CASES: count(),
  });
export type CanaryEnv = z.infer<ReturnType<typeof CanaryEnv>>;

/**
 * How a job ends, for Batch's `evaluateOnExit`: only what another attempt can change is retried.
 */
export const EXIT = {
  done: 0,
  /** A defect of ours, with a stack in the log. */
  defect: 1,
  /** Bad input, bundle or settings: the same on every attempt. */
  refused: 3,
  /** The GPU or its libraries do not start: another instance's may. */
  noGpu: 76,
  /** sysexits' EX_TEMPFAIL: storage did not answer. */
  tryAgain: 75,
  /** 128 + SIGTERM: the instance is being taken away. */
  interrupted: 143,
} as const;
