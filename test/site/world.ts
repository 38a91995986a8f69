import {
  BatchClient,
  DescribeJobsCommand,
  type JobDetail,
  SubmitJobCommand,
  TerminateJobCommand,
} from '@aws-sdk/client-batch';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { vi } from 'vitest';
import { createLog } from '../../adapters/log.ts';
import type { Notice } from '../../adapters/sns.ts';
import { registerBundle } from '../../cli/site/register.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { runSegmentJob } from '../../gpu-jobs/infer/segment-job.ts';
import { type JobStateChange, ObjectCreated, type SiteEvent } from '../../site/contract/events.ts';
import { cloudKeys, JOB_NAME, segmentJobName } from '../../site/contract/keys.ts';
import type { MetricName } from '../../site/contract/metrics.ts';
import { readLatest, readRun } from '../../site/runs.ts';
import { TINY_BUNDLE } from '../support/case.ts';
import { MemoryBucket } from '../support/memory-bucket.ts';

/** What the stack sets, of all functions: none reads another's. */
const ENVIRONMENT = {
  AWS_REGION: 'eu-central-1',
  SAMMIX_SITE: 'north',
  SAMMIX_BUCKET: 'bucket',
  SAMMIX_BUNDLE: 'active',
  SAMMIX_TARGETS: '{}',
  SAMMIX_JOB_QUEUE: 'queue',
  SAMMIX_BACKGROUND_QUEUE: 'background',
  SAMMIX_SEGMENT_JOB: 'segment',
  SAMMIX_EVALUATE_JOB: 'evaluate',
  SAMMIX_TRAIN_JOB: 'train',
  SAMMIX_SLICES_PER_JOB: '4',
  SAMMIX_SLICES_PER_SLAB: '4',
  SAMMIX_CASES_PER_JOB: '2',
  SAMMIX_LEASE_SECONDS: '900',
  SAMMIX_GPU_PRICES: '{"g4dn.xlarge": {"onDemand": 0.5, "spot": 0.2}}',
  SAMMIX_JUDGE_TRAINED_ON: '',
  SAMMIX_PROMOTION_POLICY: '{"minimumPatients": 2}',
  SAMMIX_DATASETS: '["liver"]',
  SAMMIX_LABELS: '{}',
  SAMMIX_CANARY_CASES: '1',
  SAMMIX_DEADLINE_HOURS: '72',
  SAMMIX_RESULTS_QUEUE: 'results',
  SAMMIX_FAILURES_QUEUE: 'failures',
  SAMMIX_EVALUATIONS_QUEUE: 'evaluations',
  SAMMIX_TRAININGS_QUEUE: 'trainings',
  SAMMIX_EVALUATION_HOURS: '82',
  SAMMIX_TRAINING_HOURS: '312',
  SAMMIX_DICOM_KEY: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:dicom',
  SAMMIX_TOPIC: 'arn:aws:sns:eu-central-1:111122223333:notices',
} as const;

/** As the stack draws it. */
export const DICOM_KEY = '0123456789abcdef'.repeat(4);

const FUNCTIONS = {
  split: () => import('../../functions/split.ts'),
  assemble: () => import('../../functions/assemble.ts'),
  failures: () => import('../../functions/failures.ts'),
  train: () => import('../../functions/train.ts'),
  'evaluate-start': () => import('../../functions/evaluate-start.ts'),
  'evaluate-finish': () => import('../../functions/evaluate-finish.ts'),
  canary: () => import('../../functions/canary.ts'),
  'dicom-seg': () => import('../../functions/dicom-seg.ts'),
  watch: () => import('../../functions/watch.ts'),
  dicom: () => import('../../functions/dicom.ts'),
} as const;
type QueueFunction = keyof typeof FUNCTIONS;

type Handler = (event: SQSEvent) => Promise<SQSBatchResponse>;

/** A job that Batch has accepted. */
export interface SubmittedJob {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly definition: string;
  readonly children: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** Set where a world's functions have started with settings of their own. */
let hasOwnSettings = false;

/**
 * A site without AWS: its own handlers over a bucket in memory, which stands behind the S3 client that
 * they make; jobs run when a test says so. Warm functions are handed from world to world, as Lambda
 * hands them from event to event.
 */
export class World {
  readonly bucket: MemoryBucket;
  readonly jobs: SubmittedJob[] = [];
  /** What Batch says of jobs, by their ids; it knows no others. */
  readonly batchJobs = new Map<string, Partial<JobDetail>>();
  readonly terminated: string[] = [];
  /** What was put on queues by hand. */
  readonly announced: { readonly queue: string; readonly event: JobStateChange }[] = [];
  readonly notices: Notice[] = [];
  readonly metrics = new Map<MetricName, number>();
  readonly logs: string[] = [];
  /** What Batch does with the next submissions before it accepts them. */
  onSubmit: (job: SubmittedJob) => Promise<void> = async () => {};

  constructor(bucket = new MemoryBucket()) {
    this.bucket = bucket;
    bucket.answerAll();
    if (hasOwnSettings) this.coldStart();
    Object.assign(process.env, ENVIRONMENT);
    this.answerAsBatch();
    mockClient(SQSClient)
      .on(SendMessageCommand)
      .callsFake(({ QueueUrl, MessageBody }) => {
        this.announced.push({ queue: QueueUrl, event: JSON.parse(MessageBody) });
        return {};
      });
    mockClient(SNSClient)
      .on(PublishCommand)
      .callsFake(
        ({ Subject, Message }) => void this.notices.push({ subject: Subject, text: Message }),
      );
    mockClient(SecretsManagerClient)
      .on(GetSecretValueCommand, { SecretId: ENVIRONMENT.SAMMIX_DICOM_KEY })
      .resolves({ SecretString: DICOM_KEY });
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => this.note(String(chunk)));
  }

  /** A site with a bundle, active. */
  static async open<Kind extends World>(this: new () => Kind): Promise<Kind> {
    const world = new this();
    await registerBundle(world.store, TINY_BUNDLE, { activate: true });
    return world;
  }

  get store() {
    return this.bucket.store;
  }

  /** Forgets all functions; the next events start them, with other settings where some are given. */
  coldStart(settings: Partial<Record<keyof typeof ENVIRONMENT, string>> = {}): void {
    vi.resetModules();
    Object.assign(process.env, ENVIRONMENT, settings);
    hasOwnSettings = Object.keys(settings).length > 0;
  }

  /**
   * Puts an event on a function's queue and lets Lambda deliver it once.
   *
   * @returns the names of what it logged and counted meanwhile
   * @throws whatever the function fails with
   */
  async deliver(name: QueueFunction, event: unknown): Promise<string[]> {
    const [logged, counted] = [this.logs.length, new Map(this.metrics)];
    const { handler } = (await FUNCTIONS[name]()) as { handler: Handler };
    const Records = [{ messageId: 'message', body: JSON.stringify(event) }];
    await handler({ Records } as SQSEvent);
    const events = this.logs.slice(logged).map((line) => (JSON.parse(line) as LogLine).event);
    const metrics = [...this.metrics].filter(([metric, sum]) => counted.get(metric) !== sum);
    return [...events, ...metrics.map(([metric]) => metric)];
  }

  /** Uploads, and returns the event that EventBridge would deliver. */
  async upload(
    key: string,
    body: Uint8Array,
    time = '2026-01-01T00:00:00Z',
  ): Promise<ObjectCreated> {
    await this.store.put(key, body);
    return this.created(key, time);
  }

  /** As EventBridge announces what is at a key. */
  created(key: string, time = '2026-01-01T00:00:00Z'): ObjectCreated {
    const object = {
      key,
      size: this.bucket.bytesOf(key),
      'version-id': this.bucket.versionOf(key),
    };
    const detail = { bucket: { name: 'bucket' }, object };
    return ObjectCreated.parse({ source: 'aws.s3', 'detail-type': 'Object Created', time, detail });
  }

  ingest = (event: ObjectCreated) => this.deliver('split', event);

  label = (event: ObjectCreated) => this.deliver('assemble', event);

  report = (runId: string) => this.deliver('assemble', jobEvent(runId, 'SUCCEEDED'));

  fail = (event: SiteEvent) => this.deliver('failures', event);

  /** As its schedule invokes it. */
  async summarise(): Promise<void> {
    const { handler } = await import('../../functions/summary.ts');
    await handler();
  }

  /** The runs whose jobs were submitted, in order. */
  get submitted(): { readonly runId: string; readonly children: number }[] {
    return this.jobs
      .filter(({ name }) => name.startsWith(JOB_NAME.segment))
      .map(({ environment, children }) => ({ runId: environment.SAMMIX_RUN_ID!, children }));
  }

  /** All jobs of the run that was submitted last, in this process. Returns the run's id. */
  async runJobs(stop = new AbortController().signal): Promise<string> {
    const { runId } = this.submitted.at(-1)!;
    await this.segment(runId, stop);
    return runId;
  }

  /** All jobs of a run, in this process. */
  async segment(runId: string, stop = new AbortController().signal): Promise<void> {
    const { children } = this.submitted.find((one) => one.runId === runId)!;
    for (let index = 0; index < children; index++)
      await runSegmentJob(
        { runId, index, attempt: 1, providers: ['cpu'], threads: 1 },
        { store: this.store, below: this.bucket.below, log: this.log(), stop },
      );
  }

  /** Uploads an image and lets everything happen to it. Returns the run's id. */
  async segmented(key: string, image: Uint8Array, time?: string): Promise<string> {
    await this.ingest(await this.upload(key, image, time));
    const runId = await this.runJobs();
    await this.report(runId);
    return runId;
  }

  async state(runId: string): Promise<string | undefined> {
    return (await readRun(this.store, runId))?.record.state;
  }

  async latestReport(caseId: string): Promise<CaseReport> {
    const pointer = await readLatest(this.store, 'liver', caseId);
    return CaseReport.parse(await this.json(`${pointer?.prefix}/report.json`));
  }

  async json(key: string): Promise<unknown> {
    return JSON.parse(Buffer.from(await this.store.get(key)).toString('utf8'));
  }

  /** Of the jobs, which run in this process. */
  protected log = () => createLog('job', 'north', (line) => void this.logs.push(line));

  private answerAsBatch(): void {
    const batch = mockClient(BatchClient);
    batch.on(SubmitJobCommand).callsFake((input) => this.accept(input));
    batch.on(DescribeJobsCommand).callsFake(({ jobs }: { jobs: string[] }) => ({
      jobs: jobs.flatMap((jobId) =>
        this.batchJobs.has(jobId) ? [{ jobId, ...this.batchJobs.get(jobId) }] : [],
      ),
    }));
    batch.on(TerminateJobCommand).callsFake(({ jobId }) => {
      this.terminated.push(jobId);
      return {};
    });
  }

  private async accept(input: SubmitJobCommand['input']): Promise<{ jobId: string }> {
    const variables = input.containerOverrides?.environment ?? [];
    const job: SubmittedJob = {
      id: `job-${this.jobs.length + 1}`,
      name: input.jobName ?? '',
      queue: input.jobQueue ?? '',
      definition: input.jobDefinition ?? '',
      children: input.arrayProperties?.size ?? 1,
      environment: Object.fromEntries(variables.map(({ name, value }) => [name, value])),
    };
    await this.onSubmit(job);
    this.jobs.push(job);
    return { jobId: job.id };
  }

  /** Logs and metrics go to standard output, a line each; CloudWatch tells them apart by `_aws`. */
  private note(lines: string): boolean {
    for (const line of lines.split('\n').filter((one) => one.startsWith('{'))) {
      const { _aws: metrics, Site: _, ...values } = JSON.parse(line);
      if (!metrics) this.logs.push(line);
      else
        for (const [name, value] of Object.entries(values) as [MetricName, number][])
          this.metrics.set(name, (this.metrics.get(name) ?? 0) + value);
    }
    return true;
  }
}

interface LogLine {
  readonly event: string;
}

export const imageKey = (file: string): string => cloudKeys.incoming('liver', 'images', file);
export const labelKey = (file: string): string => cloudKeys.incoming('liver', 'labels', file);

export const jobEvent = (
  runId: string,
  status: JobStateChange['detail']['status'],
  statusReason?: string,
): JobStateChange => endOfJob(segmentJobName(runId), status, { statusReason });

export const endOfJob = (
  jobName: string,
  status: JobStateChange['detail']['status'],
  detail: Partial<JobStateChange['detail']> = {},
): JobStateChange => ({
  source: 'aws.batch',
  'detail-type': 'Batch Job State Change',
  detail: { jobId: 'job-1', jobName, status, ...detail },
});
