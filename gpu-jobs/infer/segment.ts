import { SegmentJobEnv } from '../../site/contract/env.ts';
import { runJob } from './run-job.ts';
import { runSegmentJob } from './segment-job.ts';

/** The command of the segment job. */
await runJob('segment', SegmentJobEnv, ({ env, options, log, ...ports }) => {
  const { SAMMIX_RUN_ID: runId, AWS_BATCH_JOB_ARRAY_INDEX: index } = env;
  const job = { runId, index, attempt: env.AWS_BATCH_JOB_ATTEMPT, ...options };
  return runSegmentJob(job, { ...ports, log: log.with({ runId, index }) });
});
