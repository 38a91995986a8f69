import { describe, expect, it } from 'vitest';
import { estimates } from '../../cli/estimate.ts';
import { Site } from '../../site/contract/config.ts';
import { costOnMachines } from '../../site/cost/gpu-cost.ts';
import { gpuPricesOf } from '../../site/cost/gpu-prices.ts';
import { listPrices, PRICED_REGIONS } from '../../site/cost/list-prices.ts';

const PRICES = {
  'g4dn.xlarge': { onDemand: 0.5, spot: 0.2 },
  'g5.xlarge': { onDemand: 1, spot: null },
};
const on = (instanceType: string, market: 'spot' | 'on-demand' | null, totalSeconds: number) => ({
  totalSeconds,
  machine: { instanceType, market },
});

describe('what GPU jobs cost', () => {
  it('goes by the instances and markets that they ran on', () => {
    const cost = costOnMachines(
      [
        on('g4dn.xlarge', 'spot', 3600),
        on('g4dn.xlarge', 'on-demand', 3600),
        on('g5.xlarge', 'spot', 1800),
      ],
      PRICES,
    );
    expect(cost.gpuSeconds).toBe(9000);
    // 0.2 + 0.5 + half an hour of a type without a spot price.
    expect(cost.estimatedUsd).toBeCloseTo(1.2, 12);
    expect(cost.usdPerGpuHour).toBeCloseTo(1.2 / 2.5, 12);
  });

  it('takes the dearest for an instance that nobody knows', () => {
    const unknown = [{ totalSeconds: 3600, machine: null }, on('p9.xlarge', null, 3600)];
    expect(costOnMachines(unknown, PRICES).estimatedUsd).toBeCloseTo(2, 12);
    expect(costOnMachines([], PRICES)).toEqual({
      gpuSeconds: 0,
      usdPerGpuHour: 1,
      estimatedUsd: 0,
    });
  });
});

describe('prices', () => {
  const site = (settings: object) => Site.parse({ site: 'north', ...settings });

  it("are the region's, unless the site file says another", () => {
    const frankfurt = gpuPricesOf(site({}));
    expect(frankfurt['g4dn.xlarge']).toEqual({ onDemand: 0.658, spot: 0.267 });
    const gpuPrices = { 'g4dn.xlarge': { onDemand: 0.4, spot: null } };
    expect(gpuPricesOf(site({ compute: { gpuPrices } }))['g4dn.xlarge']?.onDemand).toBe(0.4);
  });

  it('are refused where nobody knows one, with what to write', () => {
    expect(() => gpuPricesOf(site({ region: 'eu-west-1' }))).toThrow(/g6\.xlarge[\s\S]*gpuPrices/);
    expect(() => gpuPricesOf(site({ compute: { gpuInstanceTypes: ['p5.4xlarge'] } }))).toThrow(
      /p5/,
    );
  });

  it('are plausible: spot below on demand, no region at twice the price of another', () => {
    const cheapest = listPrices('us-east-1')!.gpu;
    for (const region of PRICED_REGIONS)
      for (const [type, { onDemand, spot }] of Object.entries(listPrices(region)!.gpu)) {
        if (spot !== null) expect(spot).toBeLessThan(onDemand);
        expect(onDemand).toBeGreaterThanOrEqual(cheapest[type]!.onDemand);
        expect(onDemand).toBeLessThan(2 * cheapest[type]!.onDemand);
      }
  });
});

describe('sammix estimate', () => {
  const site = Site.parse({ site: 'north', region: 'us-east-1' });
  const options = { slices: 280, market: 'on-demand' as const, functions: 1000 };

  it('covers every order of magnitude, each dearer and no shorter than the one before', () => {
    const { rows } = estimates(site, options);
    expect(rows.map(({ volumes }) => volumes)).toEqual([1, 10, 100, 1e3, 1e4, 1e5, 1e6]);
    for (const [index, row] of rows.entries()) {
      const before = rows[index - 1];
      if (!before) continue;
      expect(row.totalUsd).toBeGreaterThan(before.totalUsd);
      expect(row.hours).toBeGreaterThanOrEqual(before.hours);
      expect(row.usdPerVolume).toBeLessThanOrEqual(before.usdPerVolume * (1 + 1e-9));
    }
    expect(rows.at(-1)!.met.length).toBeGreaterThan(rows[0]!.met.length);
    for (const { volumes, next, met } of rows) {
      for (const limit of met) expect(limit.volumes).toBeLessThanOrEqual(volumes);
      if (next) expect(next.volumes).toBeGreaterThan(volumes);
    }
  });

  it('adds up by hand for one volume', () => {
    const { rows } = estimates(site, { ...options, volumes: 1, gpuSeconds: 3600 });
    const [{ usd, totalUsd, gpuHours, jobs }] = rows as [(typeof rows)[0]];
    expect(gpuHours).toBe(1);
    expect(jobs).toBe(1);
    expect(usd.gpu).toBeCloseTo(0.526, 12);
    expect(usd.instanceStart).toBeCloseTo(0.526 / 6, 12);
    // 47 writes, lists and the upload among them; 9 slabs for 30 days.
    expect(usd.requests).toBeCloseTo((48 * 0.005 + 104 * 0.0004) / 1000, 5);
    expect(usd.slabs).toBeCloseTo(((280 * 131_072) / 1e9) * 0.023, 12);
    expect(Object.values(usd).reduce((sum, part) => sum + part)).toBeCloseTo(totalUsd, 12);
  });

  it('knows what spot, more instances and a small account change', () => {
    const of = (changes: object) =>
      estimates(site, { ...options, volumes: 10_000, ...changes }).rows[0]!;
    expect(of({ market: 'spot' }).usd.gpu / of({}).usd.gpu).toBeCloseTo(0.204 / 0.526, 6);
    // Ten times the GPUs are not ten times as fast: then reports are what the others wait for.
    expect(of({ instances: 120 }).hours).toBeLessThan(of({}).hours / 2);
    expect(of({ instances: 120 }).slowest).toBe('assemble');
    expect(of({ functions: 10 }).hours).toBeGreaterThan(of({}).hours);
    expect(of({}).slowest).toBe('gpu');
  });

  it('counts a volume once for each target, and its upload once', () => {
    const both = Site.parse({ site: 'north', region: 'us-east-1', targets: { spleen: 'active' } });
    const one = estimates(site, { ...options, volumes: 2000 }).rows[0]!;
    const two = estimates(both, { ...options, volumes: 1000 }).rows[0]!;
    expect(two.usd).toEqual(one.usd);
    expect(two.hours).toBe(one.hours);
    expect(two.usdPerVolume).toBeCloseTo(2 * one.usdPerVolume, 12);
    expect(two.uploadGb).toBeCloseTo(one.uploadGb / 2, 12);
    expect(two.next!.volumes).toBe(Math.floor(one.next!.volumes / 2));
  });

  it('asks for a region whose prices it knows', () => {
    expect(() => estimates(site, { ...options, region: 'mars-north-1' })).toThrow(
      /us-east-1, us-east-2/,
    );
  });
});
