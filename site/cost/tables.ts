import { Site } from '../contract/config.ts';
import { type Estimate, estimate, idleMonth, type Rush, type UsdPart } from './estimate.ts';
import { gpuPricesOf } from './gpu-prices.ts';
import { limitsAt, limitsOf } from './limits.ts';
import { listPrices } from './list-prices.ts';
import { rushOf } from './rush.ts';
import { GPU_SECONDS, requestsOf } from './workload.ts';

/** The tables of docs/deploy.md: a site as a new file has it, with its first instance type. */

/** Of the default site file; `sammix estimate --region` has the others. */
const REGIONS = ['eu-central-1'] as const;
const SLICES = 280;
const MAGNITUDES = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

/** Of a site with the default file; test/infra holds the template to it. */
export const IDLE = { endpoints: 6, alarms: 23, queues: 10 } as const;

function rush(region: string, market: Rush['market'], volumes: number): Rush {
  const site = Site.parse({ site: 'any', region });
  const [type = ''] = site.compute.gpuInstanceTypes;
  const compute = { ...site.compute, gpuInstanceTypes: [type] };
  const instance = gpuPricesOf({ region, compute })[type]!;
  const wanted = { slices: SLICES, market, functions: 1000, prices: listPrices(region)!, instance };
  return { ...rushOf(site, wanted), volumes };
}

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;

const table = (
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] => [
  row(head),
  row(head.map((_, column) => (column === 0 ? '---' : '---:'))),
  ...rows.map(row),
];

const usd = (value: number): string => value.toFixed(2);

function idleTable(): string[] {
  const months = REGIONS.map((region) => idleMonth(listPrices(region)!, IDLE));
  const line = (name: string, part: keyof (typeof months)[0]) => [
    name,
    ...months.map((month) => usd(month[part])),
  ];
  return table(
    ['an idle site, USD a month', ...REGIONS],
    [
      line(`${IDLE.endpoints} interface endpoints in one zone`, 'endpoints'),
      line('KMS key', 'key'),
      line('secret', 'secret'),
      line(`${IDLE.alarms} alarms`, 'alarms'),
      line('dashboard (the first three of an account are free)', 'dashboard'),
      line(`functions polling ${IDLE.queues} queues`, 'polling'),
      line('**total**', 'total'),
    ],
  );
}

const PARTS: Readonly<Record<UsdPart, string>> = {
  gpu: 'GPU',
  instanceStart: 'start and end of the instances',
  functions: 'split, assemble and report',
  requests: 'S3 requests',
  slabs: 'slabs for 30 days',
  eventsAndQueues: 'events, queues, calls and traces',
};

function thousandTable(): string[] {
  const cases = REGIONS.flatMap((region) =>
    (['on-demand', 'spot'] as const).map((market) => ({ region, market })),
  );
  const estimates = cases.map(({ region, market }) => estimate(rush(region, market, 1000)));
  const line = (name: string, of: (one: Estimate) => number) => [
    name,
    ...estimates.map((one) => usd(of(one))),
  ];
  return table(
    [
      `1 000 volumes of ${SLICES} slices, USD`,
      ...cases.map(({ region, market }) => `${region}, ${market}`),
    ],
    [
      ...Object.entries(PARTS).map(([part, name]) => line(name, (one) => one.usd[part as UsdPart])),
      line('**total**', (one) => one.totalUsd),
    ],
  );
}

function magnitudeTable(): string[] {
  return table(
    ['volumes at once', 'USD on demand', 'USD spot', 'time', 'GPU hours', 'next limit'],
    MAGNITUDES.map((volumes) => {
      const one = rush('eu-central-1', 'on-demand', volumes);
      const { totalUsd, hours, gpuHours } = estimate(one);
      const spot = estimate(rush('eu-central-1', 'spot', volumes)).totalUsd;
      const { next } = limitsAt(
        limitsOf(one, { accountFunctions: 1000, deadlineHours: 72 }),
        volumes,
      );
      return [
        volumes.toLocaleString('fr-FR').replaceAll(/\s/g, ' '),
        usd(totalUsd),
        usd(spot),
        hours < 72 ? `${hours.toFixed(1)} h` : `${(hours / 24).toFixed(1)} days`,
        gpuHours.toFixed(1),
        next ? `${next.name} (${next.volumes})` : 'none known',
      ];
    }),
  );
}

/** The generated part of docs/deploy.md, between its two comments. */
export function costTables(): string {
  const { volume } = rush('eu-central-1', 'on-demand', 1);
  const { writes, reads } = requestsOf(volume);
  return [
    ...idleTable(),
    '',
    ...thousandTable(),
    '',
    `A volume of ${SLICES} slices makes ${writes} writes and lists, and ${reads} reads; its GPU job is taken to last`,
    `${GPU_SECONDS.perJob} s and ${GPU_SECONDS.perSlice} s a slice (\`--gpu-seconds\` says otherwise).`,
    '',
    ...magnitudeTable(),
  ].join('\n');
}
