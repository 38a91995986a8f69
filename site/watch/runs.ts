import { pMapIterable } from 'p-map';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { Fault } from '../../core/errors.ts';
import { DESCRIBED_AT_ONCE, type FoundJob } from '../batch.ts';
import { CANARY_DATASET } from '../contract/canary.ts';
import { PREFIX, runIdOfOpen, segmentJobName } from '../contract/keys.ts';
import type { RunRecord } from '../contract/runs.ts';
import { failRun } from '../failed-run.ts';
import { type Claimed, readRun } from '../runs.ts';
import { nextStep } from './deadline.ts';
import { endOf, type Seen, type WatchPorts } from './ports.ts';

/** Records read at once. */
const AT_ONCE = 16;

/** Uploads, the canary's among them: each ends in a report. */
export async function watchRuns(ports: WatchPorts, now: Date): Promise<Seen> {
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
  return counts;
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

/** Scans of a minute: a canary that is not back by then has not come back. */
const CANARY_HOURS = 2;

/** @returns how many of them were past their deadline */
async function watchSome(runs: readonly Claimed[], ports: WatchPorts, now: Date): Promise<number> {
  const ids = runs.flatMap(({ record: { job } }) => job?.id ?? []);
  const jobs = ids.length === 0 ? new Map<string, FoundJob>() : await ports.jobs.find(ids);
  let overdue = 0;
  for (const claimed of runs) {
    const { record } = claimed;
    const jobId = record.state === 'claimed' ? null : (record.job?.id ?? null);
    const job = jobId === null ? undefined : jobs.get(jobId);
    const hours = record.dataset === CANARY_DATASET ? CANARY_HOURS : ports.hours.run;
    const { uploadedAt: askedAt, claimedAt } = record;
    const step = nextStep({ askedAt, claimedAt, jobId, job, hours }, now);
    if (step.is === 'wait') continue;
    const log = ports.log.with({ runId: record.runId, traceId: record.traceId });
    if (step.is === 'announce') {
      const name = segmentJobName(record.runId);
      await ports.announce(endOf(jobId!, name, step.status, job?.statusReason));
      log.warn('end-announced-again', { state: step.status });
      continue;
    }
    overdue += 1;
    if (step.is === 'late') await ports.jobs.terminate(jobId!, step.found);
    const fault = step.is === 'late' ? late(record, hours, step.found) : lost(record, step.found);
    await failRun(claimed, record.state === 'claimed' ? 'split' : 'segment', ports, fault);
    if (record.dataset === CANARY_DATASET) ports.emit({ CanaryScansFailed: 1 });
  }
  return overdue;
}

const late = ({ imageKey }: RunRecord, hours: number, found: string): Fault => ({
  code: 'deadline-passed',
  subject: imageKey,
  expected: `a mask within ${hours} hours of the split`,
  found,
  remedy: 'See docs/deploy.md, "Jobs that wait"; upload the image again when the cause is gone.',
});

const lost = ({ imageKey }: RunRecord, found: string): Fault => ({
  code: 'run-lost',
  subject: imageKey,
  expected: 'a job that works on the image',
  found,
  remedy: 'Upload the image again.',
});
