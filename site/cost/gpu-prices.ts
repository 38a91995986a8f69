import { ConfigError } from '../../core/errors.ts';
import type { Site } from '../contract/config.ts';
import type { GpuPrices } from '../contract/prices.ts';
import { listPrices } from './list-prices.ts';

/**
 * What the site's instance types cost in its region: as its file says, or as AWS lists them.
 *
 * @throws ConfigError where neither knows a type
 */
export function gpuPricesOf({ region, compute }: Pick<Site, 'region' | 'compute'>): GpuPrices {
  const known = { ...listPrices(region)?.gpu, ...compute.gpuPrices };
  const prices = compute.gpuInstanceTypes.map((type) => [type, known[type]] as const);
  const unknown = prices.filter(([, price]) => price === undefined).map(([type]) => type);
  if (unknown.length > 0)
    throw new ConfigError({
      code: 'no-price',
      subject: unknown.join(', '),
      expected: `a price of an hour in ${region}`,
      found: 'none in the list of this version',
      remedy: `Say it in the site file: "compute": {"gpuPrices": {"${unknown[0]}": {"onDemand": 1.0, "spot": 0.4}}}; or take types that the region has.`,
    });
  return Object.fromEntries(prices.flatMap(([type, price]) => (price ? [[type, price]] : [])));
}
