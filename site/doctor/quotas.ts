import type { Site } from '../contract/config.ts';

/** A quota of Service Quotas. Codes are the same in every region. */
export interface Quota {
  readonly service: 'ec2' | 'lambda' | 'vpc';
  readonly code: string;
  readonly name: string;
}

const ec2 = (code: string, name: string): Quota => ({ service: 'ec2', code, name });

export const VPCS: Quota = { service: 'vpc', code: 'L-F678F1CE', name: 'VPCs per Region' };

export const LAMBDA_CONCURRENCY: Quota = {
  service: 'lambda',
  code: 'L-B99A9384',
  name: 'Concurrent executions',
};

/** vCPUs of all instances of a group of families that may run at once, by market. */
const GPU_QUOTAS = [
  {
    families: /^(g\d|vt)/,
    spot: ec2('L-3819A6DF', 'All G and VT Spot Instance Requests'),
    onDemand: ec2('L-DB2E81BA', 'Running On-Demand G and VT instances'),
  },
  {
    families: /^p[234]/,
    spot: ec2('L-7212CCBC', 'All P4, P3 and P2 Spot Instance Requests'),
    onDemand: ec2('L-417A185B', 'Running On-Demand P instances'),
  },
  {
    families: /^p\d/,
    spot: ec2('L-C4BD4855', 'All P5 Spot Instance Requests'),
    onDemand: ec2('L-417A185B', 'Running On-Demand P instances'),
  },
] as const;

export type Market = 'spot' | 'onDemand';

export interface NeededQuota {
  readonly quota: Quota;
  readonly market: Market;
  /** vCPUs up to which the site file lets instances of this market start. */
  readonly ceilingVcpus: number;
  /** Of the smallest of the site's types that the quota covers: less, and none can start. */
  readonly leastVcpus: number;
}

/** G, VT and P instances have four vCPUs an `xlarge`. */
function vcpusOf(type: string): number {
  const [, times] = /\.(\d*)xlarge$/.exec(type) ?? [];
  return 4 * Math.max(1, Number(times ?? 1));
}

/** The vCPU quotas behind a site's instances: of each market it uses, by groups of its families. */
export function gpuQuotas({ compute }: Site): NeededQuota[] {
  const { gpuInstanceTypes, spotMaxVcpus, onDemandMaxVcpus } = compute;
  const of = (market: Market, ceilingVcpus: number): NeededQuota[] => {
    const least = new Map<Quota, number>();
    for (const type of ceilingVcpus === 0 ? [] : gpuInstanceTypes) {
      const quota = GPU_QUOTAS.find(({ families }) => families.test(type))?.[market];
      if (quota) least.set(quota, Math.min(vcpusOf(type), least.get(quota) ?? Infinity));
    }
    return [...least].map(([quota, leastVcpus]) => ({ quota, market, ceilingVcpus, leastVcpus }));
  };
  const needed = [...of('spot', spotMaxVcpus), ...of('onDemand', onDemandMaxVcpus)];
  return [...new Map(needed.map((one) => [one.quota.code, one])).values()];
}

/** Types that no known quota covers: nothing can be said of them. */
export const uncoveredTypes = ({ compute }: Site): string[] =>
  compute.gpuInstanceTypes.filter(
    (type) => !GPU_QUOTAS.some(({ families }) => families.test(type)),
  );
