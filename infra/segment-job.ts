import { Duration, Size } from 'aws-cdk-lib';
import {
  Action,
  EcsEc2ContainerDefinition,
  EcsJobDefinition,
  LinuxParameters,
  Reason,
  RetryStrategy,
} from 'aws-cdk-lib/aws-batch';
import { LogDriver } from 'aws-cdk-lib/aws-ecs';
import { type IRole, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { EnvironmentOf, SegmentJobDefinitionEnv } from '../core/contract/env.ts';
import { EXIT } from '../core/contract/exit-codes.ts';
import type { Site } from '../core/contract/site.ts';
import { grantAll, onPrefixes, seesWhatIsMissing, usesKey } from './grants.ts';
import { siteLogGroup } from './log-group.ts';
import { pulls, segmentImage } from './segment-image.ts';
import type { Storage } from './storage.ts';

export interface SegmentJobProps {
  readonly site: Site;
  readonly storage: Storage;
}

/** The GPU job: one GPU, its own role, its log group, and retries only where a retry can help. */
export class SegmentJob extends Construct {
  readonly definition: EcsJobDefinition;

  constructor(scope: Construct, id: string, { site, storage }: SegmentJobProps) {
    super(scope, id);
    const { vcpusPerJob, memoryMiBPerJob, jobTimeoutMinutes, spotAttempts } = site.compute;
    const logGroup = siteLogGroup(this, 'Log', { site, key: storage.key });
    const container = new EcsEc2ContainerDefinition(this, 'Container', {
      image: segmentImage(this, site.segmentImage),
      command: ['node', 'main.mjs'],
      environment: { ...environment(site, storage) },
      cpu: vcpusPerJob,
      memory: Size.mebibytes(memoryMiBPerJob),
      gpu: 1,
      jobRole: this.jobRole(storage),
      executionRole: this.executionRole(site, logGroup),
      logging: LogDriver.awsLogs({ logGroup, streamPrefix: 'job' }),
      readonlyRootFilesystem: true,
      // A process 1 that passes SIGTERM on.
      linuxParameters: new LinuxParameters(this, 'Linux', { initProcessEnabled: true }),
    });
    this.definition = new EcsJobDefinition(this, 'Definition', {
      container,
      timeout: Duration.minutes(jobTimeoutMinutes),
      propagateTags: true,
      retryAttempts: spotAttempts,
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

  private jobRole(storage: Storage): Role {
    const role = new Role(this, 'JobRole', { assumedBy: ecsTasks() });
    grantAll(role, [
      onPrefixes(storage.data, 's3:GetObject', 'models/', 'runs/', 'work/'),
      onPrefixes(storage.data, 's3:PutObject', 'runs/*/jobs/', 'work/'),
      seesWhatIsMissing(storage.data),
      usesKey(storage.key),
    ]);
    return role;
  }

  /** What the ECS agent does before the job runs: pull the image, open the log. */
  private executionRole(site: Site, logGroup: LogGroup): IRole {
    const role = new Role(this, 'ExecutionRole', { assumedBy: ecsTasks() });
    grantAll(role, [
      ...pulls(site.segmentImage),
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

const environment = (
  site: Site,
  storage: Storage,
): EnvironmentOf<typeof SegmentJobDefinitionEnv> => ({
  SAMMIX_SITE: site.site,
  SAMMIX_BUCKET: storage.data.bucketName,
  SAMMIX_PROVIDERS: 'cuda,cpu',
  SAMMIX_THREADS: String(site.compute.vcpusPerJob),
});
