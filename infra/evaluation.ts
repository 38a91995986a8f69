import { Aws, Duration } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { targetFolder } from '../core/contract/keys.ts';
import type { Site } from '../site/contract/config.ts';
import type { EnvironmentOf, EvaluateFinishEnv, EvaluateStartEnv } from '../site/contract/env.ts';
import type { EvaluationRequested } from '../site/contract/evaluation.ts';
import { cloudKeys, JOB_NAME, PREFIX } from '../site/contract/keys.ts';
import { gpuPricesOf } from '../site/cost/gpu-prices.ts';
import { jobEnds, route, uploadsTo, workQueue } from './events.ts';
import { evaluateJob, type GpuJob } from './gpu-job.ts';
import type { GpuQueue } from './gpu-queue.ts';
import { grantAll, onPrefixes, seesWhatIsMissing, usesKey } from './grants.ts';
import { NodeFunction } from './node-function.ts';
import type { Pipeline } from './pipeline.ts';
import type { Storage } from './storage.ts';

export interface EvaluationProps {
  readonly site: Site;
  readonly storage: Storage;
  readonly gpu: GpuQueue;
  readonly pipeline: Pipeline;
  readonly topic: Topic;
}

/** Ten thousand cases are listed, or their reports read, in a few minutes. */
const TIMEOUT = Duration.minutes(15);

/** What EventBridge Scheduler puts in place of this is the time that was meant, at every attempt. */
const SCHEDULED_TIME = '<aws.scheduler.scheduled-time>';

/** Schedules and requests to GPU jobs, their ends to evaluations and to promotions. */
export class Evaluation extends Construct {
  readonly queues: Readonly<Record<'start' | 'finish', Queue>>;
  readonly functions: Readonly<Record<'evaluateStart' | 'evaluateFinish', NodeFunction>>;
  readonly job: GpuJob;
  private readonly props: EvaluationProps;

  constructor(scope: Construct, id: string, props: EvaluationProps) {
    super(scope, id);
    this.props = props;
    const { storage, gpu, pipeline } = props;
    const { parked } = pipeline.queues;
    this.job = evaluateJob(this, 'Job', props.site, storage);
    const queue = (name: string): Queue =>
      workQueue(this, name, { storage, timeout: TIMEOUT, deadLetters: parked });
    this.queues = { start: queue('Requests'), finish: queue('Ends') };
    this.functions = { evaluateStart: this.start(), evaluateFinish: this.finish() };
    const asked = uploadsTo(storage, [PREFIX.evaluationRequests, PREFIX.candidates]);
    route(this, 'Requested', asked, { queue: this.queues.start, undelivered: parked });
    const ends = { queue: this.queues.finish, undelivered: parked };
    route(this, 'Ended', jobEnds(gpu, JOB_NAME.evaluate, 'SUCCEEDED', 'FAILED'), ends);
    route(this, 'Ready', uploadsTo(storage, [PREFIX.evaluationReady]), ends);
    this.schedule();
  }

  private start(): NodeFunction {
    const { site, storage, gpu } = this.props;
    const job = this.job.definition;
    const environment: EnvironmentOf<typeof EvaluateStartEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      SAMMIX_JOB_QUEUE: gpu.background.jobQueueArn,
      SAMMIX_EVALUATE_JOB: job.jobDefinitionArn,
      SAMMIX_BUNDLE: site.bundle,
      SAMMIX_TARGETS: JSON.stringify(site.targets),
      SAMMIX_HEADER_TEXT: site.outputs.headerText ? 'kept' : 'dropped',
      SAMMIX_CASES_PER_JOB: String(site.evaluation.casesPerJob),
      SAMMIX_SLICES_PER_SLAB: String(site.compute.slicesPerSlab),
      SAMMIX_JUDGE_TRAINED_ON: site.evaluation.judgeTrainedOn ?? '',
      SAMMIX_LEASE_SECONDS: String(TIMEOUT.toSeconds()),
    };
    const read = [
      PREFIX.incoming,
      PREFIX.models,
      PREFIX.cases,
      PREFIX.evaluations,
      PREFIX.evaluationRuns,
    ];
    return new NodeFunction(this, 'Start', 'evaluate-start', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(storage.data, 's3:GetObject', ...read),
        onPrefixes(storage.data, 's3:PutObject', PREFIX.evaluations, PREFIX.evaluationRuns),
        seesWhatIsMissing(storage.data),
        {
          actions: ['batch:SubmitJob'],
          resources: [gpu.background.jobQueueArn, job.jobDefinitionArn],
        },
      ],
      memoryMiB: 1769,
      timeout: TIMEOUT,
      queue: { source: this.queues.start, concurrency: 2 },
    });
  }

  private finish(): NodeFunction {
    const { site, storage, topic } = this.props;
    const environment: EnvironmentOf<typeof EvaluateFinishEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      SAMMIX_TOPIC: topic.topicArn,
      SAMMIX_PROMOTION_POLICY: JSON.stringify(site.evaluation.promotion),
      SAMMIX_GPU_PRICES: JSON.stringify(gpuPricesOf(site)),
      SAMMIX_LEASE_SECONDS: String(TIMEOUT.toSeconds()),
    };
    const written = [
      PREFIX.evaluations,
      PREFIX.evaluationRuns,
      PREFIX.decisions,
      cloudKeys.activeBundle,
      PREFIX.furtherActive,
    ];
    return new NodeFunction(this, 'Finish', 'evaluate-finish', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(
          storage.data,
          's3:GetObject',
          PREFIX.models,
          PREFIX.cases,
          PREFIX.evaluations,
          PREFIX.evaluationRuns,
        ),
        onPrefixes(storage.data, 's3:PutObject', ...written),
        seesWhatIsMissing(storage.data),
        { actions: ['sns:Publish'], resources: [topic.topicArn] },
      ],
      memoryMiB: 3008,
      timeout: TIMEOUT,
      queue: { source: this.queues.finish, concurrency: 2 },
    });
  }

  private schedule(): void {
    const { site, storage, pipeline } = this.props;
    const { schedule, datasets } = site.evaluation;
    if (schedule === null) return;
    const { start } = this.queues;
    const { parked } = pipeline.queues;
    const role = new Role(this, 'ScheduleRole', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    });
    const send = { actions: ['sqs:SendMessage'], resources: [start.queueArn, parked.queueArn] };
    const policy = grantAll(role, [send, usesKey(storage.key)]);
    const targets = [undefined, ...Object.keys(site.targets)];
    for (const { dataset, target } of (datasets ?? site.datasets).flatMap((name) =>
      targets.map((one) => ({ dataset: name, target: one })),
    )) {
      const what = target === undefined ? dataset : `${dataset}-${targetFolder(target)}`;
      new CfnSchedule(this, `Schedule-${what}`, {
        description: `sammix ${site.site}: evaluates ${what}`,
        scheduleExpression: schedule,
        scheduleExpressionTimezone: 'UTC',
        flexibleTimeWindow: { mode: 'OFF' },
        target: {
          arn: start.queueArn,
          roleArn: role.roleArn,
          input: JSON.stringify(requestOf(dataset, target)),
          retryPolicy: { maximumRetryAttempts: 10, maximumEventAgeInSeconds: 3600 },
          deadLetterConfig: { arn: parked.queueArn },
        },
      }).node.addDependency(policy);
    }
  }
}

const requestOf = (dataset: string, target: string | undefined): EvaluationRequested => ({
  source: 'sammix.evaluation',
  'detail-type': 'Evaluation Requested',
  detail: {
    schemaVersion: 1,
    dataset,
    bundle: 'active',
    ...(target !== undefined && { target }),
    promote: false,
    requestedAt: SCHEDULED_TIME,
  },
});
