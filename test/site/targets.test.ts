import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentProgress } from '../../cli/progress.ts';
import { fetchCases } from '../../cli/site/fetch.ts';
import { promoteBundle } from '../../cli/site/promote.ts';
import { registerBundle } from '../../cli/site/register.ts';
import { rollBack } from '../../cli/site/rollback.ts';
import { siteStatus, statusText } from '../../cli/site/status.ts';
import { viewSite } from '../../cli/site/view.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { RunSummary } from '../../core/contract/summary.ts';
import { TargetsReport } from '../../core/contract/targets.ts';
import { StorageError } from '../../core/errors.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { activeFor, readActive } from '../../site/bundles.ts';
import { cloudKeys, cloudRunKeys } from '../../site/contract/keys.ts';
import { readTargetBundles } from '../../site/doctor/results.ts';
import { readLatestEvaluation } from '../../site/evaluation/rows.ts';
import { readLatest, readRun } from '../../site/runs.ts';
import { bundleOf } from '../support/bundles.ts';
import { phantomFile, temporaryFolder } from '../support/case.ts';
import type { MemoryBucket } from '../support/memory-bucket.ts';
import { EvaluationWorld, SIZE } from './evaluation-world.ts';
import { imageKey, jobEvent, labelKey } from './world.ts';

const { image, label } = phantomFile({ seed: 2, ...SIZE });
const SPLEEN = { SAMMIX_TARGETS: '{"spleen": "active"}' };

let folder: string;
let spleen: string;
let before: MemoryBucket;

/** A site with two bundles, of which nothing is uploaded yet. */
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sammix-site-targets-'));
  spleen = await bundleOf(path.join(folder, 'spleen'), {
    target: 'spleen',
    windowHu: [-100, 300],
  });
  const world = await EvaluationWorld.open();
  expect(await registerBundle(world.store, spleen, { activate: true })).toMatchObject({
    target: 'spleen',
    active: true,
  });
  before = world.bucket;
});

afterAll(async () => {
  new EvaluationWorld().coldStart();
  await rm(folder, { recursive: true });
});

class TargetsWorld extends EvaluationWorld {
  /** The runs of an upload, by their targets. */
  runs: { liver: string; spleen: string } = { liver: '', spleen: '' };

  static with(bucket = before.copy()): TargetsWorld {
    const world = new TargetsWorld(bucket);
    world.coldStart(SPLEEN);
    return world;
  }

  async take(file = 'c1.nii', time?: string): Promise<void> {
    const first = this.submitted.length;
    await this.ingest(await this.upload(imageKey(file), image, time));
    const [liver = '', other = ''] = this.submitted.slice(first).map(({ runId }) => runId);
    this.runs = { liver, spleen: other };
  }

  async finish(target: 'liver' | 'spleen'): Promise<void> {
    await this.segment(this.runs[target]);
    await this.report(this.runs[target]);
  }

  async joined(caseId = 'c1'): Promise<TargetsReport> {
    return TargetsReport.parse(await this.json(`${cloudKeys.case('liver', caseId)}/report.json`));
  }

  async reportOf(target: 'liver' | 'spleen'): Promise<CaseReport> {
    const keys = cloudRunKeys('liver', 'c1', this.runs[target]);
    return CaseReport.parse(await this.json(keys.report));
  }
}

const named = ({ targets }: TargetsReport): string[] =>
  targets.map(({ target, report }) => `${target} ${report.status}`);

describe('a site with two targets', () => {
  let done: TargetsWorld;
  beforeAll(async () => {
    done = TargetsWorld.with();
    await done.take();
    await done.finish('spleen');
    expect(await done.joined()).toMatchObject({ pending: ['liver'] });
    await done.finish('liver');
  });
  const open = (): TargetsWorld => {
    const world = TargetsWorld.with(done.bucket.copy());
    world.runs = done.runs;
    return world;
  };

  it('makes a run of its own for each, and joins their reports', async () => {
    const joined = await done.joined();
    expect(named(joined)).toEqual(['liver segmented', 'spleen segmented']);
    expect(joined).not.toHaveProperty('pending');
    expect(joined.targets.map((one) => one.folder)).toEqual([done.runs.liver, done.runs.spleen]);
    const [first, second] = await Promise.all(
      (['liver', 'spleen'] as const).map((target) =>
        done.store.get(cloudRunKeys('liver', 'c1', done.runs[target]).mask),
      ),
    );
    expect(Buffer.from(first!).equals(Buffer.from(second!)), 'another window').toBe(false);
    const page = await done.store.get(`${cloudKeys.case('liver', 'c1')}/report.html`);
    expect(Buffer.from(page).toString()).toContain(`href="${done.runs.spleen}/report.html"`);
    const { record } = (await readRun(done.store, done.runs.spleen))!;
    expect(record).toMatchObject({ target: 'spleen', targets: ['liver', 'spleen'] });
  });

  it('finds both done when the upload is announced again', async () => {
    const world = open();
    for (const key of world.bucket.keys('runs/handled/')) await world.store.remove(key);
    const jobs = world.submitted.length;
    await world.ingest(world.created(imageKey('c1.nii')));
    expect(world.submitted).toHaveLength(jobs);
    expect(await world.report(world.runs.spleen)).toEqual(['DuplicateEvents']);
  });

  it('compares each with its own class of one label', async () => {
    const world = open();
    const names = { labels: { background: 0, spleen: 1 } };
    await world.label(await world.upload(labelKey('c1.nii'), label));
    expect(await world.reportOf('liver')).toMatchObject({ comparison: { labelName: 'c1.nii' } });
    expect(await world.reportOf('spleen')).toMatchObject({ comparison: null });
    await world.store.put(cloudKeys.datasetJson('liver'), Buffer.from(JSON.stringify(names)));
    await world.label(await world.upload(labelKey('c1.nii'), label, '2026-01-02T00:00:00Z'));
    expect(await world.reportOf('spleen')).toMatchObject({
      comparison: { labelMeaning: 'label 1 of 0-2 (dataset.json)' },
    });
    const { targets } = await world.joined();
    expect(targets[1]?.report).toEqual(await world.reportOf('spleen'));
  });

  it('lays them out as a laptop does where they are fetched, and shows both', async () => {
    const out = await temporaryFolder();
    const fetched = await fetchCases(done.store, { dataset: 'liver', out }, silentProgress);
    expect(fetched.map(({ target, status }) => [target, status])).toEqual([
      ['liver', 'segmented'],
      ['spleen', 'segmented'],
    ]);
    const file = (name: string) => readFile(path.join(out, 'c1', name));
    const joined = fromJsonBytes(TargetsReport, await file('report.json'));
    expect(joined.targets.map((one) => one.folder)).toEqual(['liver', 'spleen']);
    const mask = await done.store.get(cloudRunKeys('liver', 'c1', done.runs.spleen).mask);
    expect(await file('spleen/mask.nii.gz')).toEqual(Buffer.from(mask));

    const page = { html: Buffer.from('x'), sha256: 'a'.repeat(64), contentSecurityPolicy: '' };
    const { cases } = await viewSite(done.store, page, ['c1'], { dataset: 'liver', minutes: 5 });
    expect(cases).toEqual(['c1, liver', 'c1, spleen']);
  });

  it('tells of both in summary and status', async () => {
    const world = open();
    await world.summarise();
    const summary = RunSummary.parse(await world.json(cloudKeys.summary('liver', 'summary.json')));
    expect(summary.cases.map(({ target }) => target).sort()).toEqual(['liver', 'spleen']);
    expect(summary.targets?.map(({ target }) => target)).toEqual(['liver', 'spleen']);
    await world.take('c2.nii');
    const status = await siteStatus(world.store);
    expect(status.bundles).toHaveLength(2);
    expect(statusText(status)).toContain('liver/c2, spleen');
  });

  it('shows no results of two versions of an image together', async () => {
    const world = open();
    const old = world.runs;
    await world.take('c1.nii', '2026-01-02T00:00:00Z');
    await world.finish('spleen');
    expect(await world.joined()).toMatchObject({ pending: ['liver'], targets: [{}] });
    // The end of an older upload's run that comes late changes nothing.
    world.runs = { ...old, spleen: world.runs.spleen };
    const joined = await world.joined();
    expect(joined.targets.map((one) => one.folder)).toEqual([world.runs.spleen]);
  });
});

describe('the failure of one target', () => {
  it('is told, and the other is delivered', async () => {
    const world = TargetsWorld.with();
    await world.take();
    await world.fail(jobEvent(world.runs.spleen, 'FAILED', 'Essential container exited'));
    await world.finish('liver');
    const joined = await world.joined();
    expect(named(joined)).toEqual(['liver segmented', 'spleen failed']);
    expect(joined.targets[1]?.report).toMatchObject({ fault: { code: 'job-failed' } });
    expect(joined.liverToSpleen).toBeUndefined();
    const page = await world.store.get(`${cloudKeys.case('liver', 'c1')}/report.html`);
    expect(Buffer.from(page).toString()).toContain('Essential container exited');
    await world.summarise();
    const summary = RunSummary.parse(await world.json(cloudKeys.summary('liver', 'summary.json')));
    const row = summary.cases.find(({ target }) => target === 'spleen');
    expect(row).toMatchObject({ status: 'failed', volumeMl: null, dice: null });
  });

  it.each([
    ['has no bundle', () => {}, 'no-bundle-at-site'],
    [
      'has the bundle of another',
      async (world: TargetsWorld) => {
        const { active } = await readActive(world.store);
        world.coldStart({ SAMMIX_TARGETS: JSON.stringify({ kidney: active!.prefix }) });
      },
      'bundle-of-another-target',
    ],
  ])('that %s: the other is split at once', async (_, prepare, code) => {
    const world = new TargetsWorld(before.copy());
    world.coldStart({ SAMMIX_TARGETS: '{"kidney": "active"}' });
    await prepare(world);
    const event = await world.upload(imageKey('c1.nii'), image);
    await expect(world.ingest(event)).rejects.toMatchObject({ code });
    expect(world.submitted).toHaveLength(1);
    // As often as the queue brings the message back.
    await expect(world.ingest(event)).rejects.toMatchObject({ code });
    expect(world.submitted).toHaveLength(1);
    await world.fail(event);
    const setting = JSON.parse(process.env.SAMMIX_TARGETS ?? '{}');
    const [doctor] = await readTargetBundles(world.store, { bundle: 'active', targets: setting });
    expect(doctor).toMatchObject({ target: 'kidney', fault: expect.stringContaining('found') });
    world.runs = { liver: world.submitted[0]!.runId, spleen: '' };
    await world.finish('liver');
    expect(named(await world.joined())).toEqual(['liver segmented', 'kidney failed']);
  });

  it('is that of every target where the image is no scan', async () => {
    const world = TargetsWorld.with();
    await world.ingest(await world.upload(imageKey('c1.nii'), image.subarray(0, 2000)));
    expect(world.submitted).toHaveLength(0);
    expect(named(await world.joined())).toEqual(['liver failed', 'spleen failed']);
    expect(world.bucket.keys('quarantine/').filter((key) => key.endsWith('c1.nii'))).toHaveLength(
      1,
    );
    expect(world.bucket.keys('incoming/')).toEqual([]);
  });
});

const silence = (key: string): StorageError =>
  new StorageError({
    code: 'storage-silent',
    subject: key,
    expected: 'an answer',
    found: 'none',
    remedy: 'Try again.',
  });

describe('the gate of a further target', () => {
  it('sets a candidate against the active bundle of its own target, and leaves the main one alone', async () => {
    const world = TargetsWorld.with();
    const names = { labels: { background: 0, spleen: 1 } };
    await world.store.put(cloudKeys.datasetJson('liver'), Buffer.from(JSON.stringify(names)));
    await world.addCases(1, 2);
    const active = (target?: string) =>
      readActive(world.store, target).then((state) => state.active?.digest);
    const [main, own] = [await active(), await active('spleen')];
    const other = await bundleOf(path.join(folder, 'other'), {
      target: 'spleen',
      windowHu: [-160, 240],
    });
    const { prefix, digest } = await registerBundle(world.store, other, { activate: false });
    const asked = await promoteBundle(
      world.store,
      prefix,
      { dataset: 'liver', wait: false },
      silentProgress,
    );
    await world.deliver(
      'evaluate-start',
      world.created(cloudKeys.evaluationRequest(asked.evaluationId)),
    );
    await world.finishAll();
    const decision = await world.json(asked.decisionKey);
    expect(decision).toMatchObject({ candidate: { digest }, incumbent: { digest: own } });
    expect(await active()).toBe(main);

    await registerBundle(world.store, other, { activate: true, force: 'a test' });
    expect([await active(), await active('spleen')]).toEqual([main, digest]);
    expect(await rollBack(world.store, 'a test', 'spleen')).toMatchObject({ from: prefix });
    expect([await active(), await active('spleen')]).toEqual([main, own]);
    const latest = await readLatestEvaluation(world.store, 'liver', 'spleen');
    expect(latest?.bundleDigest).toBe(own);
    expect(await readLatestEvaluation(world.store, 'liver')).toBeUndefined();
  });

  it('keeps the main target for its organ while the main bundle is damaged or does not come', async () => {
    const world = TargetsWorld.with();
    const { active } = await readActive(world.store);
    const manifest = `${active!.prefix}/bundle.json`;
    await world.store.put(manifest, Buffer.from('{}'));
    expect(await activeFor(world.store, 'spleen')).toMatchObject({ target: 'spleen' });
    expect(await activeFor(world.store, 'liver')).toMatchObject({ target: undefined, active });
    const silent = Object.create(world.store) as typeof world.store;
    silent.getTagged = async (key) => {
      if (key === manifest) throw silence(key);
      return world.store.getTagged(key);
    };
    await expect(activeFor(silent, 'kidney')).rejects.toMatchObject({ code: 'storage-silent' });
  });

  it('measures on a schedule what names the target, from what its uploads have left', async () => {
    const world = TargetsWorld.with();
    await world.take();
    await world.finish('spleen');
    await world.label(await world.upload(labelKey('c1.nii'), label));
    expect(await world.evaluate({ target: 'spleen' }), 'of the liver').toEqual([]);
    const names = { labels: { background: 0, spleen: 1 } };
    await world.store.put(cloudKeys.datasetJson('liver'), Buffer.from(JSON.stringify(names)));
    await world.label(await world.upload(labelKey('c1.nii'), label, '2026-01-02T00:00:00Z'));
    const [id] = await world.evaluate({ target: 'spleen' });
    expect(world.shards, 'its report is there').toEqual([]);
    await world.ready(id!);
    const evaluation = await world.evaluation(id!);
    expect(evaluation.bundle?.target).toBe('spleen');
    expect(evaluation.counts.compared + evaluation.counts.missed).toBe(1);
  });
});

describe('a site with one target', () => {
  it('writes nothing of others', async () => {
    const world = new TargetsWorld(before.copy());
    world.coldStart();
    const runId = await world.segmented(imageKey('c1.nii'), image);
    const { record } = (await readRun(world.store, runId))!;
    expect(record).not.toHaveProperty('targets');
    expect(await readLatest(world.store, 'liver', 'c1')).not.toHaveProperty('of');
    expect(world.bucket.keys('cases/liver/c1/').filter((key) => !key.includes(runId))).toEqual([
      cloudKeys.latest('liver', 'c1'),
    ]);
  });
});
