import { jobSubmitter } from '../adapters/lazy-batch.ts';
import type { SiteContext } from '../adapters/site-context.ts';
import { trainingHash } from '../core/contract/cloud-keys.ts';
import type { EnvironmentOf, TrainEnv, TrainJobRunEnv } from '../core/contract/env.ts';
import type { ObjectCreated } from '../core/contract/events.ts';
import { trainJobName } from '../core/contract/job-names.ts';
import type { TrainingRecord } from '../core/contract/training.ts';
import { startTraining } from './start-training.ts';

const submitJob = jobSubmitter();

/** Starts the training that an uploaded request asks for. */
export async function trainUpload(
  event: ObjectCreated,
  { env, store, log, emit }: SiteContext<TrainEnv>,
): Promise<void> {
  // A site without training refuses requests with that reason.
  const submit = env.SAMMIX_TRAIN_JOB === '' ? undefined : submitTo(env);
  const leaseSeconds = env.SAMMIX_LEASE_SECONDS;
  await startTraining(event, { store, submit, leaseSeconds, log, emit });
}

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
