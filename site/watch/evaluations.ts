import type { S3Store } from '../../adapters/s3-store.ts';
import type { Fault } from '../../core/errors.ts';
import { putJson } from '../../core/json.ts';
import type { FoundJob } from '../batch.ts';
import { type EvaluationRecord, evaluateJobName } from '../contract/evaluation.ts';
import { cloudKeys, PREFIX } from '../contract/keys.ts';
import { hasEnded, readEvaluationRecord, updateEvaluation } from '../evaluation/records.ts';
import { hoursSince, isAbandoned, nextStep } from './deadline.ts';
import { endOf, type Seen, type WatchPorts } from './ports.ts';

/** Evaluations that have not ended: each ends in its page, failed cases counted, or in a reason. */
export async function watchEvaluations(ports: WatchPorts, now: Date): Promise<Seen> {
  const seen = { open: 0, overdue: 0 };
  for await (const record of openEvaluations(ports.store)) {
    seen.open += 1;
    if (await watchEvaluation(record, ports, now)) seen.overdue += 1;
  }
  return seen;
}

async function* openEvaluations(store: S3Store): AsyncGenerator<EvaluationRecord> {
  for await (const { key } of store.list(PREFIX.openEvaluations)) {
    const record = await readEvaluationRecord(store, key.slice(PREFIX.openEvaluations.length));
    if (record && !hasEnded(record)) yield record;
    else await store.remove(key);
  }
}

/** Whether it was given up, or one of its jobs was stopped. */
async function watchEvaluation(
  record: EvaluationRecord,
  ports: WatchPorts,
  now: Date,
): Promise<boolean> {
  const { evaluationId, request, jobs, state } = record;
  const ids = jobs.flatMap(({ jobId }) => jobId ?? []);
  const found = ids.length === 0 ? new Map<string, FoundJob>() : await ports.jobs.find(ids);
  if (state === 'submitted') {
    if (jobs.some(({ ended }) => ended === null)) return watchJobs(record, found, ports, now);
    // All ends were noted, and nobody has begun to aggregate.
    if (hoursSince(lastEnd(record, found), now) < AGGREGATION_BEGINS_HOURS) return false;
    await announceAgain(record, ports);
    return false;
  }
  const askedAt = state === 'planning' ? request.requestedAt : lastEnd(record, found);
  if (!isAbandoned({ askedAt, claimedAt: record.claimedAt }, now)) return false;
  const fault = abandoned(record);
  await putJson(ports.store, cloudKeys.evaluationReason(request.dataset, evaluationId), fault);
  await updateEvaluation(ports.store, evaluationId, (at) =>
    at?.state === state ? { ...at, state: 'failed', finishedAt: now.toISOString() } : undefined,
  );
  ports.log.warn('evaluation-given-up', { evaluationId, state });
  return true;
}

/** As long as an event may be on its way. */
const AGGREGATION_BEGINS_HOURS = 0.5;

async function watchJobs(
  { evaluationId, request, claimedAt, jobs }: EvaluationRecord,
  found: ReadonlyMap<string, FoundJob>,
  ports: WatchPorts,
  now: Date,
): Promise<boolean> {
  let stopped = false;
  for (const [shard, { jobId, ended }] of jobs.entries()) {
    if (ended !== null || jobId === null) continue;
    const job = found.get(jobId);
    const hours = ports.hours.evaluation;
    const step = nextStep({ askedAt: request.requestedAt, claimedAt, jobId, job, hours }, now);
    const name = evaluateJobName(evaluationId, shard);
    if (step.is === 'wait') continue;
    if (step.is === 'announce')
      await ports.announce(endOf(jobId, name, step.status, job?.statusReason));
    // What Batch has forgotten has failed: its cases without a report are counted so.
    else if (step.is === 'lost') await ports.announce(endOf(jobId, name, 'FAILED', step.found));
    // Its end is announced as of any job; what it has finished counts.
    else await ports.jobs.terminate(jobId, `the deadline of ${hours} hours has passed`);
    ports.log.warn(step.is === 'late' ? 'stopped-at-deadline' : 'end-announced-again', {
      evaluationId,
      jobId,
    });
    stopped ||= step.is !== 'announce';
  }
  return stopped;
}

/** When the last job ended, as far as Batch knows; of an evaluation without jobs, when it was asked for. */
function lastEnd(
  { request, jobs }: EvaluationRecord,
  found: ReadonlyMap<string, FoundJob>,
): string {
  const ends = jobs.flatMap(({ jobId }) => found.get(jobId ?? '')?.stoppedAt ?? []);
  return new Date(Math.max(Date.parse(request.requestedAt), ...ends)).toISOString();
}

async function announceAgain(
  { evaluationId, jobs }: EvaluationRecord,
  { store, announce, log }: WatchPorts,
): Promise<void> {
  const last = jobs.at(-1);
  if (last?.ended && last.jobId !== null)
    await announce(
      endOf(last.jobId, evaluateJobName(evaluationId, jobs.length - 1), last.ended, undefined),
    );
  else await store.put(cloudKeys.evaluationReady(evaluationId), Buffer.from('{}\n'));
  log.warn('end-announced-again', { evaluationId });
}

const abandoned = ({ evaluationId, state }: EvaluationRecord): Fault => ({
  code: 'evaluation-given-up',
  subject: evaluationId,
  expected: state === 'planning' ? 'a plan and its jobs' : 'the reports to become an evaluation',
  found: `repeated failures while ${state}`,
  remedy: `See the log of the function evaluate-${state === 'planning' ? 'start' : 'finish'}; ask again ("sammix site evaluate") when the cause is gone.`,
});
