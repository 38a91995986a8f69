import * as z from 'zod/mini';
import { batchEnv, filled, ordinal, SegmentJobDefinitionEnv } from './env.ts';
import { EvaluationId } from './evaluation-plan.ts';

/** Set when an evaluation's job is submitted; the job definition's part is the segment job's. */
export const EvaluateJobRunEnv = () =>
  z.object({
    SAMMIX_EVALUATION_ID: EvaluationId,
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
