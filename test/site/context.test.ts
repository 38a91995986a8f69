import { afterEach, describe, expect, it, vi } from 'vitest';
import { siteContext, traceId } from '../../site/context.ts';
import { AssembleEnv } from '../../site/contract/env.ts';

describe('siteContext', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('names every variable that the site stack should have set', () => {
    vi.stubEnv('SAMMIX_SITE', 'site-a');
    vi.stubEnv('SAMMIX_BUCKET', '');
    vi.stubEnv('SAMMIX_GPU_PRICES', 'much');
    expect(siteContext('assemble', AssembleEnv)).toThrow(
      'SAMMIX_BUCKET: expected text; SAMMIX_GPU_PRICES: expected prices by instance type, as JSON',
    );
  });

  it('opens its clients once', () => {
    vi.stubEnv('SAMMIX_SITE', 'site-a');
    vi.stubEnv('SAMMIX_BUCKET', 'bucket');
    vi.stubEnv('SAMMIX_GPU_PRICES', '{"g4dn.xlarge": {"onDemand": 0.7, "spot": null}}');
    const context = siteContext('assemble', AssembleEnv);
    expect(context().env.SAMMIX_GPU_PRICES['g4dn.xlarge']?.onDemand).toBe(0.7);
    expect(context()).toBe(context());
  });
});

describe('traceId', () => {
  it("has the form of X-Ray's, which begins with the time in seconds", () => {
    const id = traceId(new Date('2026-01-01T00:00:00Z'));
    expect(id).toMatch(/^1-[0-9a-f]{8}-[0-9a-f]{24}$/);
    expect(Number.parseInt(id.split('-')[1] ?? '', 16) * 1000).toBe(Date.UTC(2026, 0, 1));
  });
});
