import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { BundleManifest, bundleDisplay } from '../../../core/contract/bundle.ts';
import { TINY_BUNDLE } from '../../support/case.ts';

const manifest = BundleManifest.parse(
  JSON.parse(readFileSync(path.join(TINY_BUNDLE, 'bundle.json'), 'utf8')),
);

const limit = (end: 'lower' | 'upper', dataset: string, value: number, n: number) => ({
  name: `volume error %, ${end} limit`,
  dataset,
  protocol: 'volume',
  value,
  n,
});

it('takes the limits of agreement of the data set with most scans that has both', () => {
  const metrics = [
    limit('lower', 'few', -1, 5),
    limit('upper', 'few', 1, 5),
    limit('lower', 'many', -6, 40),
    limit('upper', 'many', 9, 40),
    limit('lower', 'half', -2, 99),
  ];
  const { volumeLimits } = bundleDisplay(BundleManifest.parse({ ...manifest, metrics }), 'ab');
  expect(volumeLimits).toEqual({ lowerPercent: -6, upperPercent: 9, dataset: 'many', scans: 40 });
});

it('has none where the bundle states none', () => {
  expect(bundleDisplay(manifest, 'ab')).not.toHaveProperty('volumeLimits');
});
