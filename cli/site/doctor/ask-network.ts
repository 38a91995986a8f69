import type { EC2Client } from '@aws-sdk/client-ec2';
import type { Site } from '../../../site/contract/config.ts';
import { ENDPOINT_SERVICES } from '../../../site/doctor/before-site.ts';
import type { AccountFacts, Subnet } from '../../../site/doctor/facts.ts';
import { ask, orNone } from './ask.ts';
import type { At } from './ask-account.ts';

type NetworkFacts = Pick<
  AccountFacts,
  'zones' | 'offerings' | 'endpointServices' | 'vpcs' | 'subnets'
>;

/** What EC2 knows of the region's zones and of the site's network. */
export async function askNetwork(site: Site, isDeployed: boolean, at: At): Promise<NetworkFacts> {
  const { EC2Client } = await import('@aws-sdk/client-ec2');
  const client = new EC2Client(at);
  const [zones, offerings, endpointServices, vpcs, subnets] = await Promise.all([
    ask('ec2:DescribeAvailabilityZones', () => zonesOf(client)),
    ask('ec2:DescribeInstanceTypeOfferings', () => offeringsOf(client, site)),
    ask('ec2:DescribeVpcEndpointServices', () => endpointZones(client, site.region)),
    ask('ec2:DescribeVpcs', async () => (isDeployed ? null : countVpcs(client))),
    ask('ec2:DescribeSubnets', () => subnetsOf(client, site)),
  ]);
  return { zones, offerings, endpointServices, vpcs, subnets };
}

/** In the order in which CDK takes them: by name. */
async function zonesOf(client: EC2Client): Promise<string[]> {
  const { DescribeAvailabilityZonesCommand } = await import('@aws-sdk/client-ec2');
  const { AvailabilityZones = [] } = await client.send(new DescribeAvailabilityZonesCommand({}));
  return AvailabilityZones.filter(
    ({ State, ZoneType }) =>
      State === 'available' && (ZoneType ?? 'availability-zone') === 'availability-zone',
  )
    .flatMap(({ ZoneName }) => ZoneName ?? [])
    .sort();
}

async function offeringsOf(client: EC2Client, { compute }: Site): Promise<Map<string, string[]>> {
  const { paginateDescribeInstanceTypeOfferings } = await import('@aws-sdk/client-ec2');
  const zones = new Map<string, string[]>();
  const pages = paginateDescribeInstanceTypeOfferings(
    { client },
    {
      LocationType: 'availability-zone',
      Filters: [{ Name: 'instance-type', Values: compute.gpuInstanceTypes }],
    },
  );
  for await (const { InstanceTypeOfferings = [] } of pages)
    for (const { InstanceType, Location } of InstanceTypeOfferings) {
      if (InstanceType === undefined || Location === undefined) continue;
      zones.set(InstanceType, [...(zones.get(InstanceType) ?? []), Location]);
    }
  return zones;
}

async function endpointZones(client: EC2Client, region: string): Promise<Map<string, string[]>> {
  const { DescribeVpcEndpointServicesCommand } = await import('@aws-sdk/client-ec2');
  const fullName = (service: string): string => `com.amazonaws.${region}.${service}`;
  const { ServiceDetails = [] } = await client.send(
    new DescribeVpcEndpointServicesCommand({
      Filters: [{ Name: 'service-name', Values: ENDPOINT_SERVICES.map(fullName) }],
    }),
  );
  return new Map(
    ENDPOINT_SERVICES.map((service) => [
      service,
      ServiceDetails.filter(
        ({ ServiceName, ServiceType = [] }) =>
          ServiceName === fullName(service) &&
          ServiceType.some((type) => type.ServiceType === 'Interface'),
      ).flatMap(({ AvailabilityZones = [] }) => AvailabilityZones),
    ]),
  );
}

async function countVpcs(client: EC2Client): Promise<number> {
  const { paginateDescribeVpcs } = await import('@aws-sdk/client-ec2');
  let count = 0;
  for await (const { Vpcs = [] } of paginateDescribeVpcs({ client }, {})) count += Vpcs.length;
  return count;
}

async function subnetsOf(client: EC2Client, { network }: Site): Promise<Subnet[] | null> {
  if (network.mode === 'own-vpc') return [];
  const { DescribeSubnetsCommand } = await import('@aws-sdk/client-ec2');
  return orNone(['InvalidSubnetID.NotFound'], async () => {
    const { Subnets = [] } = await client.send(
      new DescribeSubnetsCommand({ SubnetIds: network.subnetIds }),
    );
    return Subnets.map(({ SubnetId = '', VpcId = '', AvailabilityZone = '' }) => ({
      id: SubnetId,
      vpcId: VpcId,
      zone: AvailabilityZone,
    }));
  });
}
