import { jobSubmitter } from '../adapters/lazy-batch.ts';
import { siteContext } from '../adapters/site-context.ts';
import { trainingHash } from '../core/contract/cloud-keys.ts';
import { type EnvironmentOf, TrainEnv, type TrainJobRunEnv } from '../core/contract/env.ts';
import { trainJobName } from '../core/contract/job-names.ts';
import type { TrainingRecord } from '../core/contract/training.ts';
import { eachMessage } from './each-message.ts';

const context = siteContext('train', TrainEnv);

/** Training requests and the ends of training jobs, from the training queue. */
export const handler = eachMessage(
  async (event) => {
    const { env, store, log, emit } = context();
    if (event.source === 'aws.batch') {
      const { endTraining } = await import('./end-training.ts');
      return endTraining(event, { store, usdPerGpuHour: env.SAMMIX_USD_PER_GPU_HOUR, log, emit });
    }
    const { startTraining } = await import('./start-training.ts');
    const submit = env.SAMMIX_TRAIN_JOB === '' ? undefined : submitTo(env);
    const leaseSeconds = env.SAMMIX_LEASE_SECONDS;
    await startTraining(event, { store, submit, leaseSeconds, log, emit });
  },
  () => context().log,
);

const submitJob = jobSubmitter();

const submitTo =
  (env: TrainEnv) =>
  ({ id, requestKey, traceId }: TrainingRecord): Promise<string> => {
    const environment: EnvironmentOf<typeof TrainJobRunEnv> = {
      SAMMIX_TRAINING_REQUEST: requestKey,
      SAMMIX_TRACE_ID: traceId,
    };
    return submitJob({
      name: trainJobName(trainingHash(id)),
      queue: env.SAMMIX_JOB_QUEUE,
      definition: env.SAMMIX_TRAIN_JOB,
      environment,
      children: 1,
    });
  };
