import { Duration } from 'aws-cdk-lib';
import {
  AllocationStrategy,
  type CfnComputeEnvironment,
  type CfnJobQueue,
  EcsMachineImageType,
  JobQueue,
  ManagedEc2EcsComputeEnvironment,
} from 'aws-cdk-lib/aws-batch';
import {
  BlockDeviceVolume,
  EbsDeviceVolumeType,
  InstanceType,
  LaunchTemplate,
  LaunchTemplateHttpTokens,
} from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import { acknowledge } from './acknowledge.ts';
import { LONGEST_UPDATE, newestGpuImage, ROOT_VOLUME, startScript } from './instance.ts';
import type { SiteNetwork } from './network.ts';

const ECS_INSTANCE_POLICY = 'service-role/AmazonEC2ContainerServiceforEC2Role';

export interface GpuQueueProps {
  readonly site: Site;
  readonly network: SiteNetwork;
}

/** Why Batch lets the first job of a queue wait, as far as it acts on it; CDK's enum lacks the last. */
const WAITING_REASONS = [
  'CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY',
  'MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE',
  'MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT',
  'MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED',
] as const;

/**
 * Two Batch queues over the same instances, spot first and on-demand second: what a clinic uploads goes
 * before evaluations, trainings and the canary. Without jobs, no instance runs.
 */
export class GpuQueue extends Construct {
  /** Uploads. */
  readonly queue: JobQueue;
  /** What nobody waits for. */
  readonly background: JobQueue;

  constructor(scope: Construct, id: string, { site, network }: GpuQueueProps) {
    super(scope, id);
    const { spotMaxVcpus, onDemandMaxVcpus } = site.compute;
    const instance = { template: this.launchTemplate(), role: this.instanceRole() };
    const environment = (name: string, maxVcpus: number, spot: boolean) =>
      maxVcpus === 0 ? [] : [this.environment(name, { maxVcpus, spot, site, network, instance })];
    const environments = [
      ...environment('Spot', spotMaxVcpus, true),
      ...environment('OnDemand', onDemandMaxVcpus, false),
    ];
    this.queue = this.jobQueue('Queue', 100, environments, site);
    this.background = this.jobQueue('Background', 1, environments, site);
  }

  get both(): readonly JobQueue[] {
    return [this.queue, this.background];
  }

  private jobQueue(
    id: string,
    priority: number,
    environments: readonly ManagedEc2EcsComputeEnvironment[],
    { compute: { runnableLimitMinutes } }: Site,
  ): JobQueue {
    const queue = new JobQueue(this, id, {
      priority,
      computeEnvironments: environments.map((computeEnvironment, index) => ({
        computeEnvironment,
        order: index + 1,
      })),
    });
    (queue.node.defaultChild as CfnJobQueue).jobStateTimeLimitActions = WAITING_REASONS.map(
      (reason) => ({
        action: 'CANCEL',
        state: 'RUNNABLE',
        maxTimeSeconds: Duration.minutes(runnableLimitMinutes).toSeconds(),
        reason,
      }),
    );
    return queue;
  }

  private environment(
    id: string,
    props: {
      readonly maxVcpus: number;
      readonly spot: boolean;
      readonly site: Site;
      readonly network: SiteNetwork;
      readonly instance: { readonly template: LaunchTemplate; readonly role: Role };
    },
  ): ManagedEc2EcsComputeEnvironment {
    const { maxVcpus, spot, site, network, instance } = props;
    const environment = new ManagedEc2EcsComputeEnvironment(this, id, {
      vpc: network.vpc,
      vpcSubnets: { subnets: network.subnets },
      securityGroups: [network.instances],
      instanceTypes: site.compute.gpuInstanceTypes.map((type) => new InstanceType(type)),
      useOptimalInstanceClasses: false,
      spot,
      minvCpus: 0,
      maxvCpus: maxVcpus,
      allocationStrategy: spot
        ? AllocationStrategy.SPOT_PRICE_CAPACITY_OPTIMIZED
        : AllocationStrategy.BEST_FIT_PROGRESSIVE,
      images: [{ imageType: EcsMachineImageType.ECS_AL2023_NVIDIA, image: newestGpuImage() }],
      launchTemplate: instance.template,
      instanceRole: instance.role,
      // A training runs longer: it is taken up again from its last checkpoint.
      updateTimeout: LONGEST_UPDATE,
      terminateOnUpdate: false,
      updateToLatestImageVersion: true,
    });
    const resource = environment.node.defaultChild as CfnComputeEnvironment;
    resource.type = 'MANAGED';
    // Without a version Batch keeps the template's first one, whatever is deployed later.
    resource.addPropertyOverride(
      'ComputeResources.LaunchTemplate.Version',
      instance.template.latestVersionNumber,
    );
    return environment;
  }

  private launchTemplate(): LaunchTemplate {
    return new LaunchTemplate(this, 'Instance', {
      requireImdsv2: true,
      httpTokens: LaunchTemplateHttpTokens.REQUIRED,
      httpPutResponseHopLimit: 1,
      userData: startScript(),
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: BlockDeviceVolume.ebs(ROOT_VOLUME.gib, {
            encrypted: true,
            volumeType: EbsDeviceVolumeType.GP3,
            throughput: ROOT_VOLUME.mibPerSecond,
          }),
        },
      ],
    });
  }

  private instanceRole(): Role {
    const role = new Role(this, 'InstanceRole', {
      assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName(ECS_INSTANCE_POLICY)],
    });
    acknowledge(
      role,
      'The calls that the ECS agent makes, maintained by AWS; jobs run under their own role.',
      `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${ECS_INSTANCE_POLICY}]`,
    );
    return role;
  }
}
