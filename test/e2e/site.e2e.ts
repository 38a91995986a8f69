import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { BatchClient, DescribeJobQueuesCommand } from '@aws-sdk/client-batch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3Store } from '../../adapters/s3-store.ts';
import { silentProgress } from '../../cli/progress.ts';
import { fetchCases } from '../../cli/site/fetch.ts';
import { openSite } from '../../cli/site/open-site.ts';
import { registerBundle } from '../../cli/site/register.ts';
import { siteStatus } from '../../cli/site/status.ts';
import { submitCases } from '../../cli/site/submit.ts';
import { caseIdOf } from '../../core/dataset/case-id.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { readJobRecords, readRun } from '../../site/runs.ts';
import { TINY_BUNDLE } from '../support/case.ts';
import {
  caseReport,
  json,
  latest,
  localRun,
  maskOf,
  measured,
  phantom,
  readAll,
  realCt,
  segmented,
  until,
} from './cases.ts';
import type { Deployment } from './deployment.ts';
import { dicomTests } from './dicom-tests.ts';
import { type Emulator, emulatorPython } from './emulator.ts';
import { isolationTests } from './isolation-tests.ts';
import { privacyTests } from './privacy-tests.ts';
import { trainingTests } from './training-tests.ts';
import { closeWorld, openWorld } from './world.ts';

const run = promisify(execFile);

/** What no log may hold: it stands for a patient's name in a file name. */
const PATIENT = 'Mueller-1957';

let work: string;
let emulator: Emulator;
let deployment: Deployment;
/** Small jobs: volumes become array jobs. Large jobs: volumes become plain jobs. */
let north: S3Store;
let south: S3Store;

beforeAll(async () => {
  ({ work, emulator, deployment } = await openWorld());
  const compute = { vcpusPerJob: 1, slicesPerSlab: 8 };
  await deployment.deploy('north', { compute: { ...compute, slicesPerJob: 16 } });
  await deployment.deploy('south', { compute: { ...compute, slicesPerJob: 512 } });
  await emulator.checkPermissions(true);
  [north, south] = await Promise.all([openSite('north', {}), openSite('south', {})]);
  for (const site of [north, south]) await registerBundle(site, TINY_BUNDLE, { activate: true });
});

afterAll(closeWorld);

describe('what was deployed', () => {
  it('is clean for cfn-lint', async () => {
    const templates = deployment.templates();
    const python = await emulatorPython();
    // By its interpreter: a script names the one of the folder in which it was installed.
    const lint = path.join(path.dirname(python), 'cfn-lint');
    const { stdout } = await run(python, [lint, '--', ...templates]);
    expect(templates).toHaveLength(2);
    expect(stdout.trim()).toBe('');
  });
});

describe('an upload becomes a mask and a report', () => {
  it('through an array job, with the label that came before it', async () => {
    const { image, label } = await phantom(work, 'array', 1);
    await submitCases(north, [image], { dataset: 'liver', label }, silentProgress);
    const { report, prefix } = await segmented(north, 'array');
    const local = await localRun(work, image, label);

    expect(await maskOf(north, prefix)).toEqual(local.mask);
    expect(measured(report)).toEqual(measured(local.report));
    const { record } = (await readRun(north, report.runId ?? ''))!;
    expect(record.job?.children).toBe(Math.ceil(report.slices.length / 16));
    expect(record.cost?.gpuSeconds).toBeGreaterThan(0);
    expect(report.cost).toEqual(record.cost);
    expect(report.traceId).toBe(record.traceId);
    expect([local.report.cost, local.report.traceId]).toEqual([null, null]);
  });

  it('through a plain job, with the label that came after it', async () => {
    const { image, label } = await phantom(work, 'plain', 2);
    await submitCases(south, [image], { dataset: 'liver' }, silentProgress);
    const first = await segmented(south, 'plain');
    expect(first.report.comparison).toBeNull();
    expect((await readRun(south, first.report.runId ?? ''))?.record.job?.children).toBe(1);

    await south.put(cloudKeys.incoming('liver', 'labels', 'plain.nii.gz'), await readFile(label));
    const local = await localRun(work, image, label);
    const again = await until('a comparison', async () => {
      const { report } = await segmented(south, 'plain');
      return report.comparison ? report : undefined;
    });
    expect(measured(again)).toEqual(measured(local.report));
    expect(await maskOf(south, first.prefix)).toEqual(local.mask);
  });

  it('under a key with spaces and a plus, without its name in any log', async () => {
    const { image } = await phantom(work, 'odd', 3);
    const name = `${PATIENT} a + b.nii.gz`;
    await south.put(`incoming/liver/images/${name}`, await readFile(image));
    const { report } = await segmented(south, caseIdOf(name));
    expect(report.input.name).toBe(name);
    const logs = await readAll(path.join(work, 'logs'));
    expect(logs).toContain(report.runId);
    expect(logs).not.toContain(PATIENT);
  });

  it('again as a new run when it is uploaded again, and downloads as the newest', async () => {
    const { image } = await phantom(work, 'again', 4);
    await submitCases(south, [image], { dataset: 'liver' }, silentProgress);
    const first = await segmented(south, 'again');
    await submitCases(south, [image], { dataset: 'liver' }, silentProgress);
    const second = await until('a second run', async () => {
      const found = await segmented(south, 'again');
      return found.report.runId === first.report.runId ? undefined : found;
    });
    expect(await maskOf(south, second.prefix)).toEqual(await maskOf(south, first.prefix));
    const out = path.join(work, 'fetched');
    const options = { dataset: 'liver', case: 'again', out };
    const [fetched] = await fetchCases(south, options, silentProgress);
    expect(fetched?.runId).toBe(second.report.runId);
    expect(await readFile(path.join(out, 'again', 'mask.nii.gz'))).toEqual(
      await maskOf(south, second.prefix),
    );
  });

  it.skipIf(realCt() === undefined)('from a real CT, as on a laptop', async () => {
    const image = realCt()!;
    await submitCases(south, [image], { dataset: 'liver' }, silentProgress);
    const caseId = path.basename(image).replace(/\.nii(\.gz)?$/, '');
    const { report, prefix } = await segmented(south, caseId);
    const local = await localRun(work, image);
    expect(await maskOf(south, prefix)).toEqual(local.mask);
    expect(measured(report)).toEqual(measured(local.report));
  });
});

describe('what goes wrong ends in a report', () => {
  it('quarantines an image that preflight refuses', async () => {
    const { image } = await phantom(work, 'truncated', 5);
    const bytes = await readFile(image);
    const key = cloudKeys.incoming('liver', 'images', 'truncated.nii.gz');
    await north.put(key, bytes.subarray(0, bytes.length / 2));
    const { runId } = await latest(north, 'truncated', 'failed');

    const reason = await json(north, cloudKeys.quarantineReason('liver', runId));
    expect(reason).toMatchObject({ imageKey: key, fault: { code: expect.any(String) } });
    const kept = await north.get(cloudKeys.quarantined('liver', runId, 'truncated.nii.gz'));
    expect(kept.length).toBe(Math.floor(bytes.length / 2));
    await until('the upload moved', async () => !(await north.stat(key)));
  });

  it('goes on after a spot reclaim from the slabs that are done', async () => {
    const { image } = await phantom(work, 'reclaimed', 6);
    await writeFile(path.join(work, 'reclaim'), '');
    await submitCases(south, [image], { dataset: 'liver' }, silentProgress);
    const { report, prefix } = await segmented(south, 'reclaimed');
    const jobs = await readJobRecords(south, report.runId ?? '');
    expect(jobs.map((job) => job.attempt)).toEqual([1, 2]);
    expect(jobs[1]?.slabsSkipped).toBe(jobs[0]?.slabsDone);
    expect(await maskOf(south, prefix)).toEqual((await localRun(work, image)).mask);
  });

  it('reports a job that fails for good, without another attempt', async () => {
    const { digest, prefix } = await registerBundle(north, TINY_BUNDLE, { activate: true });
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    const encoder = await north.get(`${prefix}/encoder.onnx`);
    await north.put(`${prefix}/encoder.onnx`, encoder.subarray(1));
    const { image } = await phantom(work, 'broken', 7);
    await submitCases(north, [image], { dataset: 'liver' }, silentProgress);
    const { runId } = await latest(north, 'broken', 'failed');
    const report = await caseReport(north, cloudKeys.runPrefix('liver', 'broken', runId));
    expect(report).toMatchObject({
      status: 'failed',
      stage: 'segment',
      fault: { code: 'job-failed' },
    });
    expect((await readRun(north, runId))?.record.state).toBe('failed');
    await north.put(`${prefix}/encoder.onnx`, encoder);
  });

  it('reports an image that no attempt could split', async () => {
    await north.remove(cloudKeys.activeBundle);
    const { image } = await phantom(work, 'early', 8);
    await submitCases(north, [image], { dataset: 'liver' }, silentProgress);
    const { runId } = await latest(north, 'early', 'failed');
    const report = await caseReport(north, cloudKeys.runPrefix('liver', 'early', runId));
    expect(report).toMatchObject({ stage: 'split', fault: { code: 'no-bundle-at-site' } });
    await registerBundle(north, TINY_BUNDLE, { activate: true });
  });

  it('counts it all', async () => {
    const { counts, estimatedUsd } = await siteStatus(north);
    expect(counts).toEqual({ reported: 1, quarantined: 1, failed: 2 });
    expect(estimatedUsd).toBeGreaterThan(0);
  });
});

dicomTests(() => ({ site: south, bucket: south.bucket, work }));

isolationTests(() => ({ emulator, own: north.bucket, other: south.bucket }));

privacyTests(() => ({ site: south, siteName: 'south', bucket: south.bucket, work, emulator }));

trainingTests(() => ({ site: north, work }));

describe('cdk destroy', () => {
  it('leaves the data and nothing that runs', async () => {
    await emulator.checkPermissions(false);
    await deployment.destroy('north');
    await deployment.destroy('south');
    const { jobQueues } = await new BatchClient({}).send(new DescribeJobQueuesCommand({}));
    expect(jobQueues).toEqual([]);
    const { report } = await segmented(north, 'array');
    expect(report.status).toBe('segmented');
  });
});
