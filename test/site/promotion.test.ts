import { describe, expect, it } from 'vitest';
import { registerBundle } from '../../cli/site/register.ts';
import { rollBack } from '../../cli/site/rollback.ts';
import { PromotionDecision } from '../../core/contract/promotion.ts';
import { readActive } from '../../site/bundles.ts';
import { readLatestEvaluation } from '../../site/evaluation/rows.ts';
import { blindBundle } from '../support/bundles.ts';
import { TINY_BUNDLE, temporaryFolder } from '../support/case.ts';
import { EvaluationWorld } from './evaluation-world.ts';

const KEEP = { activate: false };

async function decisions(world: EvaluationWorld): Promise<PromotionDecision[]> {
  const keys = world.site.bucket.keys('models/decisions/');
  return Promise.all(keys.map(async (key) => PromotionDecision.parse(await world.json(key))));
}

const activeDigest = async ({ store }: EvaluationWorld): Promise<string | undefined> =>
  (await readActive(store)).active?.digest;

/** A site whose active bundle misses every liver, and a better candidate. */
async function worldWithBlindBundle() {
  const world = await EvaluationWorld.open();
  const { digest: tiny, prefix } = await registerBundle(world.store, TINY_BUNDLE, KEEP);
  const folder = await blindBundle(await temporaryFolder());
  const blind = await registerBundle(world.store, folder, { activate: false, force: 'a test' });
  return { world, tiny, prefix, blind: blind.digest };
}

describe('the promotion gate of a site', () => {
  it('lets a better candidate in, after both were measured on the same cases', async () => {
    const { world, tiny, prefix, blind } = await worldWithBlindBundle();
    await world.addCases(1, 2, 3);
    const ids = await world.start({ bundle: prefix, promote: true });
    expect(ids).toHaveLength(2);
    expect(await activeDigest(world)).toBe(blind);
    await world.finishAll();

    expect(await activeDigest(world)).toBe(tiny);
    const decision = (await decisions(world)).find(({ dataset }) => dataset === 'liver');
    expect(decision).toMatchObject({
      promoted: true,
      candidate: { digest: tiny, evaluationId: ids[0] },
      incumbent: { digest: blind, evaluationId: ids[1] },
      patients: 3,
      reasons: [{ code: 'passed' }],
    });
    expect(world.site.metrics.get('BundlesPromoted')).toBe(1);
    expect(world.notices.at(-1)?.text).toContain('sammix site rollback north');
    // The dataset's newest numbers are now those of the bundle in use.
    expect((await readLatestEvaluation(world.store, 'liver'))?.evaluationId).toBe(ids[0]);
  });

  it('refuses a worse candidate and leaves the active bundle', async () => {
    const world = await EvaluationWorld.open();
    const before = await readActive(world.store);
    const folder = await blindBundle(await temporaryFolder());
    const { prefix } = await registerBundle(world.store, folder, KEEP);
    await world.addCases(1, 2, 3);
    await world.start({ bundle: prefix, promote: true });
    await world.finishAll();

    expect(await readActive(world.store)).toEqual(before);
    const decision = (await decisions(world)).find(({ dataset }) => dataset === 'liver');
    expect(decision?.promoted).toBe(false);
    expect(decision?.reasons.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['difference-not-above-margin', 'more-failures']),
    );
    expect(world.site.metrics.get('BundlesRefused')).toBe(1);
  });

  it('decides once, whichever evaluation ends last', async () => {
    const { world, tiny, prefix } = await worldWithBlindBundle();
    await world.addCases(1, 2, 3);
    await world.start({ bundle: prefix, promote: true });
    const shards = world.submitted.splice(0).reverse();
    for (const shard of shards) await world.runJobs(shard);
    // A conflict is not lost: the message comes back.
    const ends = await Promise.allSettled(shards.map((shard) => world.end(shard)));
    for (const [at, { status }] of ends.entries())
      if (status === 'rejected') await world.end(shards[at]!);
    expect(await activeDigest(world)).toBe(tiny);
    expect((await decisions(world)).filter(({ dataset }) => dataset === 'liver')).toHaveLength(1);
    expect((await readActive(world.store)).active?.before).toHaveLength(2);
  });

  it('decides nothing on fewer patients than the policy asks for', async () => {
    const { world, prefix, blind } = await worldWithBlindBundle();
    world.policy = { ...world.policy, minimumPatients: 3 };
    await world.addCases(1, 2);
    await world.start({ bundle: prefix, promote: true });
    await world.finishAll();
    expect(await activeDigest(world)).toBe(blind);
    const decision = (await decisions(world)).find(({ dataset }) => dataset === 'liver');
    expect(decision?.reasons.map(({ code }) => code)).toEqual(['too-few-patients']);
  });

  it('does not replace a bundle that became active after the comparison began', async () => {
    const { world, prefix } = await worldWithBlindBundle();
    await world.addCases(1, 2, 3);
    await world.start({ bundle: prefix, promote: true });
    await rollBack(world.store, 'the blind one misses livers');
    const active = await activeDigest(world);
    await world.finishAll();
    expect(await activeDigest(world)).toBe(active);
  });
});

describe('activating a bundle by hand', () => {
  it('needs no gate for the first bundle of a site, and records that', async () => {
    const world = await EvaluationWorld.open();
    expect(await decisions(world)).toMatchObject([
      { promoted: true, incumbent: null, dataset: null, reasons: [{ code: 'no-incumbent' }] },
    ]);
    await registerBundle(world.store, TINY_BUNDLE, { activate: true });
    expect(await decisions(world)).toHaveLength(1);
  });

  it('does not bypass the gate for the second, which becomes a candidate', async () => {
    const world = await EvaluationWorld.open();
    const before = await readActive(world.store);
    const folder = await blindBundle(await temporaryFolder());
    const refused = registerBundle(world.store, folder, { activate: true });
    await expect(refused).rejects.toMatchObject({ code: 'gate-required' });
    expect(await readActive(world.store)).toEqual(before);
    expect(world.site.bucket.keys('models/candidates/')).toHaveLength(1);
  });

  it('can be forced, with a reason that stays', async () => {
    const { world, blind, tiny } = await worldWithBlindBundle();
    const { active } = await readActive(world.store);
    expect(active).toMatchObject({ digest: blind, before: [{ digest: tiny }] });
    expect(await world.json(active?.decision ?? '')).toMatchObject({
      promoted: true,
      policy: null,
      reasons: [{ code: 'forced', message: 'a test' }],
    });
  });
});

describe('rollBack', () => {
  it('returns to the bundle before, once for each activation', async () => {
    const { world, blind, tiny } = await worldWithBlindBundle();
    const back = await rollBack(world.store, 'it misses livers');
    const { active } = await readActive(world.store);
    expect(active).toMatchObject({ digest: tiny, before: [], decision: back.decisionKey });
    expect(await world.json(back.decisionKey)).toMatchObject({
      candidate: { digest: tiny },
      incumbent: { digest: blind },
      reasons: [{ code: 'rolled-back', message: 'it misses livers' }],
    });
    await expect(rollBack(world.store, 'again')).rejects.toMatchObject({
      code: 'nothing-to-go-back-to',
    });
  });
});
