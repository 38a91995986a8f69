import { Duration } from 'aws-cdk-lib';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import type { EnvironmentOf, WatchEnv } from '../site/contract/env.ts';
import type { WatchEvent } from '../site/contract/events.ts';
import { PREFIX } from '../site/contract/keys.ts';
import { queueTarget, route, workQueue } from './events.ts';
import type { GpuQueue } from './gpu-queue.ts';
import { onPrefixes, seesWhatIsMissing } from './grants.ts';
import { NodeFunction } from './node-function.ts';
import type { Pipeline } from './pipeline.ts';
import type { Storage } from './storage.ts';

export interface WatchProps {
  readonly site: Site;
  readonly storage: Storage;
  readonly gpu: GpuQueue;
  readonly pipeline: Pipeline;
}

/** Ten thousand open runs take a minute. */
const TIMEOUT = Duration.minutes(10);

const EVERY = Duration.minutes(15);

/** Looks for what no event announces: runs that do not end, and queues that Batch calls blocked. */
export class Watch extends Construct {
  readonly function: NodeFunction;

  constructor(scope: Construct, id: string, { site, storage, gpu, pipeline }: WatchProps) {
    super(scope, id);
    const { results, failures, parked } = pipeline.queues;
    const source = workQueue(this, 'Queue', { storage, timeout: TIMEOUT, deadLetters: parked });
    const environment: EnvironmentOf<typeof WatchEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      SAMMIX_DEADLINE_HOURS: String(site.compute.deadlineHours),
      SAMMIX_RESULTS_QUEUE: results.queueUrl,
      SAMMIX_FAILURES_QUEUE: failures.queueUrl,
    };
    this.function = new NodeFunction(this, 'Look', 'watch', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(storage.data, 's3:GetObject', PREFIX.runs, PREFIX.cases),
        onPrefixes(storage.data, 's3:PutObject', PREFIX.runs, PREFIX.cases),
        onPrefixes(storage.data, 's3:DeleteObject', PREFIX.open),
        seesWhatIsMissing(storage.data),
        { actions: ['sqs:SendMessage'], resources: [results.queueArn, failures.queueArn] },
        {
          actions: ['batch:DescribeJobs', 'batch:TerminateJob'],
          resources: ['*'],
          because:
            'Batch knows no resources for describing jobs, and jobs have no names that a policy could hold.',
        },
      ],
      memoryMiB: 512,
      timeout: TIMEOUT,
      queue: { source, concurrency: 2 },
    });
    const to = { queue: source, undelivered: parked };
    const asked: WatchEvent = { source: 'sammix.watch' };
    new Rule(this, 'Schedule', {
      schedule: Schedule.rate(EVERY),
      targets: [queueTarget(to, RuleTargetInput.fromObject(asked))],
    });
    const blocked = {
      source: ['aws.batch'],
      detailType: ['Batch Job Queue Blocked'],
      detail: { jobQueueArn: gpu.both.map(({ jobQueueArn }) => jobQueueArn) },
    };
    route(this, 'Blocked', blocked, to);
  }
}
