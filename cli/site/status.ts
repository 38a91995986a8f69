import type { Command } from 'commander';
import { pMapIterable } from 'p-map';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { GpuCost } from '../../core/contract/report.ts';
import { faultText } from '../../core/errors.ts';
import { getJson } from '../../core/json.ts';
import { activePrefixes } from '../../site/bundles.ts';
import { PREFIX, runIdOfRecord } from '../../site/contract/keys.ts';
import { RunRecord, type RunState } from '../../site/contract/runs.ts';
import type { TrainingState } from '../../site/contract/training.ts';
import { listTrainings } from '../../site/training/records.ts';
import { ok, report } from '../command.ts';
import { openSite, type SiteOptions, withSite } from './open-site.ts';

/** `sammix site status` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .action(async (name: string, options: SiteOptions) => {
      await report(command, async () => {
        const status = await siteStatus(await openSite(name, options));
        return ok(status, statusText(status));
      });
    });
}

/** Records read at once. */
const AT_ONCE = 32;

interface OpenRun {
  readonly caseId: string;
  readonly dataset: string;
  /** Where several are wanted of the upload: which of them. */
  readonly target: string | null;
  readonly runId: string;
  readonly state: RunState;
  readonly uploadedAt: string;
  readonly jobId: string | null;
}

export interface SiteStatus {
  /** Prefixes of the active bundles, the main target's first. */
  readonly bundles: readonly string[];
  /** Of runs: an upload has one for each target. */
  readonly counts: Readonly<Partial<Record<RunState, number>>>;
  readonly gpuSeconds: number;
  readonly estimatedUsd: number;
  /** Runs that are not reported (yet), newest first. */
  readonly open: readonly OpenRun[];
  /** Newest first. */
  readonly trainings: readonly TrainingStatus[];
}

export interface TrainingStatus {
  readonly id: string;
  /** `refused`: it never became a job. */
  readonly state: TrainingState | 'refused';
  readonly since: string;
  readonly jobId: string | null;
  readonly bundlePrefix: string | null;
  /** Why the last request under this id came to nothing. */
  readonly reason: string | null;
}

/** What became of a site's uploads and training requests, from the records of its runs. */
export async function siteStatus(store: S3Store): Promise<SiteStatus> {
  const counts: Partial<Record<RunState, number>> = {};
  const open: OpenRun[] = [];
  const trainings = await listTrainings(store);
  const paid = { gpuSeconds: 0, estimatedUsd: 0 };
  const pay = (cost: GpuCost | null): void => {
    paid.gpuSeconds += cost?.gpuSeconds ?? 0;
    paid.estimatedUsd += cost?.estimatedUsd ?? 0;
  };
  for (const { cost } of trainings.records) pay(cost);
  const found = pMapIterable(
    store.list(PREFIX.runs),
    async ({ key }) => (runIdOfRecord(key) ? getJson(store, key, RunRecord) : null),
    { concurrency: AT_ONCE },
  );
  // Of those that are reported, however many, nothing but the sums is kept.
  for await (const run of found) {
    if (!run) continue;
    counts[run.state] = (counts[run.state] ?? 0) + 1;
    pay(run.cost);
    if (run.state !== 'reported') open.push(openRun(run));
  }
  return {
    bundles: await activePrefixes(store),
    counts,
    ...paid,
    open: open.sort((a, b) => (a.uploadedAt < b.uploadedAt ? 1 : -1)),
    trainings: trainingStates(trainings),
  };
}

const openRun = ({
  caseId,
  dataset,
  target,
  targets,
  runId,
  state,
  uploadedAt,
  job,
}: RunRecord): OpenRun => ({
  caseId,
  dataset,
  target: target ?? targets?.[0] ?? null,
  runId,
  state,
  uploadedAt,
  jobId: job?.id ?? null,
});

function trainingStates({
  records,
  reasons,
}: Awaited<ReturnType<typeof listTrainings>>): TrainingStatus[] {
  const reasonOf = (id: string): string | null => {
    const reason = reasons.get(id);
    return reason ? faultText(reason.fault) : null;
  };
  const accepted = records.map(({ id, state, requestedAt, endedAt, jobId, bundlePrefix }) => ({
    id,
    state,
    since: endedAt ?? requestedAt,
    jobId,
    bundlePrefix,
    reason: reasonOf(id),
  }));
  const known = new Set(records.map(({ id }) => id));
  const refused = [...reasons]
    .filter(([id]) => !known.has(id))
    .map(([id, { at }]) => ({
      id,
      state: 'refused' as const,
      since: at,
      jobId: null,
      bundlePrefix: null,
      reason: reasonOf(id),
    }));
  return [...accepted, ...refused].sort((a, b) => (a.since < b.since ? 1 : -1));
}

export function statusText(status: SiteStatus): string {
  const { bundles, counts, gpuSeconds, estimatedUsd, open, trainings } = status;
  const states = Object.entries(counts).map(([state, count]) => `${state} ${count}`);
  const lines = open.map(
    ({ dataset, caseId, target, state, uploadedAt, runId }) =>
      `${state.padEnd(11)} ${uploadedAt}  ${dataset}/${caseId}${target === null ? '' : `, ${target}`}  (run ${runId})`,
  );
  return [
    states.length === 0 ? 'no uploads yet' : states.join(', '),
    ...bundles.map((prefix) => `active bundle ${prefix}`),
    `GPU time ${(gpuSeconds / 3600).toFixed(2)} h, about ${estimatedUsd.toFixed(2)} USD`,
    ...lines,
    ...trainings.map(trainingLine),
  ].join('\n');
}

const trainingLine = ({ id, state, since, bundlePrefix, reason }: TrainingStatus): string =>
  [`${state.padEnd(11)} ${since}  training ${id}`, bundlePrefix, reason]
    .filter((part) => part !== null)
    .join('  ');
