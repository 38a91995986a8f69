import { Duration } from 'aws-cdk-lib';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import type { EnvironmentOf, WatchEnv } from '../site/contract/env.ts';
import type { WatchEvent } from '../site/contract/events.ts';
import { PREFIX, TRAINING_REASONS } from '../site/contract/keys.ts';
import type { Evaluation } from './evaluation.ts';
import { queueTarget, route, workQueue } from './events.ts';
import type { GpuQueue } from './gpu-queue.ts';
import { onKeys, onPrefixes, seesWhatIsMissing } from './grants.ts';
import { NodeFunction } from './node-function.ts';
import type { Pipeline } from './pipeline.ts';
import type { Storage } from './storage.ts';
import type { Training } from './training.ts';

export interface WatchProps {
  readonly site: Site;
  readonly storage: Storage;
  readonly gpu: GpuQueue;
  readonly pipeline: Pipeline;
  readonly evaluation: Evaluation;
  readonly training: Training;
}

/** Ten thousand open runs take a minute. */
const TIMEOUT = Duration.minutes(10);

const EVERY = Duration.minutes(15);

/** Looks for what no event announces: runs that do not end, and queues that Batch calls blocked. */
export class Watch extends Construct {
  readonly function: NodeFunction;

  constructor(scope: Construct, id: string, props: WatchProps) {
    super(scope, id);
    const { site, storage, gpu, pipeline, evaluation, training } = props;
    const { results, failures, parked } = pipeline.queues;
    const source = workQueue(this, 'Queue', { storage, timeout: TIMEOUT, deadLetters: parked });
    const environment: EnvironmentOf<typeof WatchEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      ...hoursOf(site),
      SAMMIX_RESULTS_QUEUE: results.queueUrl,
      SAMMIX_FAILURES_QUEUE: failures.queueUrl,
      SAMMIX_EVALUATIONS_QUEUE: evaluation.queues.finish.queueUrl,
      SAMMIX_TRAININGS_QUEUE: training.queue.queueUrl,
    };
    this.function = new NodeFunction(this, 'Look', 'watch', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(
          storage.data,
          's3:GetObject',
          PREFIX.runs,
          PREFIX.cases,
          PREFIX.evaluationRuns,
          PREFIX.trainingJobs,
        ),
        onPrefixes(
          storage.data,
          's3:PutObject',
          PREFIX.runs,
          PREFIX.cases,
          PREFIX.evaluations,
          PREFIX.evaluationRuns,
          PREFIX.trainingJobs,
        ),
        onKeys(storage.data, 's3:PutObject', TRAINING_REASONS),
        onPrefixes(storage.data, 's3:DeleteObject', PREFIX.open, PREFIX.openEvaluations),
        seesWhatIsMissing(storage.data),
        {
          actions: ['sqs:SendMessage'],
          resources: [results, failures, evaluation.queues.finish, training.queue].map(
            ({ queueArn }) => queueArn,
          ),
        },
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

/** A job waits for an instance as long as an upload's may, and then takes its attempts. */
function hoursOf(site: Site) {
  const { deadlineHours, spotAttempts } = site.compute;
  const evaluating = (site.evaluation.jobTimeoutMinutes / 60) * spotAttempts;
  const training = site.training ? site.training.timeoutHours * site.training.spotAttempts : 0;
  const hours = (attempts: number) => String(Math.ceil(deadlineHours + attempts));
  return {
    SAMMIX_DEADLINE_HOURS: hours(0),
    SAMMIX_EVALUATION_HOURS: hours(evaluating),
    SAMMIX_TRAINING_HOURS: hours(training),
  };
}
