import { bundleReader } from '../site/bundles.ts';
import type { SiteContext } from '../site/context.ts';
import type { EnvironmentOf, EvaluateJobRunEnv, EvaluateStartEnv } from '../site/contract/env.ts';
import {
  type EvaluationRecord,
  evaluateJobName,
  type StartEvent,
} from '../site/contract/evaluation.ts';
import { requestOf, startEvaluation } from '../site/evaluation/start.ts';
import { jobSubmitter } from '../site/lazy-batch.ts';

const submitJob = jobSubmitter();

/** Starts what an event asks for; nothing where it is none of ours. */
export async function startRequested(
  event: StartEvent,
  { env, store, log }: SiteContext<EvaluateStartEnv>,
): Promise<void> {
  const heldOut = env.SAMMIX_JUDGE_TRAINED_ON;
  const request = await requestOf(event, store, heldOut === '' ? undefined : heldOut);
  if (!request) return;
  await startEvaluation(
    request,
    {
      casesPerJob: env.SAMMIX_CASES_PER_JOB,
      slicesPerSlab: env.SAMMIX_SLICES_PER_SLAB,
      leaseSeconds: env.SAMMIX_LEASE_SECONDS,
    },
    { store, bundle: bundleReader(store, env.SAMMIX_BUNDLE), submit: submitTo(env), log },
  );
}

const submitTo =
  (env: EvaluateStartEnv) =>
  (record: EvaluationRecord, shard: number): Promise<string> => {
    const job = record.jobs[shard]!;
    const environment: EnvironmentOf<typeof EvaluateJobRunEnv> = {
      SAMMIX_EVALUATION_ID: record.evaluationId,
      SAMMIX_FIRST_CHILD: String(job.firstChild),
      SAMMIX_TRACE_ID: record.traceId,
    };
    return submitJob({
      name: evaluateJobName(record.evaluationId, shard),
      queue: env.SAMMIX_JOB_QUEUE,
      definition: env.SAMMIX_EVALUATE_JOB,
      environment,
      children: job.children,
    });
  };
