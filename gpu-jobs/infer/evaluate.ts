import { EvaluateJobEnv } from '../../site/contract/env.ts';
import { runEvaluateJob } from './evaluate-job.ts';
import { runJob } from './run-job.ts';

/** The command of an evaluation's job, in the segment job's image. */
await runJob('evaluate', EvaluateJobEnv, ({ env, options, ...ports }) =>
  runEvaluateJob(
    {
      evaluationId: env.SAMMIX_EVALUATION_ID,
      child: env.SAMMIX_FIRST_CHILD + env.AWS_BATCH_JOB_ARRAY_INDEX,
      attempt: env.AWS_BATCH_JOB_ATTEMPT,
      ...options,
    },
    ports,
  ),
);
