import { describe, expect, it } from 'vitest';
import { DirStore } from '../../adapters/dir-store.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { readJobRecords, readRun } from '../../site/runs.ts';
import {
  openTinyBundle,
  openTinyRuntime,
  phantomFile,
  stageCase,
  temporaryFolder,
} from '../support/case.ts';
import { imageKey, jobEvent, labelKey, World } from './world.ts';

const { image, label } = phantomFile({ seed: 2, columns: 48, rows: 40, slices: 8 });

async function reported(world: World, file = 'c1.nii', time?: string): Promise<string> {
  await world.ingest(await world.upload(imageKey(file), image, time));
  const runId = await world.runJobs();
  await world.report(runId);
  return runId;
}

describe('the functions and jobs of a site', () => {
  it('make the mask and the CAM that the stages make on a laptop, byte for byte', async () => {
    const world = await World.open();
    const runId = await reported(world);
    const local = new DirStore(await temporaryFolder());
    const runtime = await openTinyRuntime();
    const { keys } = await stageCase(image, await openTinyBundle(), runtime, local);
    await runtime.close();
    const prefix = cloudKeys.runPrefix('liver', 'c1', runId);
    const mask = await world.store.get(`${prefix}/mask.nii.gz`);
    expect(Buffer.from(mask)).toEqual(Buffer.from(await local.get(keys.mask)));
    const cam = await world.store.get(`${prefix}/cam.nii.gz`);
    expect(Buffer.from(cam)).toEqual(Buffer.from(await local.get(keys.cam)));
  });

  it('account for the GPU time and carry the trace from upload to report', async () => {
    const world = await World.open();
    const runId = await reported(world);
    const jobs = await readJobRecords(world.store, runId);
    const seconds = jobs.reduce((sum, job) => sum + job.totalSeconds, 0);
    const { record } = (await readRun(world.store, runId))!;
    expect(jobs).toHaveLength(2);
    expect(record.cost?.gpuSeconds).toBeCloseTo(seconds, 9);
    expect(record.cost?.estimatedUsd).toBeCloseTo((seconds / 3600) * 0.5, 12);
    const account = await world.store.get(cloudKeys.account('liver', 'c1', runId));
    expect(JSON.parse(Buffer.from(account).toString())).toMatchObject({ traceId: record.traceId });
    const { traceId, cost } = record;
    expect(await world.latestReport('c1')).toMatchObject({ traceId, cost });
    const html = await world.store.get(`${cloudKeys.runPrefix('liver', 'c1', runId)}/report.html`);
    expect(Buffer.from(html).toString()).toContain(traceId);
    expect(world.logs.filter((line) => line.includes(record.traceId)).length).toBeGreaterThan(1);
  });

  it('count a run once, however often its end is announced', async () => {
    const world = await World.open();
    const runId = await reported(world);
    world.bucket.requests();
    await world.report(runId);
    expect(world.bucket.requests()).toEqual(['HeadObjectCommand']);
    expect(world.metrics.get('CasesReported')).toBe(1);
    expect(world.metrics.get('DuplicateEvents')).toBe(1);
  });

  it('compare with a label once, however often it is announced', async () => {
    const world = await World.open();
    await reported(world);
    const event = await world.upload(labelKey('c1.nii'), label);
    await world.label(event);
    world.bucket.requests();
    await world.label(event);
    expect(world.bucket.requests()).toEqual(['HeadObjectCommand']);
    expect(world.metrics.get('LabelsCompared')).toBe(1);
  });

  it('do nothing again in a job whose slabs are done', async () => {
    const world = await World.open();
    const runId = await reported(world);
    const jobs = await readJobRecords(world.store, runId);
    await world.runJobs();
    expect(await readJobRecords(world.store, runId)).toEqual(jobs);
  });

  it('stop between slabs when the instance is taken away', async () => {
    const world = await World.open();
    await world.ingest(await world.upload(imageKey('c1.nii'), image));
    const runId = await world.runJobs(AbortSignal.abort());
    expect(world.bucket.keys(`work/${runId}/work/masks/`)).toEqual([]);
    await expect(world.report(runId)).rejects.toMatchObject({ code: 'slab-missing' });
  });

  it.each(['before', 'after'])('compare with a label that comes %s the image', async (when) => {
    const world = await World.open();
    const give = async () => world.label(await world.upload(labelKey('c1.nii'), label));
    if (when === 'before') await give();
    await reported(world);
    if (when === 'after') await give();
    const report = await world.latestReport('c1');
    expect(report).toMatchObject({ status: 'segmented', comparison: { labelName: 'c1.nii' } });
  });

  it('keep the mask when the label cannot be compared', async () => {
    const world = await World.open();
    const runId = await reported(world);
    await world.label(await world.upload(labelKey('c1.nii'), label.subarray(0, 500)));
    const report = await world.latestReport('c1');
    expect(report).toMatchObject({ status: 'segmented', comparison: null });
    expect(world.logs.some((line) => line.includes('label-not-compared'))).toBe(true);
    expect(await world.state(runId)).toBe('reported');
  });

  it('point to the newest upload, in whatever order runs end', async () => {
    const world = await World.open();
    const old = await world.upload(imageKey('c1.nii'), image, '2026-01-01T00:00:00Z');
    await world.ingest(old);
    const oldRun = await world.runJobs();
    const newRun = await reported(world, 'c1.nii', '2026-01-02T00:00:00Z');
    await world.report(oldRun);
    expect((await world.latestReport('c1')).runId).toBe(newRun);
    expect(await world.state(oldRun)).toBe('reported');
  });

  it('report a job that failed for good, but not after it was reported', async () => {
    const world = await World.open();
    await world.ingest(await world.upload(imageKey('c1.nii'), image));
    const { runId } = world.submitted[0]!;
    await world.fail(jobEvent(runId, 'FAILED', 'OutOfMemoryError: Container killed'));
    expect(await world.latestReport('c1')).toMatchObject({
      status: 'failed',
      stage: 'segment',
      fault: { code: 'job-failed', found: 'OutOfMemoryError: Container killed' },
    });
    await world.fail(jobEvent(runId, 'FAILED', 'OutOfMemoryError: Container killed'));
    const other = await reported(world, 'c2.nii');
    await world.fail(jobEvent(other, 'FAILED'));
    expect(await world.latestReport('c2')).toMatchObject({ status: 'segmented' });
    expect(world.metrics.get('CasesFailed')).toBe(1);
  });

  it('report an image that came before there was a bundle', async () => {
    const world = new World();
    const event = await world.upload(imageKey('c1.nii'), image);
    await expect(world.ingest(event)).rejects.toMatchObject({ code: 'no-bundle-at-site' });
    await world.fail(event);
    const report = CaseReport.parse(await world.latestReport('c1'));
    expect(report).toMatchObject({ stage: 'split', fault: { code: 'no-bundle-at-site' } });
  });
});
