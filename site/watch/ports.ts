import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { JobControl } from '../batch.ts';
import type { JobStateChange } from '../contract/events.ts';
import type { EmitMetrics } from '../metrics.ts';

export interface WatchPorts {
  readonly store: S3Store;
  /** That a job may take, the wait for an instance included. */
  readonly hours: Readonly<Record<'run' | 'evaluation' | 'training', number>>;
  readonly jobs: JobControl;
  /** Announces the end of a job again, to the function that its name belongs to. */
  readonly announce: (event: JobStateChange) => Promise<void>;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

/** What one look has seen of one kind. */
export interface Seen {
  readonly open: number;
  /** Given up, or stopped, because their time was over or nobody worked on them. */
  readonly overdue: number;
}

/** As Batch would announce it. */
export const endOf = (
  jobId: string,
  jobName: string,
  status: 'SUCCEEDED' | 'FAILED',
  statusReason: string | undefined,
): JobStateChange => ({
  source: 'aws.batch',
  'detail-type': 'Batch Job State Change',
  detail: { jobId, jobName, status, ...(statusReason === undefined ? {} : { statusReason }) },
});
