import { Duration, Stack } from 'aws-cdk-lib';
import {
  type EventPattern,
  type IRuleTarget,
  Rule,
  type RuleTargetInput,
} from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import type { GpuQueue } from './gpu-queue.ts';
import type { Storage } from './storage.ts';

/** Attempts of a message before it becomes a failure. */
const ATTEMPTS = 4;

const LONGEST_RETENTION = Duration.days(14);

export interface WorkQueueProps {
  readonly storage: Storage;
  /** Of the function that the queue feeds. */
  readonly timeout: Duration;
  readonly deadLetters: Queue;
  /** How long a message waits before it is delivered. */
  readonly delay?: Duration;
}

/** A queue that feeds a function; what the function cannot handle goes to its dead-letter queue. */
export function workQueue(
  scope: Construct,
  id: string,
  { storage, timeout, deadLetters, delay }: WorkQueueProps,
): Queue {
  const queue = new Queue(scope, id, {
    encryption: QueueEncryption.KMS,
    encryptionMasterKey: storage.key,
    enforceSSL: true,
    // A crashed attempt is repeated after this, so not much longer than the function may run.
    visibilityTimeout: timeout.plus(Duration.seconds(30)),
    // SQS deletes what waits longer, and no dead-letter queue gets it.
    retentionPeriod: LONGEST_RETENTION,
    ...(delay && { deliveryDelay: delay }),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: ATTEMPTS },
  });
  takesEvents(queue);
  return queue;
}

/** Where messages wait for a person. */
export function endQueue(scope: Construct, id: string, storage: Storage): Queue {
  const queue = new Queue(scope, id, {
    encryption: QueueEncryption.KMS,
    encryptionMasterKey: storage.key,
    enforceSSL: true,
    retentionPeriod: LONGEST_RETENTION,
  });
  takesEvents(queue);
  acknowledge(queue, 'It is the last dead-letter queue.', 'AwsSolutions-SQS3');
  return queue;
}

/** Objects written below prefixes of the site's bucket. */
export const uploadsTo = (storage: Storage, prefixes: readonly string[]): EventPattern => ({
  source: ['aws.s3'],
  detailType: ['Object Created'],
  detail: {
    bucket: { name: [storage.data.bucketName] },
    object: { key: prefixes.map((prefix) => ({ prefix })) },
  },
});

/** Objects written under keys of a form, `*` standing for any characters. */
export const objectsLike = (storage: Storage, ...forms: readonly string[]): EventPattern => ({
  source: ['aws.s3'],
  detailType: ['Object Created'],
  detail: {
    bucket: { name: [storage.data.bucketName] },
    object: { key: forms.map((wildcard) => ({ wildcard })) },
  },
});

/** Ends of the site's jobs whose names begin so: of plain jobs and whole arrays. */
export const jobEnds = (
  gpu: GpuQueue,
  namePrefix: string,
  ...statuses: readonly ('SUCCEEDED' | 'FAILED')[]
): EventPattern => ({
  source: ['aws.batch'],
  detailType: ['Batch Job State Change'],
  detail: {
    jobQueue: gpu.both.map(({ jobQueueArn }) => jobQueueArn),
    jobName: [{ prefix: namePrefix }],
    status: statuses,
    // The children of an array job have an index; the array itself and plain jobs have none.
    arrayProperties: { index: [{ exists: false }] },
  },
});

/**
 * Events to a queue; what EventBridge cannot deliver goes to `undelivered`. CDK's own target would let
 * EventBridge send for rules of any account, one statement a rule, of which a queue takes twenty.
 */
export function route(
  scope: Construct,
  id: string,
  eventPattern: EventPattern,
  { queue, undelivered }: { readonly queue: Queue; readonly undelivered: Queue },
): void {
  new Rule(scope, id, { eventPattern, targets: [queueTarget({ queue, undelivered })] });
}

export const queueTarget = (
  { queue, undelivered }: { readonly queue: Queue; readonly undelivered: Queue },
  input?: RuleTargetInput,
): IRuleTarget => ({
  bind: () => ({
    arn: queue.queueArn,
    deadLetterConfig: { arn: undelivered.queueArn },
    ...(input && { input }),
  }),
});

/** The rules of this stack, by the names that CloudFormation gives them. */
function takesEvents(queue: Queue): void {
  const { partition, region, account, stackName } = Stack.of(queue);
  queue.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('events.amazonaws.com')],
      actions: ['sqs:SendMessage'],
      resources: [queue.queueArn],
      conditions: {
        StringEquals: { 'aws:SourceAccount': account },
        ArnLike: {
          'aws:SourceArn': `arn:${partition}:events:${region}:${account}:rule/${stackName}-*`,
        },
      },
    }),
  );
}
