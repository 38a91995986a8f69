import type { SiteContext } from '../site/context.ts';
import type { EnvironmentOf, TrainEnv, TrainJobRunEnv } from '../site/contract/env.ts';
import type { ObjectCreated } from '../site/contract/events.ts';
import { trainingHash, trainJobName } from '../site/contract/keys.ts';
import type { TrainingRecord } from '../site/contract/training.ts';
import { jobSubmitter } from '../site/lazy-batch.ts';
import { startTraining } from '../site/training/start.ts';

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
