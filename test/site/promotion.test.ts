import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
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
  const keys = world.bucket.keys('models/decisions/');
  return Promise.all(keys.map(async (key) => PromotionDecision.parse(await world.json(key))));
}

const activeDigest = async ({ store }: EvaluationWorld): Promise<string | undefined> =>
  (await readActive(store)).active?.digest;

/** The tiny bundle as a candidate, at a site whose active bundle misses every liver. */
interface Comparison {
  readonly world: EvaluationWorld;
  readonly tiny: string;
  readonly prefix: string;
  readonly blind: string;
}

let compared: Comparison;

/** Three labelled cases; both bundles have measured them, and none of it was announced. */
beforeAll(async () => {
  const world = await EvaluationWorld.open();
  const { digest: tiny, prefix } = await registerBundle(world.store, TINY_BUNDLE, KEEP);
  const folder = await blindBundle(await mkdtemp(path.join(tmpdir(), 'sammix-blind-')));
  const blind = await registerBundle(world.store, folder, { activate: false, force: 'a test' });
  await rm(folder, { recursive: true });
  await world.addCases(1, 2, 3);
  const before = world.bucket.copy();
  await world.evaluate({ bundle: prefix, promote: true });
  for (const shard of world.shards) await world.runShard(shard);
  // The masks are there, and nothing of the evaluation: whoever asks for it begins anew.
  for (const key of [...world.bucket.keys('cases/'), ...world.bucket.keys('work/')])
    await before.store.put(key, await world.store.get(key));
  compared = { world: new EvaluationWorld(before), tiny, prefix, blind: blind.digest };
});

const open = (): Comparison => ({
  ...compared,
  world: new EvaluationWorld(compared.world.bucket.copy()),
});

/** Asks for the promotion; what was computed before is used again. */
async function promote(world: EvaluationWorld, bundle: string): Promise<string[]> {
  const ids = await world.evaluate({ bundle, promote: true });
  for (const id of ids) await world.ready(id);
  return ids;
}

describe('the promotion gate of a site', () => {
  it('lets a better candidate in, after both were measured on the same cases', async () => {
    const { world, tiny, prefix, blind } = open();
    expect(await activeDigest(world)).toBe(blind);
    const ids = await promote(world, prefix);
    expect(ids).toHaveLength(2);

    expect(await activeDigest(world)).toBe(tiny);
    const decision = (await decisions(world)).find(({ dataset }) => dataset === 'liver');
    expect(decision).toMatchObject({
      promoted: true,
      candidate: { digest: tiny, evaluationId: ids[0] },
      incumbent: { digest: blind, evaluationId: ids[1] },
      patients: 3,
      reasons: [{ code: 'passed' }],
    });
    expect(world.metrics.get('BundlesPromoted')).toBe(1);
    expect(world.notices.at(-1)?.text).toContain('sammix site rollback north');
    // The dataset's newest numbers are now those of the bundle in use.
    expect((await readLatestEvaluation(world.store, 'liver'))?.evaluationId).toBe(ids[0]);
  });

  it('refuses a worse candidate and leaves the active bundle', async () => {
    const { world, tiny } = open();
    const worse = (await readActive(world.store)).active!;
    await rollBack(world.store, 'the other way round');
    await promote(world, worse.prefix);

    expect(await activeDigest(world)).toBe(tiny);
    const decision = (await decisions(world)).find(({ dataset }) => dataset === 'liver');
    expect(decision?.promoted).toBe(false);
    expect(decision?.reasons.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['difference-not-above-margin', 'more-failures']),
    );
    expect(world.metrics.get('BundlesRefused')).toBe(1);
  });

  it('decides once, whichever evaluation ends last, though both end at once', async () => {
    const { world, tiny, prefix } = open();
    const ids = (await world.evaluate({ bundle: prefix, promote: true })).reverse();
    // A conflict is not lost: the message comes back.
    const ends = await Promise.allSettled(ids.map((id) => world.ready(id)));
    for (const [at, { status }] of ends.entries())
      if (status === 'rejected') await world.ready(ids[at]!);
    expect(await activeDigest(world)).toBe(tiny);
    expect((await decisions(world)).filter(({ dataset }) => dataset === 'liver')).toHaveLength(1);
    expect((await readActive(world.store)).active?.before).toHaveLength(2);
  });

  it('decides nothing on fewer patients than the policy asks for', async () => {
    const { world, prefix, blind } = open();
    world.coldStart({ SAMMIX_PROMOTION_POLICY: '{"minimumPatients": 4}' });
    await promote(world, prefix);
    expect(await activeDigest(world)).toBe(blind);
    const decision = (await decisions(world)).find(({ dataset }) => dataset === 'liver');
    expect(decision?.reasons.map(({ code }) => code)).toEqual(['too-few-patients']);
  });

  it('does not replace a bundle that became active after the comparison began', async () => {
    const { world, prefix } = open();
    const ids = await world.evaluate({ bundle: prefix, promote: true });
    await rollBack(world.store, 'the blind one misses livers');
    const active = await activeDigest(world);
    for (const id of ids) await world.ready(id);
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
    expect(world.bucket.keys('models/candidates/')).toHaveLength(1);
  });

  it('can be forced, with a reason that stays', async () => {
    const { world, blind, tiny } = open();
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
    const { world, blind, tiny } = open();
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
