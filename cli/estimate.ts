import { type Command, InvalidArgumentError, Option } from 'commander';
import { ConfigError } from '../core/errors.ts';
import { Site } from '../site/contract/config.ts';
import { type Estimate, estimate, type Rush } from '../site/cost/estimate.ts';
import { gpuPricesOf } from '../site/cost/gpu-prices.ts';
import { type Limit, limitsAt, limitsOf } from '../site/cost/limits.ts';
import { listPrices, PRICED_REGIONS, PRICES_AS_OF } from '../site/cost/list-prices.ts';
import { rushOf } from '../site/cost/rush.ts';
import { loadSite, siteFile } from '../site/site-file.ts';
import { ok, positiveInteger, report, withOutput } from './command.ts';

/** `sammix estimate` */
export function define(command: Command): void {
  withOutput(command)
    .argument('[site]', "a site, for its region, ceilings and prices (default: a new site's)")
    .option('-n, --volumes <n>', 'uploads (default: 1 to a million)', positiveInteger)
    .option('--slices <n>', 'axial slices of a volume', positiveInteger, 280)
    .option('--region <region>', 'AWS region, in place of the site file')
    .addOption(
      new Option('--market <market>', 'what the instances cost')
        .choices(['spot', 'on-demand'])
        .default('on-demand'),
    )
    .option('--instance-type <type>', "one of the site's (default: the first)")
    .option(
      '--instances <n>',
      "GPU jobs at once (default: by the site's vCPU ceilings)",
      positiveInteger,
    )
    .option(
      '--functions <n>',
      'Lambda calls at once of the account (a new one has 10)',
      positiveInteger,
      1000,
    )
    .option('--gpu-seconds <s>', 'of one volume, where you have measured it', seconds)
    .action(async (name: string | undefined, options: EstimateOptions) => {
      await report(command, async () => {
        const site = name === undefined ? Site.parse({ site: 'any' }) : loadSite(siteFile(name));
        const result = estimates(site, options);
        return ok(result, estimateText(result));
      });
    });
}

export interface EstimateOptions {
  readonly volumes?: number;
  readonly slices: number;
  readonly region?: string;
  readonly market: 'spot' | 'on-demand';
  readonly instanceType?: string;
  readonly instances?: number;
  readonly functions: number;
  readonly gpuSeconds?: number;
}

/** Every order of magnitude that a site could meet. */
const MAGNITUDES = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

export interface Estimates {
  readonly pricesAsOf: string;
  readonly region: string;
  readonly instanceType: string;
  readonly market: 'spot' | 'on-demand';
  readonly instances: number;
  readonly slices: number;
  /** Runs of each volume. */
  readonly targets: number;
  readonly rows: readonly EstimateRow[];
}

export interface EstimateRow extends Estimate {
  readonly volumes: number;
  readonly met: readonly Limit[];
  readonly next: Limit | null;
}

/** @throws ConfigError where no price is known */
export function estimates(site: Site, options: EstimateOptions): Estimates {
  const { market, slices } = options;
  const region = options.region ?? site.region;
  const prices = listPrices(region);
  if (!prices) throw unknownRegion(region);
  const [first = ''] = site.compute.gpuInstanceTypes;
  const instanceType = options.instanceType ?? first;
  const compute = { ...site.compute, gpuInstanceTypes: [instanceType] };
  const instance = gpuPricesOf({ region, compute })[instanceType]!;
  const rush: Omit<Rush, 'volumes'> = rushOf(site, { ...options, prices, instance });
  const targets = 1 + Object.keys(site.targets).length;
  const limits = { accountFunctions: options.functions, deadlineHours: compute.deadlineHours };
  return {
    pricesAsOf: PRICES_AS_OF,
    region,
    instanceType,
    market,
    instances: rush.instances,
    slices,
    targets,
    rows: (options.volumes === undefined ? MAGNITUDES : [options.volumes]).map((volumes) => {
      // An upload makes as many runs as the site has targets, and is uploaded once.
      const one = { ...rush, volumes: volumes * targets };
      const runs = estimate(one);
      const known = limitsOf(one, limits).map((limit) => ({
        ...limit,
        volumes: Math.floor(limit.volumes / targets),
      }));
      const { met, next } = limitsAt(known, volumes);
      const usdPerVolume = runs.totalUsd / volumes;
      const uploadGb = runs.uploadGb / targets;
      return { volumes, ...runs, usdPerVolume, uploadGb, met, next: next ?? null };
    }),
  };
}

const unknownRegion = (region: string): ConfigError =>
  new ConfigError({
    code: 'no-price',
    subject: region,
    expected: `a region whose prices this version lists: ${PRICED_REGIONS.join(', ')}`,
    found: 'none',
    remedy: 'Take --region of a neighbour, and "compute.gpuPrices" of the site file for instances.',
  });

export function estimateText(result: Estimates): string {
  const { region, instanceType, market, instances, slices, targets, rows, pricesAsOf } = result;
  return [
    `volumes of ${slices} slices${targets === 1 ? '' : `, each for ${targets} targets,`} in ${region}, ${instanceType} ${market}, ${instances} GPU jobs at once`,
    `list prices of ${pricesAsOf}, without tax and storage of what is kept: an estimate, to be checked`,
    '',
    ...rows.flatMap(rowText),
  ].join('\n');
}

function rowText({ volumes, totalUsd, hours, slowest, met, next }: EstimateRow): string[] {
  // Of the smaller ones the rows above have told.
  const newly = met.filter((limit) => limit.volumes > volumes / 10);
  return [
    `${String(volumes).padStart(9)}  ${totalUsd.toFixed(2).padStart(10)} USD  ${hoursText(hours).padStart(9)}  waits for: ${slowest}`,
    ...newly.map(({ name, volumes: at, effect }) => `           from ${at}, ${name}: ${effect}`),
    ...(next ? [`           next: ${next.name} at ${next.volumes}: ${next.remedy}`] : []),
  ];
}

export const hoursText = (hours: number): string =>
  hours < 1
    ? `${Math.ceil(hours * 60)} min`
    : hours < 72
      ? `${hours.toFixed(1)} h`
      : `${(hours / 24).toFixed(1)} days`;

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a number of seconds above 0.');
}
