import { beforeAll, describe, expect, it } from 'vitest';
import { recordCanary } from '../../cli/site/record-canary.ts';
import {
  CANARY_DATASET,
  type CanaryReference,
  canaryCase,
  canarySeeds,
} from '../../site/contract/canary.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { readLatest } from '../../site/runs.ts';
import { openTinyBundle, TINY_BUNDLE } from '../support/case.ts';
import { World } from './world.ts';

const [SEED = 0] = canarySeeds(1);
const CASE = canaryCase(SEED);

const LATEST = cloudKeys.latest(CANARY_DATASET, CASE);

const DEPLOYED = {
  source: 'aws.cloudformation',
  'detail-type': 'CloudFormation Stack Status Change',
  time: '2026-01-01T00:00:00Z',
  detail: { 'stack-id': 'arn:aws:cloudformation:eu-central-1:111122223333:stack/sammix-north/1' },
};

/** A deployment draws one scan; the site's own functions and jobs work on it. */
async function fly(world: World): Promise<void> {
  expect(await world.deliver('canary', DEPLOYED)).toEqual(['canary-started']);
  for (const kind of ['labels', 'images'] as const) {
    const event = world.created(cloudKeys.incoming(CANARY_DATASET, kind, `${CASE}.nii.gz`));
    if (kind === 'labels') await world.label(event);
    else await world.ingest(event);
  }
  await world.report(await world.runJobs());
}

/** What the canary says to the pointer to the scan's report. */
async function verdict(world: World): Promise<string | undefined> {
  const before = world.logs.length;
  await world.deliver('canary', world.created(LATEST));
  const lines = world.logs.slice(before).map((line) => JSON.parse(line) as { reason?: string });
  return lines.find(({ reason }) => reason !== undefined)?.reason;
}

async function reference(world: World, change: (known: CanaryReference) => void): Promise<void> {
  const key = cloudKeys.canaryReference((await openTinyBundle()).digest);
  const known = JSON.parse(Buffer.from(await world.store.get(key)).toString()) as CanaryReference;
  change(known);
  await world.store.put(key, Buffer.from(JSON.stringify(known)));
}

describe('the canary', () => {
  /** A site where one scan was flown, which no reference is known of. */
  let site: World;
  beforeAll(async () => {
    site = await World.open();
    await fly(site);
  });
  const open = () => new World(site.bucket.copy());

  it('finds at the site what the same bundle made of the scan where it was registered', async () => {
    const world = open();
    await recordCanary(world.store, TINY_BUNDLE, 1);
    expect(await verdict(world)).toBe('as-before');
    expect(world.metrics.get('CanaryScansPassed')).toBe(1);

    await reference(world, ({ cases: [known] }) => {
      known!.dice -= 0.03;
    });
    expect(await verdict(world)).toBe('differs');
    await reference(world, ({ cases: [known] }) => {
      known!.dice += 0.03;
      known!.volumeMl *= 1.05;
    });
    expect(await verdict(world)).toBe('differs');
    expect(world.metrics.get('CanaryScansFailed')).toBe(2);
  });

  it('records the first result of a bundle that was trained here, and holds later ones to it', async () => {
    const world = open();
    expect(await verdict(world)).toBe('recorded');
    expect(await verdict(world)).toBe('as-before');
  });

  it('fails where the scan ended in a failure report, or nothing could be compared', async () => {
    const world = open();
    const pointer = await readLatest(world.store, CANARY_DATASET, CASE);
    const key = `${pointer?.prefix}/report.json`;
    const report = (await world.json(key)) as object;
    await world.store.put(key, Buffer.from(JSON.stringify({ ...report, comparison: null })));
    expect(await verdict(world)).toBe('not-compared');
    await world.store.put(key, Buffer.from('{}'));
    expect(await verdict(world)).toBe('failed');
    expect(world.metrics.get('CanaryScansPassed')).toBeUndefined();
  });

  it('starts after an activation as well, and after nothing else', async () => {
    const world = open();
    const before = world.bucket.versionOf(LATEST);
    const scan = cloudKeys.incoming(CANARY_DATASET, 'images', `${CASE}.nii.gz`);
    const first = world.bucket.versionOf(scan);
    await world.deliver('canary', world.created(LATEST));
    expect(world.bucket.versionOf(scan)).toBe(first);
    await world.deliver('canary', world.created(cloudKeys.activeBundle));
    expect(world.bucket.versionOf(scan)).not.toBe(first);
    expect(world.bucket.versionOf(LATEST)).toBe(before);
  });

  it('waits for a bundle', async () => {
    const world = new World();
    expect(await world.deliver('canary', DEPLOYED)).toEqual(['canary-without-bundle']);
    expect(world.bucket.keys()).toEqual([]);
  });
});
