import { type Duration, Size } from 'aws-cdk-lib';
import {
  Action,
  EcsEc2ContainerDefinition,
  EcsJobDefinition,
  EcsVolume,
  LinuxParameters,
  Reason,
  RetryStrategy,
} from 'aws-cdk-lib/aws-batch';
import { type ContainerImage, LogDriver } from 'aws-cdk-lib/aws-ecs';
import { type IRole, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import { EXIT } from '../site/contract/env.ts';
import { type Grant, grantAll, seesWhatIsMissing, usesKey } from './grants.ts';
import { siteLogGroup } from './log-group.ts';
import type { Storage } from './storage.ts';

export interface GpuJobProps {
  readonly site: Site;
  readonly storage: Storage;
  readonly image: { readonly container: ContainerImage; readonly pulls: readonly Grant[] };
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What the job itself may do, beyond seeing the bucket's keys and using the site's key. */
  readonly grants: readonly Grant[];
  readonly limits: {
    readonly vcpus: number;
    readonly memoryMiB: number;
    /** Of one attempt. */
    readonly timeout: Duration;
    readonly attempts: number;
    /** A folder that can be written; the rest of the container's file system cannot. */
    readonly scratch?: string;
  };
}

/** A job on one GPU with its own role and log group, retried only where a retry can help. */
export class GpuJob extends Construct {
  readonly definition: EcsJobDefinition;

  constructor(scope: Construct, id: string, props: GpuJobProps) {
    super(scope, id);
    const { site, storage, limits } = props;
    const logGroup = siteLogGroup(this, 'Log', { site, key: storage.key });
    const container = new EcsEc2ContainerDefinition(this, 'Container', {
      image: props.image.container,
      command: [...props.command],
      environment: { ...props.environment },
      cpu: limits.vcpus,
      memory: Size.mebibytes(limits.memoryMiB),
      gpu: 1,
      jobRole: this.jobRole(props),
      executionRole: this.executionRole(props.image.pulls, logGroup),
      logging: LogDriver.awsLogs({ logGroup, streamPrefix: 'job' }),
      readonlyRootFilesystem: true,
      // On the instance's own encrypted disk, gone with the container; owned by the image's user.
      ...(limits.scratch !== undefined && {
        volumes: [EcsVolume.host({ name: 'scratch', containerPath: limits.scratch })],
      }),
      // A process 1 that passes SIGTERM on.
      linuxParameters: new LinuxParameters(this, 'Linux', { initProcessEnabled: true }),
    });
    this.definition = new EcsJobDefinition(this, 'Definition', {
      container,
      timeout: limits.timeout,
      propagateTags: true,
      retryAttempts: limits.attempts,
      // The first that matches decides; without the last one, an exit that matches none is retried.
      retryStrategies: [
        RetryStrategy.of(Action.RETRY, Reason.SPOT_INSTANCE_RECLAIMED),
        RetryStrategy.of(Action.RETRY, Reason.CANNOT_PULL_CONTAINER),
        RetryStrategy.of(Action.RETRY, Reason.custom({ onExitCode: String(EXIT.interrupted) })),
        RetryStrategy.of(Action.RETRY, Reason.custom({ onExitCode: String(EXIT.tryAgain) })),
        RetryStrategy.of(Action.EXIT, Reason.custom({ onReason: '*' })),
      ],
    });
  }

  private jobRole({ storage, grants }: GpuJobProps): Role {
    const role = new Role(this, 'JobRole', { assumedBy: ecsTasks() });
    grantAll(role, [...grants, seesWhatIsMissing(storage.data), usesKey(storage.key)]);
    return role;
  }

  /** What the ECS agent does before the job runs: pull the image, open the log. */
  private executionRole(pulls: readonly Grant[], logGroup: LogGroup): IRole {
    const role = new Role(this, 'ExecutionRole', { assumedBy: ecsTasks() });
    grantAll(role, [
      ...pulls,
      {
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [logGroup.logGroupArn],
        because: 'CloudWatch Logs names a group and its streams by "<group>:*".',
      },
    ]);
    return role.withoutPolicyUpdates();
  }
}

const ecsTasks = (): ServicePrincipal => new ServicePrincipal('ecs-tasks.amazonaws.com');
