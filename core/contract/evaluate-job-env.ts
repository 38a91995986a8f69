import { z } from 'zod';
import { SegmentJobDefinitionEnv } from './env.ts';
import { EvaluationId } from './evaluation-plan.ts';

/** Set when an evaluation's job is submitted; the job definition's part is the segment job's. */
export const EvaluateJobRunEnv = () =>
  z.object({
    SAMMIX_EVALUATION_ID: EvaluationId,
    /** Number of the array's first child among the children of all arrays. */
    SAMMIX_FIRST_CHILD: z.coerce.number().int().nonnegative(),
    SAMMIX_TRACE_ID: z.string().min(1),
  });

export const EvaluateJobEnv = () =>
  SegmentJobDefinitionEnv()
    .extend(EvaluateJobRunEnv().shape)
    .extend({
      AWS_BATCH_JOB_ARRAY_INDEX: z.coerce.number().int().nonnegative().default(0),
      AWS_BATCH_JOB_ATTEMPT: z.coerce.number().int().positive().default(1),
    });
