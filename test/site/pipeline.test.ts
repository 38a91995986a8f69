import { beforeAll, describe, expect, it } from 'vitest';
import { DirStore } from '../../adapters/dir-store.ts';
import { provenance } from '../../adapters/provenance.ts';
import { reportCase } from '../../core/stage/report.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { readJobRecords, readRun } from '../../site/runs.ts';
import {
  once,
  openTinyBundle,
  openTinyRuntime,
  phantomFile,
  stageCase,
  temporaryFolder,
} from '../support/case.ts';
import { imageKey, jobEvent, labelKey, World } from './world.ts';

const { image, label } = phantomFile({ seed: 2, columns: 24, rows: 20, slices: 8 });

describe('the functions and jobs of a site', () => {
  /** A site at which one case is segmented and reported. */
  let site: World;
  let runId: string;
  let logs: string[];
  beforeAll(async () => {
    site = await World.open();
    runId = await site.segmented(imageKey('c1.nii'), image);
    logs = [...site.logs];
  });
  const open = () => new World(site.bucket.copy());

  it('make the mask and the CAM that the stages make on a laptop, byte for byte', async () => {
    const local = new DirStore(await temporaryFolder());
    const runtime = await openTinyRuntime();
    const { keys } = await stageCase(image, await openTinyBundle(), runtime, local);
    await runtime.close();
    const prefix = cloudKeys.runPrefix('liver', 'c1', runId);
    const mask = await site.store.get(`${prefix}/mask.nii.gz`);
    expect(Buffer.from(mask)).toEqual(Buffer.from(await local.get(keys.mask)));
    const cam = await site.store.get(`${prefix}/cam.nii.gz`);
    expect(Buffer.from(cam)).toEqual(Buffer.from(await local.get(keys.cam)));
  });

  it('measure the organ as a laptop does, and do without an image that is gone', async () => {
    const local = new DirStore(await temporaryFolder());
    const runtime = await openTinyRuntime();
    const bundle = await openTinyBundle();
    const staged = await stageCase(image, bundle, runtime, local);
    await runtime.close();
    const { measures } = await reportCase(
      {
        ...staged,
        bundle,
        label: undefined,
        openImage: async () => ({ source: once(image) }),
        provenance: provenance(staged.assembled.backend),
        peakMemoryMiB: null,
      },
      { store: local },
    );
    const report = await site.latestReport('c1');
    expect(measures?.[0]?.inside?.voxels).toBeGreaterThan(0);
    expect(report).toMatchObject({ measures, measuresFault: null });

    const world = open();
    const { key } = (await world.upload(imageKey('c2.nii'), image)).detail.object;
    await world.ingest(world.created(key));
    const run = await world.runJobs();
    await world.store.removeVersion(key, world.bucket.versionOf(key)!);
    await world.report(run);
    expect(await world.latestReport('c2')).toMatchObject({
      status: 'segmented',
      measuresFault: { code: 'blob-missing' },
    });
  });

  it('account for the GPU time and carry the trace from upload to report', async () => {
    const jobs = await readJobRecords(site.store, runId);
    const seconds = jobs.reduce((sum, job) => sum + job.totalSeconds, 0);
    const { record } = (await readRun(site.store, runId))!;
    expect(jobs).toHaveLength(2);
    expect(record.cost?.gpuSeconds).toBeCloseTo(seconds, 9);
    expect(record.cost?.estimatedUsd).toBeCloseTo((seconds / 3600) * 0.5, 12);
    const account = await site.json(cloudKeys.account('liver', 'c1', runId));
    expect(account).toMatchObject({ traceId: record.traceId });
    const { traceId, cost } = record;
    expect(await site.latestReport('c1')).toMatchObject({ traceId, cost });
    const html = await site.store.get(`${cloudKeys.runPrefix('liver', 'c1', runId)}/report.html`);
    expect(Buffer.from(html).toString()).toContain(traceId);
    expect(logs.filter((line) => line.includes(record.traceId)).length).toBeGreaterThan(1);
    expect(logs.some((line) => line.includes('c1.nii'))).toBe(false);
  });

  it('count a run once, however often its end is announced', async () => {
    const world = open();
    world.bucket.requests();
    expect(await world.report(runId)).toEqual(['DuplicateEvents']);
    expect(world.bucket.requests()).toEqual(['HeadObject']);
  });

  it('compare with a label once, however often it is announced', async () => {
    const world = open();
    const event = await world.upload(labelKey('c1.nii'), label);
    expect(await world.label(event)).toContain('LabelsCompared');
    world.bucket.requests();
    expect(await world.label(event)).toEqual(['DuplicateEvents']);
    expect(world.bucket.requests()).toEqual(['HeadObject']);
  });

  it('do nothing again in a job whose slabs are done', async () => {
    const world = open();
    const jobs = await readJobRecords(world.store, runId);
    world.jobs.push(...site.jobs);
    await world.runJobs();
    expect(await readJobRecords(world.store, runId)).toEqual(jobs);
  });

  it('stop between slabs when the instance is taken away', async () => {
    const world = open();
    await world.ingest(await world.upload(imageKey('c2.nii'), image));
    const stopped = await world.runJobs(AbortSignal.abort());
    expect(world.bucket.keys(`work/${stopped}/work/masks/`)).toEqual([]);
    await expect(world.report(stopped)).rejects.toMatchObject({ code: 'slab-missing' });
  });

  it.each([
    ['before', 'c2'],
    ['after', 'c1'],
  ])('compare with a label that comes %s the image', async (when, caseId) => {
    const world = open();
    await world.label(await world.upload(labelKey(`${caseId}.nii`), label));
    if (when === 'before') await world.segmented(imageKey(`${caseId}.nii`), image);
    const report = await world.latestReport(caseId);
    const comparison = { labelName: `${caseId}.nii` };
    expect(report).toMatchObject({ status: 'segmented', comparison });
  });

  it('keep the mask when the label cannot be compared', async () => {
    const world = open();
    const event = await world.upload(labelKey('c1.nii'), label.subarray(0, 500));
    expect(await world.label(event)).toContain('label-not-compared');
    const report = await world.latestReport('c1');
    expect(report).toMatchObject({ status: 'segmented', comparison: null });
    expect(await world.state(runId)).toBe('reported');
  });

  it('point to the newest upload, in whatever order runs end', async () => {
    const world = open();
    await world.ingest(await world.upload(imageKey('c1.nii'), image, '2025-01-01T00:00:00Z'));
    const oldRun = await world.runJobs();
    await world.report(oldRun);
    expect((await world.latestReport('c1')).runId).toBe(runId);
    expect(await world.state(oldRun)).toBe('reported');
  });

  it('report a job that failed for good, but not after it was reported', async () => {
    const world = open();
    await world.ingest(await world.upload(imageKey('c2.nii'), image));
    const { runId: failing } = world.submitted[0]!;
    const end = jobEvent(failing, 'FAILED', 'OutOfMemoryError: Container killed');
    expect(await world.fail(end)).toContain('CasesFailed');
    expect(await world.latestReport('c2')).toMatchObject({
      status: 'failed',
      stage: 'segment',
      fault: { code: 'job-failed', found: 'OutOfMemoryError: Container killed' },
    });
    expect(await world.fail(end)).toEqual(['DuplicateEvents']);
    expect(await world.fail(jobEvent(runId, 'FAILED'))).toEqual(['DuplicateEvents']);
    expect(await world.latestReport('c1')).toMatchObject({ status: 'segmented' });
  });

  it('report an image that came before there was a bundle', async () => {
    const world = new World();
    world.coldStart();
    const event = await world.upload(imageKey('c1.nii'), image);
    await expect(world.ingest(event)).rejects.toMatchObject({ code: 'no-bundle-at-site' });
    await world.fail(event);
    const report = await world.latestReport('c1');
    expect(report).toMatchObject({ stage: 'split', fault: { code: 'no-bundle-at-site' } });
  });
});
