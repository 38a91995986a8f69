import { Aws } from 'aws-cdk-lib';
import {
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  type ISecurityGroup,
  type ISubnet,
  type IVpc,
  type IVpcEndpoint,
  Peer,
  Port,
  SecurityGroup,
  Subnet,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { AnyPrincipal, ManagedPolicy, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import { acknowledge } from './acknowledge.ts';
import { ofThisAccount } from './grants.ts';
import { siteLogGroup } from './log-group.ts';

export interface SiteNetworkProps {
  readonly site: Site;
  readonly key: IKey;
  /** The only bucket that can be reached from here, besides that of the image layers. */
  readonly data: IBucket;
}

/** What the ECS agent, image pulls and container logs need; S3 has a gateway endpoint, which is free. */
const PAID_ENDPOINTS = {
  EcrApi: InterfaceVpcEndpointAwsService.ECR,
  EcrDocker: InterfaceVpcEndpointAwsService.ECR_DOCKER,
  Ecs: InterfaceVpcEndpointAwsService.ECS,
  EcsAgent: InterfaceVpcEndpointAwsService.ECS_AGENT,
  EcsTelemetry: InterfaceVpcEndpointAwsService.ECS_TELEMETRY,
  Logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
} as const;

/** Private subnets for the GPU instances: no NAT, no internet gateway, nothing listens. */
export class SiteNetwork extends Construct {
  readonly vpc: IVpc;
  readonly subnets: ISubnet[];
  readonly instances: ISecurityGroup;
  /** Undefined in a network that exists already. */
  s3: IVpcEndpoint | undefined;

  constructor(scope: Construct, id: string, { site, key, data }: SiteNetworkProps) {
    super(scope, id);
    const { network } = site;
    if (network.mode === 'existing-vpc') {
      this.vpc = Vpc.fromVpcAttributes(this, 'Vpc', {
        vpcId: network.vpcId,
        availabilityZones: network.availabilityZones,
      });
      this.subnets = network.subnetIds.map((subnetId, index) =>
        Subnet.fromSubnetId(this, `Subnet${index}`, subnetId),
      );
    } else {
      const vpc = this.ownVpc(network.cidr, network.availabilityZones);
      this.flowLogs(vpc, siteLogGroup(this, 'FlowLogs', { site, key }));
      this.subnets = vpc.isolatedSubnets;
      this.vpc = vpc;
    }
    this.instances = new SecurityGroup(this, 'Instances', {
      vpc: this.vpc,
      description: 'GPU instances: nothing comes in, HTTPS to AWS goes out',
      allowAllOutbound: false,
    });
    this.instances.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'AWS endpoints');
    if (network.mode === 'own-vpc') this.endpoints(this.vpc as Vpc, data);
  }

  private ownVpc(cidr: string, availabilityZones: number): Vpc {
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(cidr),
      maxAzs: availabilityZones,
      natGateways: 0,
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [{ name: 'gpu', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 }],
    });
    acknowledge(
      vpc,
      'Nothing uses the default security group, and there is no route in; closing it takes a custom resource with permission to change security groups.',
      'HIPAA.Security-VPCDefaultSecurityGroupClosed',
    );
    return vpc;
  }

  private endpoints(vpc: Vpc, data: IBucket): void {
    const s3 = vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 });
    for (const statement of s3Statements(data)) s3.addToPolicy(statement);
    this.s3 = s3;
    const endpoints = new SecurityGroup(this, 'Endpoints', {
      vpc,
      description: 'VPC endpoints: HTTPS from the GPU instances',
      allowAllOutbound: false,
    });
    endpoints.addIngressRule(this.instances, Port.tcp(443), 'GPU instances');
    for (const [name, service] of Object.entries(PAID_ENDPOINTS))
      vpc
        .addInterfaceEndpoint(name, {
          service,
          securityGroups: [endpoints],
          open: false,
          // One zone: an endpoint costs per zone and hour, and its names resolve from all zones.
          subnets: { subnets: [vpc.isolatedSubnets[0] as ISubnet] },
        })
        .addToPolicy(ownRoles('*', ['*']));
  }

  private flowLogs(vpc: Vpc, group: LogGroup): void {
    const role = new Role(this, 'FlowLogsRole', {
      assumedBy: ofThisAccount('vpc-flow-logs'),
    });
    const policy = new ManagedPolicy(this, 'FlowLogsPolicy', {
      statements: [
        new PolicyStatement({
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
          resources: [group.logGroupArn],
        }),
      ],
      roles: [role],
    });
    acknowledge(
      policy,
      'CloudWatch Logs names a group and its streams by "<group>:*".',
      'AwsSolutions-IAM5',
    );
    vpc.addFlowLog('Flow', {
      destination: FlowLogDestination.toCloudWatchLogs(group, role.withoutPolicyUpdates() as Role),
    });
  }
}

/** An endpoint lets the account's own roles through, and nobody who brought credentials of another. */
const ownRoles = (actions: string, resources: string[]): PolicyStatement =>
  new PolicyStatement({
    principals: [new AnyPrincipal()],
    actions: [actions],
    resources,
    conditions: { StringEquals: { 'aws:PrincipalAccount': Aws.ACCOUNT_ID } },
  });

/** The site's bucket, and the one from which ECR hands out layers (by addresses that it signs itself). */
const s3Statements = (data: IBucket): PolicyStatement[] => [
  ownRoles('s3:*', [data.bucketArn, data.arnForObjects('*')]),
  new PolicyStatement({
    principals: [new AnyPrincipal()],
    actions: ['s3:GetObject'],
    resources: [`arn:${Aws.PARTITION}:s3:::prod-${Aws.REGION}-starport-layer-bucket/*`],
  }),
];
