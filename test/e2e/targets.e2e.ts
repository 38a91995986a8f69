import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3Store } from '../../adapters/s3-store.ts';
import { silentProgress } from '../../cli/progress.ts';
import { fetchCases } from '../../cli/site/fetch.ts';
import { openSite } from '../../cli/site/open-site.ts';
import { promoteBundle } from '../../cli/site/promote.ts';
import { type RegisteredBundle, registerBundle } from '../../cli/site/register.ts';
import { submitCases } from '../../cli/site/submit.ts';
import type { CaseReport } from '../../core/contract/report.ts';
import { TargetsReport } from '../../core/contract/targets.ts';
import { encodePhantom, phantomCase } from '../../phantom/phantom.ts';
import { readActive } from '../../site/bundles.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { blindBundle, bundleOf } from '../support/bundles.ts';
import { TINY_BUNDLE } from '../support/case.ts';
import { measured, until } from './cases.ts';
import type { Deployment } from './deployment.ts';
import { type Emulator, ROOT } from './emulator.ts';
import { closeWorld, openWorld } from './world.ts';

const run = promisify(execFile);

/** As on the laptop: a graph rounds otherwise where it sees other slices together. */
const SLICES_PER_SLAB = 8;

const SETTINGS = {
  compute: { vcpusPerJob: 1, slicesPerSlab: SLICES_PER_SLAB },
  targets: { spleen: 'active' },
  evaluation: { canaryCases: 0, promotion: { minimumPatients: 2 } },
};

let work: string;
let emulator: Emulator;
let deployment: Deployment;
let west: S3Store;
/** Of the spleen: one that finds none, active from the beginning, and one that finds some. */
let blind: RegisteredBundle;
let seeing: RegisteredBundle;

beforeAll(async () => {
  ({ work, emulator, deployment } = await openWorld());
  await deployment.deploy('west', SETTINGS);
  await emulator.checkPermissions(true);
  west = await openSite('west', {});
  await registerBundle(west, TINY_BUNDLE, { activate: true });
  const folder = path.join(work, 'spleen');
  await bundleOf(folder, { target: 'spleen', windowHu: [-100, 300] });
  blind = await registerBundle(west, await blindBundle(path.join(work, 'blind'), folder), {
    activate: true,
  });
  seeing = await registerBundle(west, folder, { activate: false });
  await writeFile(
    path.join(work, 'dataset.json'),
    // The drawn liver's lesions stand for a spleen that the tiny bundle can find some of.
    JSON.stringify({ labels: { background: 0, liver: 2, spleen: 1 } }),
  );
});

afterAll(closeWorld);

const BUNDLES = ['--bundle', TINY_BUNDLE, '--bundle'];

/** Small, with a label of both. */
async function submit(name: string, seed: number): Promise<{ image: string; label: string }> {
  const { ct, label } = encodePhantom(phantomCase({ seed, columns: 64, rows: 64, slices: 16 }));
  const files = {
    image: path.join(work, `${name}.nii.gz`),
    label: path.join(work, `${name}_label.nii.gz`),
  };
  await writeFile(files.image, gzipSync(ct));
  await writeFile(files.label, gzipSync(label));
  await submitCases(west, [files.image], { dataset: 'liver', label: files.label }, silentProgress);
  return files;
}

/** The joined report of a case whose targets have all ended. */
const joined = (caseId: string): Promise<TargetsReport> =>
  until(`the joined report of ${caseId}`, async () => {
    const found = await west.getTagged(`${cloudKeys.case('liver', caseId)}/report.json`);
    const report = found && TargetsReport.parse(JSON.parse(Buffer.from(found.body).toString()));
    return report?.pending === undefined ? report : undefined;
  });

const ofTarget = ({ targets }: TargetsReport, name: string): CaseReport =>
  targets.find(({ target }) => target === name)!.report;

describe('a deployed site with two targets', () => {
  it('makes of an upload what a laptop makes of it with both bundles', async () => {
    const { image, label } = await submit('both', 1);
    const report = await joined('both');
    expect(report.targets.map(({ target }) => target)).toEqual(['liver', 'spleen']);

    const out = path.join(work, 'local');
    const words = ['run', image, '--label', label, '--out', out, '--threads', '1', '--quiet'];
    const more = [
      '--slices-per-job',
      String(SLICES_PER_SLAB),
      ...BUNDLES,
      path.join(work, 'blind'),
    ];
    await run('node', [path.join(ROOT, 'cli', 'bin.mjs'), ...words, ...more]);
    const fetched = path.join(work, 'fetched');
    await fetchCases(west, { dataset: 'liver', out: fetched }, silentProgress);
    const read = (folder: string, file: string) => readFile(path.join(folder, 'both', file));
    const local = TargetsReport.parse(JSON.parse((await read(out, 'report.json')).toString()));
    for (const target of ['liver', 'spleen']) {
      const mask = `${target}/mask.nii.gz`;
      expect(await read(fetched, mask)).toEqual(await read(out, mask));
      const [here, there] = [ofTarget(local, target), ofTarget(report, target)];
      if (here.status !== 'segmented' || there.status !== 'segmented')
        throw new Error(`${target}: ${here.status} here, ${there.status} there`);
      expect(measured(there)).toEqual(measured(here));
      expect(there.comparison?.labelMeaning).toContain('dataset.json');
      expect(there.cost?.gpuSeconds).toBeGreaterThan(0);
    }
    const page = await west.get(`${cloudKeys.case('liver', 'both')}/report.html`);
    expect(Buffer.from(page).toString()).toContain('id="target-');
  });

  it("lets the gate decide on a target's candidate, and leaves the main bundle alone", async () => {
    await submit('second', 2);
    await joined('second');
    const main = await west.get(cloudKeys.activeBundle);
    const { active } = await readActive(west, 'spleen');
    expect(active?.digest).toBe(blind.digest);
    const gate = { dataset: 'liver', wait: true };
    const { decision } = await promoteBundle(west, seeing.prefix, gate, silentProgress);
    expect(decision).toMatchObject({
      promoted: true,
      candidate: { digest: seeing.digest },
      incumbent: { digest: blind.digest },
    });
    expect((await readActive(west, 'spleen')).active?.digest).toBe(seeing.digest);
    expect(await west.get(cloudKeys.activeBundle)).toEqual(main);
  });

  it("delivers one where the other's bundle is damaged, and tells of that", async () => {
    const encoder = await west.get(`${seeing.prefix}/encoder.onnx`);
    await west.put(`${seeing.prefix}/encoder.onnx`, encoder.subarray(1));
    await submit('damaged', 3);
    const report = await joined('damaged');
    expect(ofTarget(report, 'liver').status).toBe('segmented');
    expect(ofTarget(report, 'spleen')).toMatchObject({
      status: 'failed',
      stage: 'segment',
      fault: { code: 'job-failed' },
    });
    const page = await west.get(`${cloudKeys.case('liver', 'damaged')}/report.html`);
    expect(Buffer.from(page).toString()).toContain('Not segmented');
  });
});
