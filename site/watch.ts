import { pMapIterable } from 'p-map';
import { RETRIES } from '../adapters/aws-clients.ts';
import type { Log } from '../adapters/log.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import type { Fault } from '../core/errors.ts';
import { DESCRIBED_AT_ONCE, type FoundJob, type JobControl, jobControl } from './batch.ts';
import type { SiteContext } from './context.ts';
import { CANARY_DATASET } from './contract/canary.ts';
import type { WatchEnv } from './contract/env.ts';
import type { JobStateChange, WatchEvent } from './contract/events.ts';
import { PREFIX, runIdOfOpen, segmentJobName } from './contract/keys.ts';
import type { RunRecord } from './contract/runs.ts';
import { failRun } from './failed-run.ts';
import type { EmitMetrics } from './metrics.ts';
import { type Claimed, readRun } from './runs.ts';

/**
 * Every upload ends in a report, also where the event that should have brought it there was lost, or a
 * job waits for an instance that never comes. Events alone cannot show their own absence: this looks, on
 * a schedule, at every run that has not ended.
 */

export interface WatchPorts {
  readonly store: S3Store;
  readonly deadlineHours: number;
  readonly jobs: JobControl;
  /** Announces the end of a run's job again. */
  readonly announce: (event: JobStateChange) => Promise<void>;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

/** A message of the schedule looks at all runs; one of Batch says that a queue is blocked. */
export async function watch(event: WatchEvent, context: SiteContext<WatchEnv>): Promise<void> {
  const { log, emit } = context;
  if (event.source === 'aws.batch') {
    emit({ QueueBlocked: 1 });
    return log.warn('queue-blocked', { reason: event.detail.statusReason });
  }
  await watchRuns(portsOf(context));
}

/** Records read at once. */
const AT_ONCE = 16;

async function watchRuns(ports: WatchPorts, now = new Date()): Promise<void> {
  const counts = { open: 0, overdue: 0 };
  let batch: Claimed[] = [];
  for await (const claimed of openRuns(ports.store)) {
    counts.open += 1;
    batch.push(claimed);
    if (batch.length < DESCRIBED_AT_ONCE) continue;
    counts.overdue += await watchSome(batch, ports, now);
    batch = [];
  }
  counts.overdue += await watchSome(batch, ports, now);
  ports.emit({ RunsOpen: counts.open, RunsOverdue: counts.overdue });
}

/** Runs that have not ended; the marks of those that have are removed on the way. */
async function* openRuns(store: S3Store): AsyncGenerator<Claimed> {
  const found = pMapIterable(
    store.list(PREFIX.open),
    async ({ key }) => {
      const runId = runIdOfOpen(key);
      const claimed = runId === undefined ? undefined : await readRun(store, runId);
      const { state } = claimed?.record ?? {};
      if (state === 'claimed' || state === 'submitted') return claimed;
      await store.remove(key);
      return undefined;
    },
    { concurrency: AT_ONCE },
  );
  for await (const claimed of found) if (claimed) yield claimed;
}

/** A run that is claimed comes back from its queue four times, and is then reported as failed. */
const LONGEST_CLAIM_HOURS = 2;

/** Scans of a minute: a canary that is not back by then has not come back. */
const CANARY_HOURS = 2;

/** How long the end of a job may be on its way before it counts as lost. */
const ANNOUNCEMENT_HOURS = 0.5;

/** @returns how many of them were past their deadline */
async function watchSome(runs: readonly Claimed[], ports: WatchPorts, now: Date): Promise<number> {
  if (runs.length === 0) return 0;
  const ids = runs.flatMap(({ record: { job } }) => job?.id ?? []);
  const jobs = ids.length === 0 ? new Map<string, FoundJob>() : await ports.jobs.find(ids);
  let overdue = 0;
  for (const claimed of runs) {
    const { record } = claimed;
    const job = record.job ? jobs.get(record.job.id) : undefined;
    const step = nextStep(record, job, ports.deadlineHours, now);
    if (step.is === 'wait') continue;
    const log = ports.log.with({ runId: record.runId, traceId: record.traceId });
    if (step.is === 'announce') {
      await ports.announce(endOf(record, step.status, job?.statusReason));
      log.warn('end-announced-again', { state: step.status });
      continue;
    }
    overdue += 1;
    if (record.job && job) await ports.jobs.terminate(record.job.id, step.fault.found);
    await failRun(claimed, record.state === 'claimed' ? 'split' : 'segment', ports, step.fault);
    if (record.dataset === CANARY_DATASET) ports.emit({ CanaryScansFailed: 1 });
  }
  return overdue;
}

type Step =
  | { readonly is: 'wait' }
  | { readonly is: 'announce'; readonly status: 'SUCCEEDED' | 'FAILED' }
  | { readonly is: 'fail'; readonly fault: Fault };

function nextStep(
  record: RunRecord,
  job: FoundJob | undefined,
  deadlineHours: number,
  now: Date,
): Step {
  const hoursSince = (time: string | number) => (now.getTime() - new Date(time).getTime()) / 3.6e6;
  if (record.state === 'claimed')
    return hoursSince(record.uploadedAt) > LONGEST_CLAIM_HOURS && hoursSince(record.claimedAt) > 1
      ? { is: 'fail', fault: lost(record, 'a claim that nobody has worked on for hours') }
      : { is: 'wait' };
  if (!job)
    return hoursSince(record.claimedAt) > ANNOUNCEMENT_HOURS
      ? { is: 'fail', fault: lost(record, 'no such job in Batch any more') }
      : { is: 'wait' };
  const { status, statusReason, stoppedAt } = job;
  if (status === 'SUCCEEDED' || status === 'FAILED')
    return hoursSince(stoppedAt ?? record.claimedAt) > ANNOUNCEMENT_HOURS
      ? { is: 'announce', status }
      : { is: 'wait' };
  const hours = record.dataset === CANARY_DATASET ? CANARY_HOURS : deadlineHours;
  if (hoursSince(record.claimedAt) < hours) return { is: 'wait' };
  return {
    is: 'fail',
    fault: late(record, hours, `${status}${statusReason ? `: ${statusReason}` : ''}`),
  };
}

const late = ({ imageKey }: RunRecord, hours: number, found: string): Fault => ({
  code: 'deadline-passed',
  subject: imageKey,
  expected: `a mask within ${hours} hours of the split`,
  found: `a job that is ${found}`,
  remedy: 'See docs/deploy.md, "Jobs that wait"; upload the image again when the cause is gone.',
});

const lost = ({ imageKey }: RunRecord, found: string): Fault => ({
  code: 'run-lost',
  subject: imageKey,
  expected: 'a job that works on the image',
  found,
  remedy: 'Upload the image again.',
});

const endOf = (
  { runId, job }: RunRecord,
  status: 'SUCCEEDED' | 'FAILED',
  statusReason: string | undefined,
): JobStateChange => ({
  source: 'aws.batch',
  'detail-type': 'Batch Job State Change',
  detail: {
    jobId: job!.id,
    jobName: segmentJobName(runId),
    status,
    ...(statusReason === undefined ? {} : { statusReason }),
  },
});

const jobs = jobControl();

function portsOf({ env, store, log, emit }: SiteContext<WatchEnv>): WatchPorts {
  return {
    store,
    deadlineHours: env.SAMMIX_DEADLINE_HOURS,
    log,
    emit,
    jobs,
    announce: async (event) => {
      const { SendMessageCommand, SQSClient } = await import('@aws-sdk/client-sqs');
      const QueueUrl =
        event.detail.status === 'SUCCEEDED' ? env.SAMMIX_RESULTS_QUEUE : env.SAMMIX_FAILURES_QUEUE;
      await new SQSClient(RETRIES).send(
        new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(event) }),
      );
    },
  };
}
