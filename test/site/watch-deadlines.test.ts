import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { evaluateJobName } from '../../site/contract/evaluation.ts';
import { cloudKeys, trainingHash, trainJobName } from '../../site/contract/keys.ts';
import { readEvaluationRecord } from '../../site/evaluation/records.ts';
import { readTraining } from '../../site/training/records.ts';
import { EvaluationWorld } from './evaluation-world.ts';
import { endOfJob } from './world.ts';

const BEGAN = new Date('2026-03-01T00:00:00Z');
const LOOK = { source: 'sammix.watch' };
const hoursLater = (hours: number) => vi.setSystemTime(BEGAN.getTime() + hours * 3.6e6);
const ms = (hours: number) => BEGAN.getTime() + hours * 3.6e6;

let site: EvaluationWorld;
beforeAll(async () => {
  site = await EvaluationWorld.open();
  await site.addCases(1, 2);
});
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  hoursLater(0);
});
afterEach(() => vi.useRealTimers());

describe('the deadline of an evaluation', () => {
  /** A site with one evaluation whose job is with Batch. */
  async function submitted() {
    const world = new EvaluationWorld(site.bucket.copy());
    const [id] = await world.evaluate({ requestedAt: BEGAN.toISOString() });
    const job = world.jobs.at(-1)!.id;
    return { world, id: id!, job, look: () => world.deliver('watch', LOOK) };
  }

  it('is its own: longer than that of an upload, and nothing happens before it', async () => {
    const { world, job, look } = await submitted();
    world.batchJobs.set(job, { status: 'RUNNABLE' });
    hoursLater(81);
    expect(await look()).toContain('RunsOpen');
    expect(world.terminated).toEqual([]);
    expect(world.metrics.get('RunsOverdue')).toBe(0);
  });

  it('stops its job; what is announced then ends it, with its cases as failed', async () => {
    const { world, id, job, look } = await submitted();
    world.batchJobs.set(job, { status: 'RUNNABLE' });
    hoursLater(83);
    await look();
    expect(world.terminated).toEqual([job]);
    expect(world.metrics.get('RunsOverdue')).toBe(1);
    await world.end(world.shards[0]!, 'FAILED', 'the deadline of 82 hours has passed');
    const evaluation = await world.evaluation(id);
    expect(evaluation.counts.failed).toBe(2);
    expect(evaluation.cases[0]!.fault?.found).toContain('deadline of 82 hours');
    await look();
    expect(world.bucket.keys('evaluation-runs/open/')).toEqual([]);
  });

  it.each(['SUCCEEDED', 'FAILED'] as const)(
    'finds an end (%s) that nobody was told',
    async (status) => {
      const { world, id, job, look } = await submitted();
      world.batchJobs.set(job, { status, stoppedAt: ms(1) });
      hoursLater(1.25);
      await look();
      expect(world.announced).toEqual([]);
      hoursLater(2);
      await look();
      const detail = { jobId: job, jobName: evaluateJobName(id, 0), status };
      expect(world.announced).toMatchObject([{ queue: 'evaluations', event: { detail } }]);
      await world.deliver('evaluate-finish', world.announced[0]!.event);
      expect((await readEvaluationRecord(world.store, id))?.state).toBe('done');
    },
  );

  it('ends as failed what Batch does not know any more', async () => {
    const { world, id, look } = await submitted();
    hoursLater(1);
    await look();
    await world.deliver('evaluate-finish', world.announced[0]!.event);
    expect((await world.evaluation(id)).counts.failed).toBe(2);
  });

  it('tells again where all jobs have ended and nobody aggregates', async () => {
    const { world, id, job, look } = await submitted();
    await world.runShard(world.shards[0]!);
    const record = (await readEvaluationRecord(world.store, id))!;
    const jobs = record.jobs.map((one) => ({ ...one, ended: 'SUCCEEDED' as const }));
    const key = cloudKeys.evaluationRecord(id);
    await world.store.put(key, Buffer.from(JSON.stringify({ ...record, jobs })));
    world.batchJobs.set(job, { status: 'SUCCEEDED', stoppedAt: ms(0.1) });
    hoursLater(0.7);
    await look();
    await world.deliver('evaluate-finish', world.announced[0]!.event);
    expect((await world.evaluation(id)).counts.compared).toBe(2);
  });

  it.each([
    ['planning', 'evaluate-start'],
    ['aggregating', 'evaluate-finish'],
  ] as const)('gives up what a function has given up while %s, and says why', async (state, by) => {
    const { world, id, job, look } = await submitted();
    const record = (await readEvaluationRecord(world.store, id))!;
    const jobs = record.jobs.map((one) => ({ ...one, ended: 'SUCCEEDED' as const }));
    // Given back by its last attempt.
    const stuck = { ...record, jobs, state, claimedAt: new Date(0).toISOString() };
    await world.store.put(cloudKeys.evaluationRecord(id), Buffer.from(JSON.stringify(stuck)));
    world.batchJobs.set(job, { status: 'SUCCEEDED', stoppedAt: ms(0.1) });
    hoursLater(1.9);
    await look();
    expect((await readEvaluationRecord(world.store, id))?.state).toBe(state);
    hoursLater(2.2);
    await look();
    expect((await readEvaluationRecord(world.store, id))?.state).toBe('failed');
    expect(await world.json(cloudKeys.evaluationReason('liver', id))).toMatchObject({
      code: 'evaluation-given-up',
      remedy: expect.stringContaining(by),
    });
    expect(world.metrics.get('RunsOverdue')).toBe(1);
    // Late events change nothing.
    await world.end({ id, shard: 0, firstChild: 0, children: 1 });
    expect((await readEvaluationRecord(world.store, id))?.state).toBe('failed');
  });
});

describe('the deadline of a training', () => {
  const KEY = cloudKeys.trainingRequest('t1');

  async function submitted() {
    const world = new EvaluationWorld(site.bucket.copy());
    const request = { schemaVersion: 1, id: 't1', dataPrefix: 'training/data/liver/', config: {} };
    const body = Buffer.from(JSON.stringify(request));
    await world.deliver('train', await world.upload(KEY, body, BEGAN.toISOString()));
    const job = world.jobs.at(-1)!.id;
    const state = async () => (await readTraining(world.store, trainingHash('t1')))?.record.state;
    return { world, job, state, look: () => world.deliver('watch', LOOK) };
  }
  const NAME = trainJobName(trainingHash('t1'));

  it('stops its job; what is announced then gives the request its reason', async () => {
    const { world, job, state, look } = await submitted();
    world.batchJobs.set(job, { status: 'RUNNING' });
    hoursLater(311);
    await look();
    expect(world.terminated).toEqual([]);
    hoursLater(313);
    await look();
    expect(world.terminated).toEqual([job]);
    expect(world.metrics.get('RunsOverdue')).toBe(1);
    await world.deliver('train', endOfJob(NAME, 'FAILED', { jobId: job, statusReason: 'stopped' }));
    expect(await state()).toBe('failed');
    expect(world.metrics.get('TrainingsFailed')).toBe(1);
  });

  it('finds an end that nobody was told', async () => {
    const { world, job, state, look } = await submitted();
    world.batchJobs.set(job, { status: 'FAILED', stoppedAt: ms(1) });
    hoursLater(2);
    await look();
    expect(world.announced.map(({ queue }) => queue)).toEqual(['trainings']);
    await world.deliver('train', world.announced[0]!.event);
    expect(await state()).toBe('failed');
  });

  it('ends with a reason what Batch does not know any more', async () => {
    const { world, state, look } = await submitted();
    hoursLater(1);
    await look();
    expect(await state()).toBe('failed');
    expect(await world.json(cloudKeys.trainingReason('t1'))).toMatchObject({
      fault: { code: 'training-lost' },
    });
    // Once.
    expect(await look()).not.toContain('TrainingsFailed');
  });
});
