import { describe, expect, it } from 'vitest';
import { History } from '../../core/contract/evaluation.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { StillInProgress } from '../../functions/each-message.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { readEvaluationRecord, readPlan } from '../../site/evaluation/records.ts';
import { readLatestEvaluation } from '../../site/evaluation/rows.ts';
import { phantomFile } from '../support/case.ts';
import { EvaluationWorld } from './evaluation-world.ts';
import { imageKey, labelKey } from './world.ts';

const isReport = (key: string): boolean => key.endsWith('/report.json');

describe('an evaluation at a site', () => {
  it('measures every labelled case by jobs of a few, and writes what people open', async () => {
    const world = await EvaluationWorld.open();
    await world.addCases(1, 2, 3);
    const [id = ''] = await world.start();
    // Three cases, two a job: an array of two.
    expect(world.submitted).toEqual([{ id, shard: 0, firstChild: 0, children: 2 }]);
    await world.finishAll();

    const evaluation = await world.evaluation(id);
    expect(evaluation.cases.map(({ caseId, status }) => [caseId, status])).toEqual([
      ['c1', 'compared'],
      ['c2', 'compared'],
      ['c3', 'compared'],
    ]);
    expect(evaluation.createdAt).toBe('2026-01-04T03:00:00Z');
    const folder = cloudKeys.evaluation('liver', id);
    expect(world.site.bucket.keys(`${folder}/`)).toEqual(
      ['cases.csv', 'evaluation.html', 'evaluation.json', 'plan.json'].map(
        (file) => `${folder}/${file}`,
      ),
    );
    const history = History.parse(await world.json(cloudKeys.evaluationHistory('liver')));
    expect(history.entries.map(({ evaluationId }) => evaluationId)).toEqual([id]);
    expect((await readLatestEvaluation(world.store, 'liver'))?.evaluationId).toBe(id);
    expect(world.site.metrics.get('EvaluationsFinished')).toBe(1);
    expect(world.site.metrics.get('GpuSeconds')).toBeGreaterThan(0);
  });

  it('uses what exists again: nothing is computed twice, and nothing but labels is needed', async () => {
    const world = await EvaluationWorld.open();
    await world.addCases(1, 2);
    const [first = ''] = await world.start();
    await world.finishAll();
    const [second = ''] = await world.start({ requestedAt: '2026-01-11T03:00:00Z' });
    expect(world.submitted).toEqual([]);
    await world.ready(second);
    const [before, after] = [await world.evaluation(first), await world.evaluation(second)];
    expect(after.cases).toEqual(before.cases);
    expect(after.comparison).toMatchObject({
      previous: { evaluationId: first },
      diceDifference: { estimate: 0 },
    });
  });

  it("uses an upload's own run again where it was made by the same bundle", async () => {
    const world = await EvaluationWorld.open();
    const { image, label } = phantomFile({ seed: 1, columns: 48, rows: 40, slices: 8 });
    await world.site.label(await world.site.upload(labelKey('c1.nii'), label));
    await world.site.ingest(await world.site.upload(imageKey('c1.nii'), image));
    const run = await world.site.runJobs();
    await world.site.report(run);
    const [id = ''] = await world.start();
    await world.ready(id);
    const { cases } = await world.evaluation(id);
    expect(cases).toMatchObject([{ caseId: 'c1', runId: run, status: 'compared' }]);
  });

  it("keeps the cost and the trace of an upload's run whose report it makes anew", async () => {
    const world = await EvaluationWorld.open();
    const { image, label } = phantomFile({ seed: 1, columns: 48, rows: 40, slices: 8 });
    await world.site.label(await world.site.upload(labelKey('c1.nii'), label));
    await world.site.ingest(await world.site.upload(imageKey('c1.nii'), image));
    await world.site.report(await world.site.runJobs());
    const [key = ''] = world.site.bucket.keys('cases/liver/c1/').filter(isReport);
    const first = CaseReport.parse(await world.json(key));
    if (first.status !== 'segmented') throw new Error('expected a mask');
    // As an older version wrote it, which did not count voxels by slice.
    const { sliceVoxels: _, ...panel } = first.comparison!.panel;
    const older = { ...first, comparison: { ...first.comparison, panel } };
    await world.store.put(key, Buffer.from(JSON.stringify(older)));
    await world.start();
    await world.finishAll();
    const again = CaseReport.parse(await world.json(key));
    expect(first.traceId).toMatch(/^1-/);
    expect(again).toMatchObject({ traceId: first.traceId, cost: first.cost });
    expect(again.createdAt > first.createdAt).toBe(true);
  });

  it('measures a case again whose label was corrected, without the model where slabs are left', async () => {
    const world = await EvaluationWorld.open();
    await world.addCases(1, 2);
    await world.start();
    await world.finishAll();
    const { label } = phantomFile({ seed: 2, columns: 48, rows: 40, slices: 8 });
    await world.site.label(
      await world.site.upload(labelKey('c1.nii'), label, '2026-01-05T00:00:00Z'),
    );
    const [id = ''] = await world.start({ requestedAt: '2026-01-11T03:00:00Z' });
    expect(world.submitted).toHaveLength(1);
    world.logs.length = 0;
    await world.finishAll();
    expect(world.logs.some((line) => line.includes('"loaded"'))).toBe(false);
    expect((await world.evaluation(id)).comparison?.relabelled).toEqual(['c1']);
  });

  it('loses no case: an unreadable one, a label without image, a job that died', async () => {
    const world = await EvaluationWorld.open();
    await world.addCases(1, 2, 3);
    const { image, label } = phantomFile({ seed: 4, columns: 48, rows: 40, slices: 8 });
    await world.site.label(await world.site.upload(labelKey('lonely.nii'), label));
    await world.site.upload(imageKey('c1.nii'), image.subarray(0, 700));
    const [id = ''] = await world.start();
    const [shard] = world.submitted;
    // The first child runs, the second dies with case c3 unread.
    await world.runJobs({ ...shard!, children: 1 });
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
    const world = await EvaluationWorld.open();
    await world.addCases(1);
    await world.start();
    await world.finishAll();
    const { label } = phantomFile({ seed: 1, columns: 48, rows: 40, slices: 8 });
    const again = await world.site.upload(labelKey('c1.nii'), label, '2026-01-05T00:00:00Z');
    await world.site.label(again);
    const [id = ''] = await world.start({ requestedAt: '2026-01-11T03:00:00Z' });
    for (const key of world.site.bucket.keys('work/')) await world.store.remove(key);
    await world.store.remove(imageKey('c1.nii'));
    const { image } = (await readPlan(world.store, id)).plan.cases[0]!;
    world.site.bucket.forget(image!.key, image!.version);
    await world.finishAll();
    const { cases } = await world.evaluation(id);
    expect(cases).toMatchObject([{ status: 'failed', fault: { code: 'job-failed' } }]);
    const [report = ''] = world.site.bucket.keys('cases/liver/c1/').filter(isReport);
    expect(await world.json(report)).toMatchObject({ status: 'segmented' });
  });

  it('goes on after an interruption from the slabs that are done', async () => {
    const world = await EvaluationWorld.open();
    await world.addCases(1);
    await world.start();
    const shard = world.submitted[0]!;
    expect(await world.runJobs(shard, AbortSignal.abort())).toEqual(['interrupted']);
    expect(await world.runJobs(shard)).toEqual(['done']);
  });

  it('aggregates once, however often and from how many sides the ends are announced', async () => {
    const world = await EvaluationWorld.open();
    await world.addCases(1);
    const [id = ''] = await world.start();
    const shard = world.submitted[0]!;
    await world.runJobs(shard);
    const outcomes = await Promise.allSettled([world.end(shard), world.end(shard)]);
    await world.end(shard);
    expect((await readEvaluationRecord(world.store, id))?.state).toBe('done');
    expect(world.site.metrics.get('EvaluationsFinished')).toBe(1);
    expect(world.notices).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(StillInProgress);
  });

  it('starts once, however often it is asked, and submits after a failure what is missing', async () => {
    const world = await EvaluationWorld.open();
    await world.addCases(1);
    const { submit } = world;
    world.submit = () => Promise.reject(new Error('throttled'));
    await expect(world.start()).rejects.toThrow('throttled');
    world.submit = submit;
    const [id = ''] = await world.start();
    await world.start();
    expect(world.submitted).toHaveLength(1);
    const { record } = await readPlan(world.store, id);
    expect(record).toMatchObject({ state: 'submitted', jobs: [{ jobId: 'job-0' }] });
  });

  it('counts patients, where a table says whose the cases are', async () => {
    const world = await EvaluationWorld.open();
    await world.addCases(1, 2);
    const table = Buffer.from('case,patient\nc1,p1\nc2,p1\n');
    await world.store.put(cloudKeys.patients('liver'), table);
    const [id = ''] = await world.start();
    // Without a job: what is counted are rows, with numbers or without.
    await world.end(world.submitted[0]!, 'FAILED', 'no instance');
    expect(await world.evaluation(id)).toMatchObject({ patients: 1, counts: { failed: 2 } });
  });

  it('asks nothing of a dataset without labels', async () => {
    const world = await EvaluationWorld.open();
    const { image } = phantomFile({ seed: 1, columns: 48, rows: 40, slices: 8 });
    await world.site.upload(imageKey('c1.nii'), image);
    expect(await world.start()).toEqual([]);
    expect(world.site.bucket.keys('evaluation')).toEqual([]);
  });

  it('says the headline numbers in a notice and names no case', async () => {
    const world = await EvaluationWorld.open();
    await world.addCases(1, 2);
    const [id = ''] = await world.start();
    await world.finishAll();
    const [notice] = world.notices;
    const { metrics } = await world.evaluation(id);
    const dice = metrics.find(({ name }) => name === 'dice')?.mean.estimate;
    expect(notice?.subject).toBe('sammix north: evaluation of liver');
    expect(notice?.text).toContain(dice?.toFixed(4));
    expect(notice?.text).toContain(
      'https://eu-central-1.console.aws.amazon.com/s3/object/bucket?prefix=evaluations%2Fliver%2F',
    );
    expect(notice?.text).not.toMatch(/\bc[12]\b/);
    expect(world.logs.join('\n')).not.toMatch(/c[12]\.nii/);
  });

  it("leaves the pointer to the newest upload's run alone", async () => {
    const world = await EvaluationWorld.open();
    await world.addCases(1);
    await world.start();
    await world.finishAll();
    expect(world.site.bucket.keys(cloudKeys.latest('liver', 'c1'))).toEqual([]);
  });
});
