import { EvaluateJobEnv } from '../../core/contract/evaluate-job-env.ts';
import { runJob } from '../segment/run-job.ts';
import { runEvaluateJob } from './evaluate-job.ts';

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
