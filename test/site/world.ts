import { createLog } from '../../adapters/log.ts';
import { registerBundle } from '../../cli/site/register.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { runSegmentJob } from '../../gpu-jobs/infer/segment-job.ts';
import { bundleReader } from '../../site/bundles.ts';
import { type JobStateChange, ObjectCreated } from '../../site/contract/events.ts';
import { cloudKeys, segmentJobName } from '../../site/contract/keys.ts';
import type { MetricName } from '../../site/contract/metrics.ts';
import { reportFailedRun } from '../../site/failed-run.ts';
import { type IngestOutcome, ingestImage } from '../../site/ingest.ts';
import { ingestLabel, type ReportPorts, reportRun } from '../../site/report-run.ts';
import { readLatest, readRun } from '../../site/runs.ts';
import { TINY_BUNDLE } from '../support/case.ts';
import { MemoryBucket } from '../support/memory-bucket.ts';

const SETTINGS = { slicesPerJob: 4, slicesPerSlab: 2, leaseSeconds: 600 };

/** A site without AWS: its functions over a bucket in memory; jobs run when a test says so. */
export class World {
  readonly bucket = new MemoryBucket();
  readonly store = this.bucket.store;
  readonly submitted: { runId: string; children: number }[] = [];
  readonly metrics = new Map<MetricName, number>();
  readonly logs: string[] = [];
  /** What Batch answers to the next submissions. */
  submit: (runId: string, children: number) => Promise<string> = async (runId, children) => {
    this.submitted.push({ runId, children });
    return `job-of-${runId}`;
  };

  static async open(): Promise<World> {
    const world = new World();
    await registerBundle(world.store, TINY_BUNDLE, { activate: true });
    return world;
  }

  /** Uploads, and returns the event that EventBridge would deliver. */
  async upload(
    key: string,
    body: Uint8Array,
    time = '2026-01-01T00:00:00Z',
  ): Promise<ObjectCreated> {
    await this.store.put(key, body);
    const object = { key, size: body.length, 'version-id': this.bucket.versionOf(key) };
    const detail = { bucket: { name: 'bucket' }, object };
    return ObjectCreated.parse({ source: 'aws.s3', 'detail-type': 'Object Created', time, detail });
  }

  ingest(event: ObjectCreated): Promise<IngestOutcome> {
    return ingestImage(event, SETTINGS, {
      ...this.ports(),
      submit: ({ runId }, children) => this.submit(runId, children),
    });
  }

  label = (event: ObjectCreated): Promise<void> => ingestLabel(event, this.ports());

  report = (runId: string): Promise<void> => reportRun(runId, this.ports());

  fail = (event: Parameters<typeof reportFailedRun>[0]): Promise<void> =>
    reportFailedRun(event, this.ports());

  /** All jobs of the run that was submitted last, in this process. Returns the run's id. */
  async runJobs(stop = new AbortController().signal): Promise<string> {
    const { runId, children } = this.submitted.at(-1)!;
    const { log, store } = this.ports();
    for (let index = 0; index < children; index++)
      await runSegmentJob(
        { runId, index, attempt: 1, providers: ['cpu'], threads: 1 },
        { store, below: this.bucket.below, log, stop },
      );
    return runId;
  }

  async state(runId: string): Promise<string | undefined> {
    return (await readRun(this.store, runId))?.record.state;
  }

  async latestReport(caseId: string): Promise<CaseReport> {
    const pointer = await readLatest(this.store, 'liver', caseId);
    const bytes = await this.store.get(`${pointer?.prefix}/report.json`);
    return CaseReport.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  }

  protected ports(): ReportPorts & { bundle: ReturnType<typeof bundleReader> } {
    return {
      store: this.store,
      bundle: bundleReader(this.store, 'active'),
      usdPerGpuHour: 0.5,
      log: createLog('test', 'north', (line) => this.logs.push(line)),
      emit: (values) => {
        for (const [name, value] of Object.entries(values) as [MetricName, number][])
          this.metrics.set(name, (this.metrics.get(name) ?? 0) + value);
      },
    };
  }
}

export const imageKey = (file: string): string => cloudKeys.incoming('liver', 'images', file);
export const labelKey = (file: string): string => cloudKeys.incoming('liver', 'labels', file);

export const jobEvent = (
  runId: string,
  status: JobStateChange['detail']['status'],
  statusReason?: string,
): JobStateChange => ({
  source: 'aws.batch',
  'detail-type': 'Batch Job State Change',
  detail: {
    jobId: 'job-1',
    jobName: segmentJobName(runId),
    status,
    ...(statusReason === undefined ? {} : { statusReason }),
  },
});
