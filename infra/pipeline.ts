import { Duration } from 'aws-cdk-lib';
import type { EcsJobDefinition } from 'aws-cdk-lib/aws-batch';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { CANARY_DATASET } from '../site/contract/canary.ts';
import type { Site } from '../site/contract/config.ts';
import type {
  AssembleEnv,
  EnvironmentOf,
  FailuresEnv,
  SplitEnv,
  SummaryEnv,
} from '../site/contract/env.ts';
import {
  DATASET_JSONS,
  DICOM_UPLOADS,
  JOB_NAME,
  PREFIX,
  TRAINING_REASONS,
  uploadsBelow,
} from '../site/contract/keys.ts';
import { gpuPricesOf } from '../site/cost/gpu-prices.ts';
import { endQueue, jobEnds, route, uploadsTo, workQueue } from './events.ts';
import type { GpuQueue } from './gpu-queue.ts';
import { onKeys, onPrefixes, seesWhatIsMissing } from './grants.ts';
import { NodeFunction } from './node-function.ts';
import type { Storage } from './storage.ts';

export interface PipelineProps {
  readonly site: Site;
  readonly storage: Storage;
  readonly gpu: GpuQueue;
  readonly segment: EcsJobDefinition;
}

/** A volume of 1 000 slices takes about a minute; the rest is for a slow day of S3. */
const SPLIT_TIMEOUT = Duration.minutes(10);
const REPORT_TIMEOUT = Duration.minutes(10);
const SHORT_TIMEOUT = Duration.minutes(1);

/**
 * Events to functions: an upload is split and submitted, a finished job is assembled and reported, a
 * failed one is reported as failed. Whatever a function cannot handle ends in `failures`, and what
 * even that cannot handle waits in `parked` for a person (and an alarm).
 */
export class Pipeline extends Construct {
  readonly queues: Readonly<Record<'ingest' | 'results' | 'failures' | 'parked', Queue>>;
  readonly functions: Readonly<Record<'split' | 'assemble' | 'failures' | 'summary', NodeFunction>>;
  private readonly props: PipelineProps;

  constructor(scope: Construct, id: string, props: PipelineProps) {
    super(scope, id);
    this.props = props;
    const { storage } = props;
    const queue = (name: string, timeout: Duration, deadLetters: Queue): Queue =>
      workQueue(this, name, { storage, timeout, deadLetters });
    const parked = endQueue(this, 'Parked', storage);
    const failures = queue('Failures', SHORT_TIMEOUT, parked);
    const ingest = queue('Ingest', SPLIT_TIMEOUT, failures);
    const results = queue('Results', REPORT_TIMEOUT, failures);
    this.queues = { ingest, results, failures, parked };
    this.functions = {
      split: this.split(ingest),
      assemble: this.assemble(results),
      failures: this.failures(failures),
      summary: this.summary(),
    };
    this.route();
  }

  private split(source: Queue): NodeFunction {
    const { site, storage, gpu, segment } = this.props;
    const environment: EnvironmentOf<typeof SplitEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      SAMMIX_JOB_QUEUE: gpu.queue.jobQueueArn,
      SAMMIX_BACKGROUND_QUEUE: gpu.background.jobQueueArn,
      SAMMIX_SEGMENT_JOB: segment.jobDefinitionArn,
      SAMMIX_BUNDLE: site.bundle,
      SAMMIX_TARGETS: JSON.stringify(site.targets),
      SAMMIX_HEADER_TEXT: site.outputs.headerText ? 'kept' : 'dropped',
      SAMMIX_SLICES_PER_JOB: String(site.compute.slicesPerJob),
      SAMMIX_SLICES_PER_SLAB: String(site.compute.slicesPerSlab),
      SAMMIX_LEASE_SECONDS: String(SPLIT_TIMEOUT.toSeconds()),
    };
    return new NodeFunction(this, 'Split', 'split', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(
          storage.data,
          's3:GetObject',
          PREFIX.incoming,
          PREFIX.models,
          PREFIX.runs,
          PREFIX.cases,
        ),
        onPrefixes(storage.data, 's3:GetObjectVersion', PREFIX.incoming),
        onPrefixes(
          storage.data,
          's3:PutObject',
          PREFIX.work,
          PREFIX.runs,
          PREFIX.cases,
          PREFIX.quarantine,
        ),
        // Moving aside: the version stays, under a delete marker, as long as retention says.
        onPrefixes(storage.data, 's3:DeleteObject', PREFIX.incoming),
        seesWhatIsMissing(storage.data),
        {
          actions: ['batch:SubmitJob'],
          resources: [...gpu.both.map((queue) => queue.jobQueueArn), segment.jobDefinitionArn],
        },
      ],
      // One vCPU: decompression is a single thread.
      memoryMiB: 1769,
      timeout: SPLIT_TIMEOUT,
      queue: { source, concurrency: 20 },
    });
  }

  private assemble(source: Queue): NodeFunction {
    const { site, storage } = this.props;
    const environment: EnvironmentOf<typeof AssembleEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      SAMMIX_GPU_PRICES: JSON.stringify(gpuPricesOf(site)),
      SAMMIX_TARGETS: JSON.stringify(site.targets),
      SAMMIX_LABELS: JSON.stringify(site.labels),
    };
    return new NodeFunction(this, 'Assemble', 'assemble', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(
          storage.data,
          's3:GetObject',
          PREFIX.models,
          PREFIX.runs,
          PREFIX.work,
          PREFIX.cases,
        ),
        onPrefixes(storage.data, 's3:GetObjectVersion', PREFIX.incoming),
        onKeys(storage.data, 's3:GetObject', DATASET_JSONS),
        onPrefixes(storage.data, 's3:PutObject', PREFIX.runs, PREFIX.cases),
        seesWhatIsMissing(storage.data),
      ],
      // The most that a new account allows.
      memoryMiB: 3008,
      timeout: REPORT_TIMEOUT,
      queue: { source, concurrency: 10 },
    });
  }

  private failures(source: Queue): NodeFunction {
    const { site, storage } = this.props;
    const environment: EnvironmentOf<typeof FailuresEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      SAMMIX_BUNDLE: site.bundle,
      SAMMIX_TARGETS: JSON.stringify(site.targets),
      SAMMIX_HEADER_TEXT: site.outputs.headerText ? 'kept' : 'dropped',
    };
    return new NodeFunction(this, 'ReportFailure', 'failures', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(storage.data, 's3:GetObject', PREFIX.models, PREFIX.runs, PREFIX.cases),
        onPrefixes(storage.data, 's3:PutObject', PREFIX.runs, PREFIX.cases),
        // Beside a request, never a request.
        onKeys(storage.data, 's3:PutObject', TRAINING_REASONS),
        onKeys(storage.data, 's3:GetObject', DICOM_UPLOADS),
        onKeys(storage.data, 's3:PutObject', DICOM_UPLOADS),
        seesWhatIsMissing(storage.data),
      ],
      memoryMiB: 512,
      timeout: SHORT_TIMEOUT,
      queue: { source, concurrency: 5 },
    });
  }

  private summary(): NodeFunction {
    const { site, storage } = this.props;
    const environment: EnvironmentOf<typeof SummaryEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      SAMMIX_DATASETS: JSON.stringify(site.datasets),
    };
    const summary = new NodeFunction(this, 'Summary', 'summary', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(storage.data, 's3:GetObject', PREFIX.cases),
        onPrefixes(storage.data, 's3:PutObject', PREFIX.summaries),
        seesWhatIsMissing(storage.data),
      ],
      memoryMiB: 1024,
      timeout: Duration.minutes(10),
    });
    if (site.summarySchedule !== null)
      new Rule(this, 'Schedule', {
        schedule: Schedule.expression(site.summarySchedule),
        targets: [new LambdaFunction(summary.lambda, { retryAttempts: 2 })],
      });
    return summary;
  }

  private route(): void {
    const { ingest, results, failures, parked } = this.queues;
    const { site, storage, gpu } = this.props;
    const datasets = [
      ...site.datasets,
      ...(site.evaluation.canaryCases > 0 ? [CANARY_DATASET] : []),
    ];
    const below = (kind: 'images' | 'labels') => datasets.map((name) => uploadsBelow(name, kind));
    const to = (queue: Queue) => ({ queue, undelivered: parked });
    route(this, 'Image', uploadsTo(storage, below('images')), to(ingest));
    route(this, 'Label', uploadsTo(storage, below('labels')), to(results));
    route(this, 'Segmented', jobEnds(gpu, JOB_NAME.segment, 'SUCCEEDED'), to(results));
    route(this, 'NotSegmented', jobEnds(gpu, JOB_NAME.segment, 'FAILED'), to(failures));
  }
}
