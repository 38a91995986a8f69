import type { Site } from '../contract/config.ts';
import type { AccountFacts, KeyFacts, Subnet } from './facts.ts';
import { type Finding, fault, judged, well } from './finding.ts';
import { missingGrants } from './key-policy.ts';
import { VPCS } from './quotas.ts';

/** AWS's services that instances reach by an endpoint in the first zone of the site's own network. */
export const ENDPOINT_SERVICES = [
  'ecr.api',
  'ecr.dkr',
  'ecs',
  'ecs-agent',
  'ecs-telemetry',
  'logs',
] as const;

/** Instance types, zones, endpoints and networks. */
export function judgeNetwork(facts: AccountFacts, site: Site, account: string): readonly Finding[] {
  const zones = zonesOf(facts, site);
  const types = judged('instance-types', facts.offerings, (offered) =>
    zones === undefined ? [] : judgeTypes(offered, zones, site),
  );
  if (site.network.mode === 'existing-vpc')
    return [...judged('subnets', facts.subnets, (found) => judgeSubnets(found, site)), ...types];
  return [
    ...judged('zones', facts.zones, (found) => judgeZones(found, site)),
    ...types,
    ...judged('endpoint-services', facts.endpointServices, (found) =>
      zones?.[0] === undefined ? [] : judgeEndpoints(found, zones[0], site, account),
    ),
    ...vpcQuota(facts, site),
  ];
}

/** The zones in which instances would start; undefined where nobody answers that. */
function zonesOf(facts: AccountFacts, { network }: Site): readonly string[] | undefined {
  if (network.mode === 'existing-vpc') return network.availabilityZones;
  return 'answer' in facts.zones
    ? facts.zones.answer.slice(0, network.availabilityZones)
    : undefined;
}

function judgeTypes(
  offered: ReadonlyMap<string, readonly string[]>,
  zones: readonly string[],
  site: Site,
): readonly Finding[] {
  const { gpuInstanceTypes } = site.compute;
  const absent = gpuInstanceTypes.filter((type) => (offered.get(type) ?? []).length === 0);
  const there = gpuInstanceTypes.filter((type) =>
    zones.some((zone) => offered.get(type)?.includes(zone)),
  );
  const list = `aws ec2 describe-instance-type-offerings --region ${site.region} --location-type availability-zone --filters 'Name=instance-type,Values=g*.xlarge'`;
  if (absent.length > 0)
    return [
      fault(
        'instance-types',
        'problem',
        `${absent.join(', ')}: not in ${site.region}`,
        'Batch refuses a compute environment with a type that the region lacks: the deployment fails.',
        `Leave them out of "compute.gpuInstanceTypes"; what there is: ${list}`,
      ),
    ];
  if (there.length === 0)
    return [
      fault(
        'instance-types',
        'problem',
        `none of ${gpuInstanceTypes.join(', ')} in the site's zones ${zones.join(', ')}`,
        'No instance can start there.',
        `Take more zones ("network.availabilityZones") or other types; what there is: ${list}`,
      ),
    ];
  return [well('instance-types', `${there.join(', ')} in ${zones.join(', ')}`)];
}

function judgeZones(zones: readonly string[], { network, region }: Site): Finding {
  const wanted = network.mode === 'own-vpc' ? network.availabilityZones : 0;
  if (zones.length >= wanted) return well('zones', zones.slice(0, wanted).join(', '));
  return fault(
    'zones',
    'warning',
    `${zones.length} in ${region}; the site file wants ${wanted}`,
    'GPU capacity is looked for in fewer zones.',
    `Set "network.availabilityZones" to ${zones.length}.`,
  );
}

function judgeEndpoints(
  zonesOfService: ReadonlyMap<string, readonly string[]>,
  first: string,
  { region }: Site,
  account: string,
): Finding {
  const lacking = ENDPOINT_SERVICES.filter(
    (service) => !zonesOfService.get(service)?.includes(first),
  );
  if (lacking.length === 0) return well('endpoint-services', `all in ${first}`);
  const good = [...new Set([...zonesOfService.values()].flat())].filter((zone) =>
    ENDPOINT_SERVICES.every((service) => zonesOfService.get(service)?.includes(zone)),
  );
  return fault(
    'endpoint-services',
    'problem',
    `no ${lacking.join(', ')} in ${first}`,
    'The endpoints stand in the first zone; where one cannot, the deployment fails.',
    `In cdk.context.json, "availability-zones:account=${account}:region=${region}": ${JSON.stringify(good)}`,
  );
}

function vpcQuota(facts: AccountFacts, site: Site): readonly Finding[] {
  const quota = facts.quotas.get(VPCS.code);
  if (!quota) return [];
  return judged('vpcs', facts.vpcs, (vpcs) =>
    judged('vpcs', quota, (limit) => {
      if (vpcs === null) return [];
      const found = `${vpcs} of ${limit} VPCs of the region are there`;
      return vpcs < limit
        ? well('vpcs', found)
        : fault(
            'vpcs',
            'problem',
            found,
            'A new site makes one more: the deployment fails.',
            `aws service-quotas request-service-quota-increase --region ${site.region} --service-code vpc --quota-code ${VPCS.code} --desired-value ${limit + 5}   # or "existing-vpc" in the site file`,
          );
    }),
  );
}

function judgeSubnets(subnets: readonly Subnet[] | null, { network, region }: Site): Finding {
  if (network.mode !== 'existing-vpc') throw new Error('asked of a site with its own network');
  const wrong = (found: string): Finding =>
    fault(
      'subnets',
      'problem',
      found,
      'Instances start in these subnets: the deployment fails, or they never start.',
      `Correct "network" in the site file: aws ec2 describe-subnets --region ${region} --filters Name=vpc-id,Values=${network.vpcId}`,
    );
  if (subnets === null) return wrong(`not all of ${network.subnetIds.join(', ')} exist`);
  const foreign = subnets.filter(({ vpcId }) => vpcId !== network.vpcId);
  if (foreign.length > 0)
    return wrong(`${foreign.map(({ id }) => id).join(', ')}: not in ${network.vpcId}`);
  const zones = new Set(network.availabilityZones);
  const elsewhere = subnets.filter(({ zone }) => !zones.has(zone));
  if (elsewhere.length > 0)
    return wrong(elsewhere.map(({ id, zone }) => `${id} is in ${zone}`).join(', '));
  return well('subnets', network.subnetIds.join(', '));
}

/** The hospital's own key, where the site uses one. */
export function judgeKey(facts: AccountFacts, site: Site, account: string): readonly Finding[] {
  const { encryption, region } = site;
  if (encryption.mode === 'own-key') return [];
  return judged('key', facts.key, (key) => {
    const wrong = (found: string, mend: string): Finding =>
      fault(
        'key',
        'problem',
        found,
        'Nothing can be stored, or no event and no log arrives.',
        mend,
      );
    if (key === null)
      return wrong(`no ${encryption.keyArn}`, 'Correct "encryption.keyArn" in the site file.');
    const unfit = unfitKey(key, region);
    if (unfit) return wrong(unfit, `aws kms describe-key --region ${region} --key-id ${key.arn}`);
    const missing = missingGrants(key.policy, region, account);
    return missing.length === 0
      ? well('key', 'enabled, and its policy lets the services in')
      : wrong(
          `its policy lacks ${missing.join('; ')}`,
          `Add the statements of docs/security.md: aws kms put-key-policy --region ${region} --key-id ${key.arn} --policy file://policy.json`,
        );
  });
}

function unfitKey({ arn, state, spec, usage }: KeyFacts, region: string): string | undefined {
  if (state !== 'Enabled') return `the key is ${state}`;
  if (spec !== 'SYMMETRIC_DEFAULT' || usage !== 'ENCRYPT_DECRYPT')
    return `a key of ${spec} for ${usage}; services need SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT`;
  return arn.split(':')[3] === region ? undefined : `the key is of ${arn.split(':')[3]}`;
}

/** The containers' images and the instances' own. */
export function judgeImages(facts: AccountFacts, site: Site): readonly Finding[] {
  const images = [site.segmentImage, ...(site.training ? [site.training.image] : [])];
  const isBuilt = images.some(({ from }) => from === 'dockerfile');
  return [
    ...(isBuilt ? [judgeDocker(facts.docker)] : []),
    ...images.flatMap((image) => (image.from === 'registry' ? judgeUri(image.uri, site) : [])),
    ...judged('machine-image', facts.newestImage, (newest) =>
      newest
        ? well('machine-image', `${newest.id} (${newest.name}) would be deployed`)
        : fault(
            'machine-image',
            'problem',
            `no ECS image with GPU support is published for ${site.region}`,
            'The deployment looks its id up and fails.',
            'Choose another "region".',
          ),
    ),
  ];
}

const judgeDocker = (version: string | null): Finding =>
  version !== null
    ? well('docker', `version ${version}`)
    : fault(
        'docker',
        'problem',
        'no container engine answers on this machine',
        '"cdk deploy" builds the GPU images with it.',
        'docker info   # start or install it, or name built images: "segmentImage": {"from": "registry", "uri": ...}',
      );

/** Instances of the site's own network reach no registry but the region's ECR. */
function judgeUri(uri: string, { network, region }: Site): readonly Finding[] {
  const [, where] = /^\d{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/.exec(uri) ?? [];
  if (where === region) return [well('image', uri)];
  if (network.mode === 'existing-vpc' && where === undefined) return [well('image', uri)];
  return [
    fault(
      'image',
      'problem',
      `${uri}: not in this region's ECR`,
      'Instances have no way to another registry: no job starts.',
      `Push it to <account>.dkr.ecr.${region}.amazonaws.com and name it so in the site file.`,
    ),
  ];
}
