import { describe, expect, it } from 'vitest';
import { Site, withoutComments } from '../../../site/contract/config.ts';

describe('Site', () => {
  it('needs nothing but a name', () => {
    const site = Site.parse({ site: 'north' });
    expect(site.network).toMatchObject({ mode: 'own-vpc' });
    expect(site.encryption).toEqual({ mode: 'own-key' });
    expect(site.compute.slicesPerJob).toBeGreaterThan(site.compute.slicesPerSlab);
  });

  it('reads back what it filled in', () => {
    const site = Site.parse({ site: 'north', datasets: ['a', 'b'] });
    expect(Site.parse(JSON.parse(JSON.stringify(site)))).toEqual(site);
  });

  it.each([
    ['an unknown field', { site: 'north', gpus: 4 }],
    ['a name too long for the bucket', { site: 'a'.repeat(18) }],
    ['a dataset that cannot be a folder', { site: 'north', datasets: ['../x'] }],
    ['a queue without vCPUs', { site: 'north', compute: { spotMaxVcpus: 0, onDemandMaxVcpus: 0 } }],
    ['a key that is no ARN', { site: 'north', encryption: { mode: 'existing-key', keyArn: 'k' } }],
    ['a bundle outside models/', { site: 'north', bundle: 'cases/x/0123456789abcdef' }],
    ['a schedule in another syntax', { site: 'north', summarySchedule: '0 4 * * *' }],
  ])('refuses %s', (_what, value) => {
    expect(Site.safeParse(value).success).toBe(false);
  });
});

describe('withoutComments', () => {
  it('drops // keys at every level and nothing else', () => {
    const commented = { '//': 'x', a: [{ '// b': 'x', b: 1 }], c: { d: null, '// d': 'x' } };
    expect(withoutComments(commented)).toEqual({ a: [{ b: 1 }], c: { d: null } });
  });
});
