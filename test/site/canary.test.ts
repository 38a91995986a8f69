import { describe, expect, it } from 'vitest';
import { createLog } from '../../adapters/log.ts';
import { recordCanary } from '../../cli/site/record-canary.ts';
import { bundleReader } from '../../site/bundles.ts';
import { type CanaryVerdict, checkCanary, startCanary } from '../../site/canary.ts';
import {
  CANARY_DATASET,
  type CanaryReference,
  canaryCase,
  canarySeeds,
} from '../../site/contract/canary.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import type { MetricName } from '../../site/contract/metrics.ts';
import { readLatest } from '../../site/runs.ts';
import { openTinyBundle, TINY_BUNDLE } from '../support/case.ts';
import { World } from './world.ts';

const [SEED = 0] = canarySeeds(1);
const CASE = canaryCase(SEED);

/** Draws one scan, lets the site's own functions and jobs work on it, and looks at the result. */
async function fly(world: World): Promise<void> {
  const log = createLog('test', 'north', (line) => world.logs.push(line));
  const bundle = bundleReader(world.store, 'active');
  await startCanary(1, { store: world.store, bundle, log });
  const file = `${CASE}.nii.gz`;
  for (const kind of ['labels', 'images'] as const) {
    const key = cloudKeys.incoming(CANARY_DATASET, kind, file);
    const event = await world.upload(key, await world.store.get(key));
    if (kind === 'labels') await world.label(event);
    else await world.ingest(event);
  }
  await world.report(await world.runJobs());
}

function check(world: World): Promise<CanaryVerdict | undefined> {
  return checkCanary(CASE, {
    store: world.store,
    log: createLog('test', 'north', (line) => world.logs.push(line)),
    emit: (values) => {
      for (const [name, value] of Object.entries(values) as [MetricName, number][])
        world.metrics.set(name, (world.metrics.get(name) ?? 0) + value);
    },
  });
}

async function reference(world: World, change: (known: CanaryReference) => void): Promise<void> {
  const key = cloudKeys.canaryReference((await openTinyBundle()).digest);
  const known = JSON.parse(Buffer.from(await world.store.get(key)).toString()) as CanaryReference;
  change(known);
  await world.store.put(key, Buffer.from(JSON.stringify(known)));
}

describe('the canary', () => {
  it('finds at the site what the same bundle made of the scan where it was registered', async () => {
    const world = await World.open();
    await recordCanary(world.store, TINY_BUNDLE, 1);
    await fly(world);
    expect(await check(world)).toBe('as-before');
    expect(world.metrics.get('CanaryScansPassed')).toBe(1);

    await reference(world, ({ cases: [known] }) => {
      known!.dice -= 0.03;
    });
    expect(await check(world)).toBe('differs');
    await reference(world, ({ cases: [known] }) => {
      known!.dice += 0.03;
      known!.volumeMl *= 1.05;
    });
    expect(await check(world)).toBe('differs');
    expect(world.metrics.get('CanaryScansFailed')).toBe(2);
  });

  it('records the first result of a bundle that was trained here, and holds later ones to it', async () => {
    const world = await World.open();
    await fly(world);
    expect(await check(world)).toBe('recorded');
    expect(await check(world)).toBe('as-before');
  });

  it('fails where the scan ended in a failure report, or nothing could be compared', async () => {
    const world = await World.open();
    await fly(world);
    const pointer = await readLatest(world.store, CANARY_DATASET, CASE);
    const key = `${pointer?.prefix}/report.json`;
    const report = JSON.parse(Buffer.from(await world.store.get(key)).toString());
    await world.store.put(key, Buffer.from(JSON.stringify({ ...report, comparison: null })));
    expect(await check(world)).toBe('not-compared');
    await world.store.put(key, Buffer.from('{}'));
    expect(await check(world)).toBe('failed');
    expect(world.metrics.get('CanaryScansPassed')).toBeUndefined();
  });

  it('waits for a bundle', async () => {
    const world = new World();
    const log = createLog('test', 'north', () => {});
    await startCanary(2, { store: world.store, bundle: bundleReader(world.store, 'active'), log });
    expect(world.bucket.keys()).toEqual([]);
  });
});
