import type { Duration } from 'aws-cdk-lib';
import { Role } from 'aws-cdk-lib/aws-iam';
import { Architecture, Function as LambdaFunction, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import { acknowledge } from './acknowledge.ts';
import { type FunctionName, functionCode } from './function-code.ts';
import { type Grant, grantAll, ofThisAccount, usesKey } from './grants.ts';
import { siteLogGroup } from './log-group.ts';
import type { Storage } from './storage.ts';

export interface NodeFunctionProps {
  readonly site: Site;
  readonly storage: Storage;
  readonly environment: Readonly<Record<string, string>>;
  readonly grants: readonly Grant[];
  readonly memoryMiB: number;
  readonly timeout: Duration;
  /** The queue that feeds it, and how many messages it may work on at a time. */
  readonly queue?: { readonly source: IQueue; readonly concurrency: number };
}

/** A function of `functions/<name>.ts`, with its own role, log group and nothing else. */
export class NodeFunction extends Construct {
  readonly lambda: LambdaFunction;

  constructor(scope: Construct, id: string, name: FunctionName, props: NodeFunctionProps) {
    super(scope, id);
    const logGroup = siteLogGroup(this, 'Log', { site: props.site, key: props.storage.key });
    const role = new Role(this, 'Role', {
      assumedBy: ofThisAccount('lambda'),
    });
    const policy = grantAll(role, [
      ...props.grants,
      usesKey(props.storage.key),
      {
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [logGroup.logGroupArn],
        because: 'CloudWatch Logs names a group and its streams by "<group>:*".',
      },
      {
        actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'],
        resources: ['*'],
        because: 'X-Ray knows no resources to limit writing to.',
      },
      ...(props.queue ? [consumes(props.queue.source)] : []),
    ]);
    this.lambda = new LambdaFunction(this, 'Function', {
      code: functionCode(name),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memoryMiB,
      timeout: props.timeout,
      environment: { ...props.environment },
      role: role.withoutPolicyUpdates(),
      logGroup,
      tracing: Tracing.ACTIVE,
    });
    this.lambda.node.addDependency(policy);
    if (props.queue) this.feed(props.queue);
    this.acknowledgeFunction();
  }

  private feed({ source, concurrency }: NonNullable<NodeFunctionProps['queue']>): void {
    this.lambda.addEventSource(
      new SqsEventSource(source, {
        batchSize: 1,
        maxConcurrency: concurrency,
        reportBatchItemFailures: true,
      }),
    );
  }

  private acknowledgeFunction(): void {
    acknowledge(
      this.lambda,
      'It talks to S3, Batch, SQS and Secrets Manager only, by TLS and IAM; inside a VPC it would need paid endpoints for each.',
      'HIPAA.Security-LambdaInsideVPC',
    );
    acknowledge(
      this.lambda,
      "The event source's maximum concurrency bounds it; a new account (limit 10) cannot reserve any.",
      'HIPAA.Security-LambdaConcurrency',
    );
    acknowledge(
      this.lambda,
      'It is invoked by a queue that has a dead-letter queue, or by a schedule whose next run makes up for a failed one.',
      'HIPAA.Security-LambdaDLQ',
    );
  }
}

const consumes = (queue: IQueue): Grant => ({
  actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
  resources: [queue.queueArn],
});
