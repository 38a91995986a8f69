import type { GpuPrices, InstancePrice } from '../contract/prices.ts';

/**
 * The one place for prices, in USD without tax. They are list prices and get old: check yours, and let
 * the site file say what differs (`compute.gpuPrices`).
 *
 * Instances (Linux, on demand and spot): AWS's price list as the SkyPilot catalogue v8 collected it in
 * 2026; spot is the median of the region's zones that day, and moves. Where a type has no price, the
 * region did not offer it. Other services: AWS's pricing pages as known to the authors in 2026.
 */
export const PRICES_AS_OF = '2026';

/** Of the services whose prices differ between regions. */
export interface RegionPrices {
  readonly gpu: GpuPrices;
  /** PUT, COPY, POST and LIST requests; GET and all others: a thousand of each. */
  readonly s3WritesPerThousand: number;
  readonly s3ReadsPerThousand: number;
  readonly s3GbMonth: number;
  /** An interface endpoint in one zone. */
  readonly endpointHour: number;
  readonly logsGb: number;
}

/** The same in all regions listed. */
export const EVERYWHERE = {
  lambdaGbSecond: 0.0000133334,
  lambdaPerMillion: 0.2,
  sqsPerMillion: 0.4,
  /** S3's events on EventBridge are charged as custom events. */
  eventsPerMillion: 1,
  tracesPerMillion: 5,
  keyMonth: 1,
  secretMonth: 0.4,
  alarmMonth: 0.1,
  dashboardMonth: 3,
} as const;

const price = (onDemand: number, spot: number | null): InstancePrice => ({ onDemand, spot });

const region = (
  [t4, a10g, l4]: readonly (InstancePrice | null)[],
  [writes, reads, gbMonth, endpoint, logs]: readonly [number, number, number, number, number],
): RegionPrices => ({
  gpu: {
    ...(t4 && { 'g4dn.xlarge': t4 }),
    ...(a10g && { 'g5.xlarge': a10g }),
    ...(l4 && { 'g6.xlarge': l4 }),
  },
  s3WritesPerThousand: writes,
  s3ReadsPerThousand: reads,
  s3GbMonth: gbMonth,
  endpointHour: endpoint,
  logsGb: logs,
});

const US = [0.005, 0.0004, 0.023, 0.01, 0.5] as const;

/** g4dn.xlarge, g5.xlarge, g6.xlarge; then S3 writes and reads, a GB-month, an endpoint hour, a GB of logs. */
const REGIONS: Readonly<Record<string, RegionPrices>> = {
  'us-east-1': region([price(0.526, 0.204), price(1.006, 0.436), price(0.8048, 0.382)], US),
  'us-east-2': region([price(0.526, 0.192), price(1.006, 0.386), price(0.8048, 0.261)], US),
  'us-west-2': region([price(0.526, 0.246), price(1.006, null), price(0.8048, 0.44)], US),
  'ca-central-1': region(
    [price(0.584, 0.2), price(1.117, 0.479), price(0.8936, 0.406)],
    [0.0055, 0.00044, 0.025, 0.011, 0.55],
  ),
  'eu-central-1': region(
    [price(0.658, 0.267), price(1.258, 0.618), price(1.0064, 0.441)],
    [0.0054, 0.00043, 0.0245, 0.012, 0.63],
  ),
  'eu-west-1': region(
    [price(0.587, 0.317), price(1.123, 0.575), null],
    [0.005, 0.0004, 0.023, 0.011, 0.57],
  ),
  'eu-west-2': region(
    [price(0.615, 0.196), price(1.277, 0.511), price(1.0216, 0.358)],
    [0.0053, 0.00042, 0.024, 0.011, 0.5985],
  ),
  'eu-west-3': region(
    [price(0.615, 0.174), null, price(1.0216, 0.368)],
    [0.0053, 0.00042, 0.024, 0.011, 0.5985],
  ),
  'eu-north-1': region(
    [price(0.558, 0.184), price(1.067, 0.428), price(0.8536, 0.302)],
    [0.005, 0.0004, 0.023, 0.011, 0.54],
  ),
  'ap-northeast-1': region(
    [price(0.71, 0.285), price(1.459, 0.657), price(1.1672, 0.568)],
    [0.0047, 0.00037, 0.025, 0.014, 0.76],
  ),
  'ap-northeast-2': region(
    [price(0.647, 0.284), price(1.237, 0.504), price(0.9896, 0.341)],
    [0.0045, 0.00035, 0.025, 0.013, 0.76],
  ),
  'ap-south-1': region(
    [price(0.579, 0.249), price(1.208, 0.494), price(0.9664, 0.453)],
    [0.005, 0.0004, 0.025, 0.013, 0.67],
  ),
  'ap-southeast-2': region(
    [price(0.684, 0.28), price(1.308, 0.518), price(1.0464, 0.403)],
    [0.0055, 0.00044, 0.025, 0.013, 0.67],
  ),
};

export const PRICED_REGIONS = Object.keys(REGIONS);

/** Undefined where no list price is known. */
export const listPrices = (of: string): RegionPrices | undefined => REGIONS[of];
