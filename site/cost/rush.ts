import type { Site } from '../contract/config.ts';
import type { InstancePrice } from '../contract/prices.ts';
import type { Rush } from './estimate.ts';
import type { RegionPrices } from './list-prices.ts';

/** Of the functions' queues (infra/pipeline.ts). */
export const AT_ONCE = { split: 20, assemble: 10 } as const;

interface Wanted {
  readonly slices: number;
  readonly market: 'spot' | 'on-demand';
  readonly instances?: number;
  /** Calls at once that the account has for all functions. */
  readonly functions: number;
  readonly gpuSeconds?: number;
  readonly prices: RegionPrices;
  readonly instance: InstancePrice;
}

/** Uploads at a site, as its file and its account let them be worked on. */
export function rushOf({ compute, retention }: Site, wanted: Wanted): Omit<Rush, 'volumes'> {
  const { slicesPerSlab, slicesPerJob, spotMaxVcpus, onDemandMaxVcpus, vcpusPerJob } = compute;
  const { slices, market, functions, gpuSeconds, prices, instance } = wanted;
  // What an account has is shared: in a new one, splits and assemblies come in turn.
  const share = Math.min(1, functions / (AT_ONCE.split + AT_ONCE.assemble));
  return {
    volume: { slices, slicesPerSlab, slicesPerJob },
    prices,
    instance,
    market,
    instances:
      wanted.instances ?? Math.max(1, Math.floor((spotMaxVcpus + onDemandMaxVcpus) / vcpusPerJob)),
    functions: {
      split: Math.max(1, AT_ONCE.split * share),
      assemble: Math.max(1, AT_ONCE.assemble * share),
    },
    workDays: retention.workDays,
    ...(gpuSeconds === undefined ? {} : { gpuSecondsPerVolume: gpuSeconds }),
  };
}
