import { describe, expect, it } from 'vitest';
import { requestEvaluation } from '../../cli/site/evaluate.ts';
import { readActive, readBundle } from '../../site/bundles.ts';
import { StartEvent } from '../../site/contract/evaluation.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { requestOf } from '../../site/evaluation/start.ts';
import { offerCandidate } from '../../site/training/records.ts';
import { labelKey, World } from './world.ts';

async function activeBundle({ store }: World) {
  const { active } = await readActive(store);
  return readBundle(store, active!.prefix);
}

/** As EventBridge announces what is at a key. */
const written = (world: World, key: string): StartEvent =>
  StartEvent.parse({
    source: 'aws.s3',
    'detail-type': 'Object Created',
    time: '2026-01-01T00:00:00Z',
    detail: {
      bucket: { name: 'bucket' },
      object: { key, size: 1, 'version-id': world.bucket.versionOf(key) },
    },
  });

describe('requestOf', () => {
  it('reads what the command line has asked for', async () => {
    const world = await World.open();
    await world.upload(labelKey('c1.nii'), Buffer.from('a label'));
    const { prefix } = await activeBundle(world);
    const asked = await requestEvaluation(world.store, 'liver', prefix, true);
    const key = cloudKeys.evaluationRequest(asked.evaluationId);
    expect(await requestOf(written(world, key), world.store, undefined)).toEqual({
      schemaVersion: 1,
      dataset: 'liver',
      bundle: prefix,
      promote: true,
      requestedAt: asked.requestedAt,
    });
  });

  it('is not asked for a dataset without labels', async () => {
    const world = await World.open();
    const { prefix } = await activeBundle(world);
    await expect(requestEvaluation(world.store, 'liver', prefix, false)).rejects.toMatchObject({
      code: 'nothing-labelled',
    });
  });

  it('has a bundle judged that was trained here, at a site with held-out data', async () => {
    const world = await World.open();
    const bundle = await activeBundle(world);
    await offerCandidate(world.store, bundle, 'liver-50');
    const event = written(world, cloudKeys.candidate(bundle.digest));
    expect(await requestOf(event, world.store, 'held-out')).toMatchObject({
      dataset: 'held-out',
      bundle: bundle.prefix,
      promote: true,
    });
    expect(await requestOf(event, world.store, undefined)).toBeUndefined();
  });

  it('leaves a bundle that was registered by hand to a person', async () => {
    const world = await World.open();
    const bundle = await activeBundle(world);
    await offerCandidate(world.store, bundle, null);
    const event = written(world, cloudKeys.candidate(bundle.digest));
    expect(await requestOf(event, world.store, 'held-out')).toBeUndefined();
  });
});
