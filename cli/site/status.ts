import type { S3Store } from '../../adapters/s3-store.ts';
import { RunRecord, type RunState } from '../../core/contract/messages.ts';

export interface SiteStatus {
  readonly counts: Readonly<Partial<Record<RunState, number>>>;
  readonly gpuSeconds: number;
  readonly estimatedUsd: number;
  /** Runs that are not reported (yet), newest first. */
  readonly open: readonly {
    readonly caseId: string;
    readonly dataset: string;
    readonly runId: string;
    readonly state: RunState;
    readonly uploadedAt: string;
    readonly jobId: string | null;
  }[];
}

/** What became of a site's uploads, from the records of its runs. */
export async function siteStatus(store: S3Store): Promise<SiteStatus> {
  const runs: RunRecord[] = [];
  for await (const { key } of store.list('runs/'))
    if (/^runs\/[0-9a-f]{16}\.json$/.test(key))
      runs.push(RunRecord.parse(JSON.parse(Buffer.from(await store.get(key)).toString('utf8'))));
  const counts: Partial<Record<RunState, number>> = {};
  for (const { state } of runs) counts[state] = (counts[state] ?? 0) + 1;
  return {
    counts,
    gpuSeconds: sum(runs, (run) => run.cost?.gpuSeconds),
    estimatedUsd: sum(runs, (run) => run.cost?.estimatedUsd),
    open: runs
      .filter((run) => run.state !== 'reported')
      .sort((a, b) => (a.uploadedAt < b.uploadedAt ? 1 : -1))
      .map(({ caseId, dataset, runId, state, uploadedAt, job }) => ({
        caseId,
        dataset,
        runId,
        state,
        uploadedAt,
        jobId: job?.id ?? null,
      })),
  };
}

const sum = (runs: readonly RunRecord[], of: (run: RunRecord) => number | undefined): number =>
  runs.reduce((total, run) => total + (of(run) ?? 0), 0);

export function statusText({ counts, gpuSeconds, estimatedUsd, open }: SiteStatus): string {
  const states = Object.entries(counts).map(([state, count]) => `${state} ${count}`);
  const lines = open.map(
    ({ dataset, caseId, state, uploadedAt, runId }) =>
      `${state.padEnd(11)} ${uploadedAt}  ${dataset}/${caseId}  (run ${runId})`,
  );
  return [
    states.length === 0 ? 'no uploads yet' : states.join(', '),
    `GPU time ${(gpuSeconds / 3600).toFixed(2)} h, about ${estimatedUsd.toFixed(2)} USD`,
    ...lines,
  ].join('\n');
}
