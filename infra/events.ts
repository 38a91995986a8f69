import { Duration } from 'aws-cdk-lib';
import { type EventPattern, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import type { GpuQueue } from './gpu-queue.ts';
import type { Storage } from './storage.ts';

/** Attempts of a message before it becomes a failure. */
const ATTEMPTS = 4;

export interface WorkQueueProps {
  readonly storage: Storage;
  /** Of the function that the queue feeds. */
  readonly timeout: Duration;
  readonly deadLetters: Queue;
  /** How long a message waits before it is delivered. */
  readonly delay?: Duration;
}

/** A queue that feeds a function; what the function cannot handle goes to its dead-letter queue. */
export const workQueue = (
  scope: Construct,
  id: string,
  { storage, timeout, deadLetters, delay }: WorkQueueProps,
): Queue =>
  new Queue(scope, id, {
    encryption: QueueEncryption.KMS,
    encryptionMasterKey: storage.key,
    enforceSSL: true,
    // A crashed attempt is repeated after this, so not much longer than the function may run.
    visibilityTimeout: timeout.plus(Duration.seconds(30)),
    retentionPeriod: Duration.days(4),
    ...(delay && { deliveryDelay: delay }),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: ATTEMPTS },
  });

/** Where messages wait for a person. */
export function endQueue(scope: Construct, id: string, storage: Storage): Queue {
  const queue = new Queue(scope, id, {
    encryption: QueueEncryption.KMS,
    encryptionMasterKey: storage.key,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
  });
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
export const objectsLike = (storage: Storage, wildcard: string): EventPattern => ({
  source: ['aws.s3'],
  detailType: ['Object Created'],
  detail: {
    bucket: { name: [storage.data.bucketName] },
    object: { key: [{ wildcard }] },
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
    jobQueue: [gpu.queue.jobQueueArn],
    jobName: [{ prefix: namePrefix }],
    status: statuses,
    // The children of an array job have an index; the array itself and plain jobs have none.
    arrayProperties: { index: [{ exists: false }] },
  },
});

/** Events to a queue; what EventBridge cannot deliver goes to `undelivered`. */
export function route(
  scope: Construct,
  id: string,
  eventPattern: EventPattern,
  { queue, undelivered }: { readonly queue: Queue; readonly undelivered: Queue },
): void {
  new Rule(scope, id, {
    eventPattern,
    targets: [new SqsQueue(queue, { deadLetterQueue: undelivered })],
  });
}
