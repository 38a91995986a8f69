import { Duration } from 'aws-cdk-lib';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import type { EnvironmentOf, TrainEnv } from '../site/contract/env.ts';
import { JOB_NAME, PREFIX, TRAINING_UPLOADS } from '../site/contract/keys.ts';
import { gpuPricesOf } from '../site/cost/gpu-prices.ts';
import { jobEnds, route, uploadsTo, workQueue } from './events.ts';
import { type GpuJob, trainJob } from './gpu-job.ts';
import type { GpuQueue } from './gpu-queue.ts';
import { type Grant, onKeys, onPrefixes, seesWhatIsMissing } from './grants.ts';
import { NodeFunction } from './node-function.ts';
import type { Pipeline } from './pipeline.ts';
import type { Storage } from './storage.ts';

export interface TrainingProps {
  readonly site: Site;
  readonly storage: Storage;
  readonly gpu: GpuQueue;
  readonly pipeline: Pipeline;
}

const TIMEOUT = Duration.minutes(1);

/**
 * Training requests to GPU jobs, and their ends to candidates for promotion. The function is there
 * at a site that does not train as well: it says so beside the request.
 */
export class Training extends Construct {
  readonly queue: Queue;
  readonly function: NodeFunction;
  /** Undefined at a site that does not train. */
  readonly job: GpuJob | undefined;

  constructor(scope: Construct, id: string, { site, storage, gpu, pipeline }: TrainingProps) {
    super(scope, id);
    const { failures, parked } = pipeline.queues;
    const job = trainJob(this, 'Job', site, storage);
    this.job = job;
    this.queue = workQueue(this, 'Queue', { storage, timeout: TIMEOUT, deadLetters: failures });
    const environment: EnvironmentOf<typeof TrainEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      SAMMIX_JOB_QUEUE: gpu.background.jobQueueArn,
      SAMMIX_TRAIN_JOB: job?.definition.jobDefinitionArn ?? '',
      SAMMIX_GPU_PRICES: JSON.stringify(gpuPricesOf(site)),
      SAMMIX_LEASE_SECONDS: String(TIMEOUT.toSeconds()),
    };
    this.function = new NodeFunction(this, 'Train', 'train', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(storage.data, 's3:GetObject', PREFIX.training, PREFIX.models, PREFIX.handled),
        // Of uploads that are to be learnt from: which versions there are, by the pointers of their labels.
        onPrefixes(storage.data, 's3:GetObject', PREFIX.incoming, PREFIX.cases),
        onKeys(storage.data, 's3:PutObject', TRAINING_UPLOADS),
        onPrefixes(storage.data, 's3:GetObjectVersion', PREFIX.trainingRequests),
        onPrefixes(
          storage.data,
          's3:PutObject',
          PREFIX.trainingRequests,
          PREFIX.trainingJobs,
          PREFIX.candidates,
          PREFIX.handled,
        ),
        // A reason that no longer stands, because the request was corrected.
        onPrefixes(storage.data, 's3:DeleteObject', PREFIX.trainingRequests),
        seesWhatIsMissing(storage.data),
        ...submits(gpu, job),
      ],
      memoryMiB: 512,
      timeout: TIMEOUT,
      queue: { source: this.queue, concurrency: 2 },
    });
    const to = { queue: this.queue, undelivered: parked };
    route(this, 'Request', uploadsTo(storage, [PREFIX.trainingRequests]), to);
    route(this, 'Ended', jobEnds(gpu, JOB_NAME.train, 'SUCCEEDED', 'FAILED'), to);
  }
}

const submits = (gpu: GpuQueue, job: GpuJob | undefined): Grant[] =>
  job === undefined
    ? []
    : [
        {
          actions: ['batch:SubmitJob'],
          resources: [gpu.background.jobQueueArn, job.definition.jobDefinitionArn],
        },
      ];
