import { Duration } from 'aws-cdk-lib';
import {
  AllocationStrategy,
  type CfnComputeEnvironment,
  EcsMachineImageType,
  JobQueue,
  JobStateTimeLimitActionsAction,
  JobStateTimeLimitActionsReason,
  JobStateTimeLimitActionsState,
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
import type { SiteNetwork } from './network.ts';

/**
 * The images unpack to about 6 GB (segment) and 9 GB (train), and a training's data lie beside them;
 * the ECS AMI's default of 30 GB fills up on re-pulls.
 */
const ROOT_VOLUME_GIB = 100;

const ECS_INSTANCE_POLICY = 'service-role/AmazonEC2ContainerServiceforEC2Role';

export interface GpuQueueProps {
  readonly site: Site;
  readonly network: SiteNetwork;
}

/** A Batch queue over spot instances first and on-demand ones second; without jobs, none runs. */
export class GpuQueue extends Construct {
  readonly queue: JobQueue;

  constructor(scope: Construct, id: string, { site, network }: GpuQueueProps) {
    super(scope, id);
    const { spotMaxVcpus, onDemandMaxVcpus, runnableLimitMinutes } = site.compute;
    const instance = { template: this.launchTemplate(), role: this.instanceRole() };
    const environment = (name: string, maxVcpus: number, spot: boolean) =>
      maxVcpus === 0 ? [] : [this.environment(name, { maxVcpus, spot, site, network, instance })];
    const environments = [
      ...environment('Spot', spotMaxVcpus, true),
      ...environment('OnDemand', onDemandMaxVcpus, false),
    ];
    this.queue = new JobQueue(this, 'Queue', {
      computeEnvironments: environments.map((computeEnvironment, index) => ({
        computeEnvironment,
        order: index + 1,
      })),
      jobStateTimeLimitActions: Object.values(JobStateTimeLimitActionsReason).map((reason) => ({
        action: JobStateTimeLimitActionsAction.CANCEL,
        state: JobStateTimeLimitActionsState.RUNNABLE,
        maxTime: Duration.minutes(runnableLimitMinutes),
        reason,
      })),
    });
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
      images: [{ imageType: EcsMachineImageType.ECS_AL2023_NVIDIA }],
      launchTemplate: instance.template,
      instanceRole: instance.role,
      // Running jobs end before their instance is replaced by an update.
      updateTimeout: Duration.minutes(Math.min(360, site.compute.jobTimeoutMinutes)),
      terminateOnUpdate: false,
    });
    (environment.node.defaultChild as CfnComputeEnvironment).type = 'MANAGED';
    return environment;
  }

  private launchTemplate(): LaunchTemplate {
    return new LaunchTemplate(this, 'Instance', {
      requireImdsv2: true,
      httpTokens: LaunchTemplateHttpTokens.REQUIRED,
      // Containers reach the instance's metadata only with a second hop: they must not.
      httpPutResponseHopLimit: 1,
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: BlockDeviceVolume.ebs(ROOT_VOLUME_GIB, {
            encrypted: true,
            volumeType: EbsDeviceVolumeType.GP3,
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
