import { Aws, Duration, Size } from 'aws-cdk-lib';
import {
  Action,
  type CfnJobDefinition,
  EcsEc2ContainerDefinition,
  EcsJobDefinition,
  EcsVolume,
  LinuxParameters,
  Reason,
  RetryStrategy,
} from 'aws-cdk-lib/aws-batch';
import { type ContainerImage, LogDriver } from 'aws-cdk-lib/aws-ecs';
import { type IRole, Role, type ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import {
  type EnvironmentOf,
  EXIT,
  type SegmentJobDefinitionEnv,
  type TrainJobDefinitionEnv,
} from '../site/contract/env.ts';
import { JOB_RECORDS, PREFIX } from '../site/contract/keys.ts';
import {
  type Grant,
  grantAll,
  ofThisAccount,
  onPrefixes,
  seesWhatIsMissing,
  usesKey,
  writesOnce,
} from './grants.ts';
import { MACHINE_FOLDER } from './instance.ts';
import { pulls, segmentImage, trainImage } from './job-image.ts';
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
  /** Of what runs in the container. */
  readonly role: IRole;
  readonly log: LogGroup;

  constructor(scope: Construct, id: string, props: GpuJobProps) {
    super(scope, id);
    const { site, storage, limits } = props;
    const logGroup = siteLogGroup(this, 'Log', { site, key: storage.key });
    this.log = logGroup;
    this.role = this.jobRole(props);
    const container = new EcsEc2ContainerDefinition(this, 'Container', {
      image: props.image.container,
      command: [...props.command],
      // The ECS agent sets it only in its newest versions.
      environment: { AWS_REGION: Aws.REGION, ...props.environment },
      cpu: limits.vcpus,
      memory: Size.mebibytes(limits.memoryMiB),
      gpu: 1,
      jobRole: this.role,
      executionRole: this.executionRole(props.image.pulls, logGroup),
      logging: LogDriver.awsLogs({ logGroup, streamPrefix: 'job' }),
      readonlyRootFilesystem: true,
      volumes: [
        EcsVolume.host({
          name: 'machine',
          hostPath: MACHINE_FOLDER,
          containerPath: MACHINE_FOLDER,
          readonly: true,
        }),
        // On the instance's own encrypted disk, gone with the container; owned by the image's user.
        ...(limits.scratch === undefined
          ? []
          : [EcsVolume.host({ name: 'scratch', containerPath: limits.scratch })]),
      ],
      // A process 1 that passes SIGTERM on.
      linuxParameters: new LinuxParameters(this, 'Linux', { initProcessEnabled: true }),
    });
    this.definition = new EcsJobDefinition(this, 'Definition', {
      container,
      timeout: limits.timeout,
      propagateTags: true,
      retryAttempts: limits.attempts,
      // The first that matches decides (Batch takes five); without the last, any other exit is retried.
      retryStrategies: [
        RetryStrategy.of(Action.RETRY, Reason.SPOT_INSTANCE_RECLAIMED),
        // The image, the container or the instance was not ready: another time it is.
        RetryStrategy.of(Action.RETRY, Reason.custom({ onStatusReason: 'Task failed to start*' })),
        RetryStrategy.of(Action.RETRY, Reason.custom({ onExitCode: String(EXIT.interrupted) })),
        RetryStrategy.of(Action.RETRY, Reason.custom({ onExitCode: TEMPORARY })),
        RetryStrategy.of(Action.EXIT, Reason.custom({ onReason: '*' })),
      ],
    });
    // Functions know the new definition a moment after CloudFormation has made it: the old one stays.
    (this.definition.node.defaultChild as CfnJobDefinition).addPropertyOverride(
      'ResourceRetentionPolicy',
      { SkipDeregisterOnUpdate: true },
    );
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

/** EX_TEMPFAIL and EX_NOGPU of site/contract/env.ts, as a pattern. */
const TEMPORARY = '7*';

const ecsTasks = (): ServicePrincipal => ofThisAccount('ecs-tasks');

/** The job that segments a case's slabs (gpu-jobs/infer). */
export function segmentJob(scope: Construct, id: string, site: Site, storage: Storage): GpuJob {
  const { vcpusPerJob, memoryMiBPerJob, jobTimeoutMinutes, spotAttempts } = site.compute;
  return new GpuJob(scope, id, {
    site,
    storage,
    image: {
      container: segmentImage(scope, site.segmentImage),
      pulls: pulls(site.segmentImage),
    },
    command: ['node', 'segment.mjs'],
    environment: segmentJobEnvironment(site, storage),
    grants: [
      onPrefixes(storage.data, 's3:GetObject', PREFIX.models, PREFIX.runs, PREFIX.work),
      onPrefixes(storage.data, 's3:PutObject', JOB_RECORDS.runs, PREFIX.work),
    ],
    limits: {
      vcpus: vcpusPerJob,
      memoryMiB: memoryMiBPerJob,
      timeout: Duration.minutes(jobTimeoutMinutes),
      attempts: spotAttempts,
    },
  });
}

/** Of every job that runs a bundle. */
const segmentJobEnvironment = (
  site: Site,
  storage: Storage,
): EnvironmentOf<typeof SegmentJobDefinitionEnv> => ({
  SAMMIX_SITE: site.site,
  SAMMIX_BUCKET: storage.data.bucketName,
  // Nothing else: a GPU instance that computes on its CPU costs tenfold and is noticed by nobody.
  SAMMIX_PROVIDERS: 'cuda',
  SAMMIX_THREADS: String(site.compute.vcpusPerJob),
  SAMMIX_MACHINE: MACHINE_FOLDER,
});

/**
 * The job that segments and reports an evaluation's cases (gpu-jobs/infer), in the segment job's
 * image. Unlike that one it reads uploads and writes reports, so it has a role of its own.
 */
export function evaluateJob(scope: Construct, id: string, site: Site, storage: Storage): GpuJob {
  const { vcpusPerJob, memoryMiBPerJob, spotAttempts } = site.compute;
  return new GpuJob(scope, id, {
    site,
    storage,
    image: { container: segmentImage(scope, site.segmentImage), pulls: pulls(site.segmentImage) },
    command: ['node', 'evaluate.mjs'],
    environment: segmentJobEnvironment(site, storage),
    grants: [
      onPrefixes(
        storage.data,
        's3:GetObject',
        PREFIX.models,
        PREFIX.work,
        PREFIX.cases,
        PREFIX.evaluations,
        PREFIX.evaluationRuns,
      ),
      onPrefixes(storage.data, 's3:GetObjectVersion', PREFIX.incoming),
      onPrefixes(storage.data, 's3:PutObject', PREFIX.work, PREFIX.cases, JOB_RECORDS.evaluations),
    ],
    limits: {
      vcpus: vcpusPerJob,
      memoryMiB: memoryMiBPerJob,
      timeout: Duration.minutes(site.evaluation.jobTimeoutMinutes),
      attempts: spotAttempts,
    },
  });
}

/** The image's only folder that is written (gpu-jobs/train/Dockerfile). */
const SCRATCH = '/scratch';

/** The job that trains a bundle (gpu-jobs/train); undefined at a site that does not train. */
export function trainJob(
  scope: Construct,
  id: string,
  site: Site,
  storage: Storage,
): GpuJob | undefined {
  const { training } = site;
  if (training === null) return undefined;
  const environment: EnvironmentOf<typeof TrainJobDefinitionEnv> = {
    SAMMIX_SITE: site.site,
    SAMMIX_BUCKET: storage.data.bucketName,
    SAMMIX_SCRATCH: SCRATCH,
    SAMMIX_DEVICE: 'cuda',
  };
  return new GpuJob(scope, id, {
    site,
    storage,
    image: { container: trainImage(training.image), pulls: pulls(training.image) },
    command: ['python', '-m', 'sammix_train.job'],
    environment,
    grants: [
      onPrefixes(storage.data, 's3:GetObject', PREFIX.training, PREFIX.models),
      // Labelled uploads, in the versions that the record of a training names.
      onPrefixes(storage.data, 's3:GetObjectVersion', PREFIX.incoming),
      onPrefixes(storage.data, 's3:PutObject', PREFIX.trainingRuns),
      // A bundle that is there stays as it is, the active one above all.
      writesOnce(storage.data, PREFIX.trainedBundles),
    ],
    limits: {
      vcpus: training.vcpusPerJob,
      memoryMiB: training.memoryMiBPerJob,
      timeout: Duration.hours(training.timeoutHours),
      attempts: training.spotAttempts,
      scratch: SCRATCH,
    },
  });
}
