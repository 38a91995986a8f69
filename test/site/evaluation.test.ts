import { beforeAll, describe, expect, it } from 'vitest';
import { History } from '../../core/contract/evaluation.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { plannedCases, readEvaluationRecord, readPlan } from '../../site/evaluation/records.ts';
import { evaluatedRows, readLatestEvaluation } from '../../site/evaluation/rows.ts';
import { phantomFile } from '../support/case.ts';
import type { MemoryBucket } from '../support/memory-bucket.ts';
import { EvaluationWorld, SIZE, type SubmittedShard } from './evaluation-world.ts';
import { imageKey, labelKey } from './world.ts';

const isReport = (key: string): boolean => key.endsWith('/report.json');

describe('an evaluation at a site', () => {
  /** Three labelled cases that were evaluated once. */
  let site: EvaluationWorld;
  let first: string;
  let jobs: readonly SubmittedShard[];
  /** The same site before it was. */
  let unmeasured: MemoryBucket;
  beforeAll(async () => {
    site = await EvaluationWorld.open();
    await site.addCases(1, 2, 3);
    unmeasured = site.bucket.copy();
    [first = ''] = await site.evaluate();
    jobs = site.shards;
    await site.finishAll();
  });
  const again = { requestedAt: '2026-01-11T03:00:00Z' };
  const measured = () => new EvaluationWorld(site.bucket.copy());
  const fresh = () => new EvaluationWorld(unmeasured.copy());
  const labelOf = (seed: number) => phantomFile({ seed, ...SIZE }).label;

  it('measures every labelled case by jobs of a few, and writes what people open', async () => {
    // Three cases, two a job: an array of two.
    expect(jobs).toEqual([{ id: first, shard: 0, firstChild: 0, children: 2 }]);
    const evaluation = await site.evaluation(first);
    expect(evaluation.cases.map(({ caseId, status }) => [caseId, status])).toEqual([
      ['c1', 'compared'],
      ['c2', 'compared'],
      ['c3', 'compared'],
    ]);
    expect(evaluation.createdAt).toBe('2026-01-04T03:00:00Z');
    const folder = cloudKeys.evaluation('liver', first);
    expect(site.bucket.keys(`${folder}/`)).toEqual(
      [
        'cases.csv',
        'evaluation.html',
        'evaluation.json',
        'plan.json',
        'plan/0.json',
        'rows/0.json',
      ].map((file) => `${folder}/${file}`),
    );
    const history = History.parse(await site.json(cloudKeys.evaluationHistory('liver')));
    expect(history.entries.map(({ evaluationId }) => evaluationId)).toEqual([first]);
    expect((await readLatestEvaluation(site.store, 'liver'))?.evaluationId).toBe(first);
    expect(site.metrics.get('EvaluationsFinished')).toBe(1);
    expect(site.metrics.get('GpuSeconds')).toBeGreaterThan(0);
    // What was measured is no upload's run: its pointer stays where it was.
    expect(site.bucket.keys(cloudKeys.latest('liver', 'c1'))).toEqual([]);
  });

  it('says the headline numbers in a notice and names no case', async () => {
    const [notice] = site.notices;
    const { metrics } = await site.evaluation(first);
    const dice = metrics.find(({ name }) => name === 'dice')?.mean.estimate;
    expect(notice?.subject).toBe('sammix north: evaluation of liver');
    expect(notice?.text).toContain(dice?.toFixed(4));
    expect(notice?.text).toContain(
      'https://eu-central-1.console.aws.amazon.com/s3/object/bucket?prefix=evaluations%2Fliver%2F',
    );
    expect(notice?.text).not.toMatch(/\bc[12]\b/);
    expect(site.logs.join('\n')).not.toMatch(/c[12]\.nii/);
  });

  it('uses what exists again: nothing is computed twice, and nothing but labels is needed', async () => {
    const world = measured();
    const [second = ''] = await world.evaluate(again);
    expect(world.shards).toEqual([]);
    await world.ready(second);
    const [before, after] = [await world.evaluation(first), await world.evaluation(second)];
    expect(after.cases).toEqual(before.cases);
    expect(after.comparison).toMatchObject({
      previous: { evaluationId: first },
      diceDifference: { estimate: 0 },
    });
  });

  it("uses an upload's own run again, and keeps its cost and trace where its report is made anew", async () => {
    const world = await EvaluationWorld.open();
    const { image, label } = phantomFile({ seed: 1, ...SIZE });
    await world.label(await world.upload(labelKey('c1.nii'), label));
    const run = await world.segmented(imageKey('c1.nii'), image);
    const [id = ''] = await world.evaluate();
    await world.ready(id);
    const { cases } = await world.evaluation(id);
    expect(cases).toMatchObject([{ caseId: 'c1', runId: run, status: 'compared' }]);

    const [key = ''] = world.bucket.keys('cases/liver/c1/').filter(isReport);
    const report = CaseReport.parse(await world.json(key));
    if (report.status !== 'segmented') throw new Error('expected a mask');
    // As an older version wrote it, which did not count voxels by slice.
    const { sliceVoxels: _, ...panel } = report.comparison!.panel;
    const older = { ...report, comparison: { ...report.comparison, panel } };
    await world.store.put(key, Buffer.from(JSON.stringify(older)));
    await world.evaluate(again);
    await world.finishAll();
    const anew = CaseReport.parse(await world.json(key));
    expect(report.traceId).toMatch(/^1-/);
    expect(anew).toMatchObject({ traceId: report.traceId, cost: report.cost });
    expect(anew.createdAt > report.createdAt).toBe(true);
  });

  it('measures a case again whose label was corrected, without the model where slabs are left', async () => {
    const world = measured();
    // One voxel more: another file on the same grid.
    const corrected = Uint8Array.from(labelOf(1));
    corrected[corrected.length - 1] = 1;
    await world.label(await world.upload(labelKey('c1.nii'), corrected, '2026-01-05T00:00:00Z'));
    const [id = ''] = await world.evaluate(again);
    expect(world.shards).toHaveLength(1);
    world.logs.length = 0;
    await world.finishAll();
    expect(world.logs.some((line) => line.includes('"loaded"'))).toBe(false);
    expect((await world.evaluation(id)).comparison?.relabelled).toEqual(['c1']);
  });

  it('loses no case: an unreadable one, a label without image, a job that died', async () => {
    const world = fresh();
    await world.label(await world.upload(labelKey('lonely.nii'), labelOf(4)));
    const { image } = phantomFile({ seed: 1, ...SIZE });
    await world.upload(imageKey('c1.nii'), image.subarray(0, 700));
    const [id = ''] = await world.evaluate();
    const [shard] = world.shards;
    // The first child runs, the second dies with case c3 unread.
    await world.runShard({ ...shard!, children: 1 });
    await world.end(shard!, 'FAILED', 'OutOfMemoryError: Container killed');
    const { cases, counts } = await world.evaluation(id);
    expect(counts).toMatchObject({ failed: 3, compared: 1 });
    expect(cases.map(({ caseId, fault }) => [caseId, fault?.code])).toEqual([
      ['c1', 'truncated-data'],
      ['c2', undefined],
      ['c3', 'job-failed'],
      ['lonely', 'image-missing'],
    ]);
    expect(cases[2]?.fault?.found).toContain('OutOfMemoryError');
  });

  it('keeps a mask that cannot be measured again', async () => {
    const world = measured();
    await world.label(await world.upload(labelKey('c1.nii'), labelOf(1), '2026-01-05T00:00:00Z'));
    const [id = ''] = await world.evaluate(again);
    for (const key of world.bucket.keys('work/')) await world.store.remove(key);
    await world.store.remove(imageKey('c1.nii'));
    const { plan } = await readPlan(world.store, id);
    const { value: first } = await plannedCases(world.store, plan).next();
    const { image } = first!;
    world.bucket.forget(image!.key, image!.version);
    await world.finishAll();
    const { cases } = await world.evaluation(id);
    expect(cases[0]).toMatchObject({ status: 'failed', fault: { code: 'job-failed' } });
    const [report = ''] = world.bucket.keys('cases/liver/c1/').filter(isReport);
    expect(await world.json(report)).toMatchObject({ status: 'segmented' });
  });

  it('goes on after an interruption from what is done', async () => {
    const world = measured();
    await world.label(await world.upload(labelKey('c1.nii'), labelOf(2), '2026-01-05T00:00:00Z'));
    await world.evaluate(again);
    const shard = world.shards[0]!;
    expect(await world.runShard(shard, AbortSignal.abort())).toEqual(['interrupted']);
    expect(await world.runShard(shard)).toEqual(['done']);
  });

  it('aggregates once, however often and from how many sides the ends are announced', async () => {
    const world = fresh();
    const [id = ''] = await world.evaluate();
    const shard = world.shards[0]!;
    // Nobody ran: what is counted are rows, with numbers or without.
    await Promise.all([world.end(shard, 'FAILED'), world.end(shard, 'FAILED')]);
    await world.end(shard, 'FAILED');
    expect((await readEvaluationRecord(world.store, id))?.state).toBe('done');
    expect(world.metrics.get('EvaluationsFinished')).toBe(1);
    expect(world.notices).toHaveLength(1);
  });

  it('aggregates again at once where it has failed, and does not wait for a lease to end', async () => {
    const world = fresh();
    const [id = ''] = await world.evaluate();
    const shard = world.shards[0]!;
    const plan = cloudKeys.evaluationPlan('liver', id);
    const kept = await world.store.get(plan);
    await world.store.put(plan, Buffer.from('{"torn":'));
    await expect(world.end(shard, 'FAILED')).rejects.toThrow();
    await world.store.put(plan, kept);
    expect(await world.end(shard, 'FAILED')).toContain('evaluated');
  });

  it('goes on with the rows that an aggregation before it has read', async () => {
    const world = measured();
    const before = await world.evaluation(first);
    for (const key of world.bucket.keys('cases/liver/').filter(isReport))
      await world.store.remove(key);
    const { plan, record } = await readPlan(world.store, first);
    expect(await evaluatedRows(plan, record, world.store)).toEqual(before.cases);
    await world.store.remove(cloudKeys.evaluationRows('liver', first, 0));
    const anew = await evaluatedRows(plan, record, world.store);
    expect(anew.map(({ status }) => status)).toEqual(anew.map(() => 'failed'));
  });

  it('starts once, however often it is asked, and submits after a failure what is missing', async () => {
    const world = fresh();
    world.onSubmit = () => Promise.reject(new Error('throttled'));
    await expect(world.evaluate()).rejects.toThrow('throttled');
    world.onSubmit = async () => {};
    const [id = ''] = await world.evaluate();
    expect(await world.evaluate()).toEqual([]);
    expect(world.shards).toHaveLength(1);
    const { record } = await readPlan(world.store, id);
    expect(record).toMatchObject({ state: 'submitted', jobs: [{ jobId: 'job-1' }] });
  });

  it('counts patients, where a table says whose the cases are', async () => {
    const world = fresh();
    const table = Buffer.from('case,patient\nc1,p1\nc2,p1\n');
    await world.store.put(cloudKeys.patients('liver'), table);
    const [id = ''] = await world.evaluate();
    await world.end(world.shards[0]!, 'FAILED', 'no instance');
    expect(await world.evaluation(id)).toMatchObject({ patients: 2, counts: { failed: 3 } });
  });

  it('asks nothing of a dataset without labels', async () => {
    const world = await EvaluationWorld.open();
    const { image } = phantomFile({ seed: 1, ...SIZE });
    await world.upload(imageKey('c1.nii'), image);
    expect(await world.evaluate()).toEqual([]);
    expect(world.bucket.keys('evaluation')).toEqual([]);
  });
});
