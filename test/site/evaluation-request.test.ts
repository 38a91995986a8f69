import { beforeAll, describe, expect, it } from 'vitest';
import { requestEvaluation } from '../../cli/site/evaluate.ts';
import { readActive, readBundle } from '../../site/bundles.ts';
import { EvaluationRecord } from '../../site/contract/evaluation.ts';
import { cloudKeys, PREFIX } from '../../site/contract/keys.ts';
import { offerCandidate } from '../../site/training/records.ts';
import { labelKey, World } from './world.ts';

async function activeBundle({ store }: World) {
  const { active } = await readActive(store);
  return readBundle(store, active!.prefix);
}

/** What an event made the function plan: dataset, bundle, and whether it is to be promoted. */
async function asked(world: World, key: string): Promise<unknown[]> {
  await world.deliver('evaluate-start', world.created(key));
  const records = world.bucket.keys(PREFIX.evaluationRuns).filter((one) => RECORD.test(one));
  const read = records.map(async (one) => EvaluationRecord.parse(await world.json(one)).request);
  return Promise.all(read);
}

const RECORD = /^evaluation-runs\/[^/]+\.json$/;

let site: World;
beforeAll(async () => {
  site = await World.open();
});
const open = () => new World(site.bucket.copy());

describe('what asks for an evaluation', () => {
  it('is a request of the command line', async () => {
    const world = open();
    await world.label(await world.upload(labelKey('c1.nii'), Buffer.from('a label')));
    const { prefix } = await activeBundle(world);
    const request = await requestEvaluation(world.store, 'liver', prefix, true);
    const key = cloudKeys.evaluationRequest(request.evaluationId);
    expect(await asked(world, key)).toEqual([
      {
        schemaVersion: 1,
        dataset: 'liver',
        bundle: prefix,
        promote: true,
        requestedAt: request.requestedAt,
      },
    ]);
  });

  it('is not asked for a dataset without labels', async () => {
    const world = open();
    const { prefix } = await activeBundle(world);
    await expect(requestEvaluation(world.store, 'liver', prefix, false)).rejects.toMatchObject({
      code: 'nothing-labelled',
    });
  });

  it('is a bundle that was trained here, at a site with held-out data', async () => {
    const world = open();
    const bundle = await activeBundle(world);
    await offerCandidate(world.store, bundle, 'liver-50');
    expect(await asked(world, cloudKeys.candidate(bundle.digest))).toEqual([]);
    world.coldStart({ SAMMIX_JUDGE_TRAINED_ON: 'held-out' });
    expect(await asked(world, cloudKeys.candidate(bundle.digest))).toMatchObject([
      { dataset: 'held-out', bundle: bundle.prefix, promote: true },
    ]);
  });

  it('is not a bundle that was registered by hand: that waits for a person', async () => {
    const world = open();
    world.coldStart({ SAMMIX_JUDGE_TRAINED_ON: 'held-out' });
    const bundle = await activeBundle(world);
    await offerCandidate(world.store, bundle, null);
    expect(await asked(world, cloudKeys.candidate(bundle.digest))).toEqual([]);
  });
});
