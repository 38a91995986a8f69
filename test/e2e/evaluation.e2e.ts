import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3Store } from '../../adapters/s3-store.ts';
import { EXIT } from '../../cli/exit-codes.ts';
import { silentProgress } from '../../cli/progress.ts';
import { openSite } from '../../cli/site/open-site.ts';
import { exitCodeOf, promoteBundle } from '../../cli/site/promote.ts';
import { recordCanary } from '../../cli/site/record-canary.ts';
import { registerBundle } from '../../cli/site/register.ts';
import { rollBack } from '../../cli/site/rollback.ts';
import { submitCases } from '../../cli/site/submit.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { encodePhantom, phantomCase } from '../../phantom/phantom.ts';
import { readActive } from '../../site/bundles.ts';
import { CANARY_DATASET, canaryCase, canarySeeds } from '../../site/contract/canary.ts';
import { EvaluationPlan, type PlannedCase } from '../../site/contract/evaluation.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { JobRecord } from '../../site/contract/runs.ts';
import { plannedCases } from '../../site/evaluation/records.ts';
import { readEvaluation, readLatestEvaluation } from '../../site/evaluation/rows.ts';
import { readLatest } from '../../site/runs.ts';
import { blindBundle } from '../support/bundles.ts';
import { TINY_BUNDLE } from '../support/case.ts';
import { latest, until } from './cases.ts';
import type { Deployment } from './deployment.ts';
import type { Emulator } from './emulator.ts';
import { closeWorld, openWorld } from './world.ts';

/** Stands for a patient's name in file names. */
const PATIENT = 'Schmidt-1961';
const CASES = 4;
const EMAIL = 'ops@example.org';
const SETTINGS = {
  alarmEmail: EMAIL,
  compute: { vcpusPerJob: 1, slicesPerSlab: 4 },
  evaluation: { casesPerJob: 2, canaryCases: 1, promotion: { minimumPatients: 3 } },
};

let work: string;
let emulator: Emulator;
let deployment: Deployment;
let east: S3Store;

beforeAll(async () => {
  ({ work, emulator, deployment } = await openWorld());
  await deployment.deploy('east', SETTINGS);
  await emulator.checkPermissions(true);
  east = await openSite('east', {});
});

afterAll(closeWorld);

describe('the evaluations of a deployed site', () => {
  it('begin with labelled cases that no bundle has seen', async () => {
    for (let seed = 1; seed <= CASES; seed++) {
      const { image, label } = await phantom(seed);
      await submitCases(east, [image], { dataset: 'liver', label }, silentProgress);
    }
    for (let seed = 1; seed <= CASES; seed++) await latest(east, caseOf(seed), 'failed');
  });

  it('have a canary that flies after the first activation', async () => {
    await recordCanary(east, TINY_BUNDLE, 1);
    await registerBundle(east, TINY_BUNDLE, { activate: true });
    await until('a verdict on the canary', async () => (await canaryVerdicts()).length === 1);
    expect(await canaryVerdicts()).toEqual(['as-before']);
  });

  it('run when their schedule fires, on jobs of two cases, through a spot reclaim', async () => {
    await writeFile(path.join(work, 'reclaim'), '');
    await writeFile(path.join(work, 'fire'), 'sammix-east');
    const { evaluationId: id } = await until('an evaluation', () =>
      readLatestEvaluation(east, 'liver'),
    );
    const evaluation = (await readEvaluation(east, 'liver', id))!;
    expect(evaluation.counts).toMatchObject({ compared: CASES, failed: 0 });
    const plan = fromJsonBytes(
      EvaluationPlan,
      await east.get(cloudKeys.evaluationPlan('liver', id)),
    );
    const planned: PlannedCase[] = [];
    for await (const one of plannedCases(east, plan)) planned.push(one);
    expect(planned.map(({ work: one }) => one)).toEqual(Array(CASES).fill('compute'));
    const jobs = await jobsOf(id);
    expect([...new Set(jobs.map(({ index }) => index))].sort()).toEqual([0, 1]);
    expect(jobs.some(({ attempt }) => attempt === 2)).toBe(true);
    // All scans have as many slabs: what the first attempt did was not done again, wherever it was stopped.
    const slabsPerCase = [0, 1].map((child) => {
      const done = jobs.filter(({ index }) => index === child).map(({ slabsDone }) => slabsDone);
      return (
        done.reduce((sum, slabs) => sum + slabs, 0) /
        planned.filter((one) => one.child === child).length
      );
    });
    expect(slabsPerCase[0]).toBeGreaterThan(0);
    expect(slabsPerCase[0]).toBe(slabsPerCase[1]);
    const page = await east.get(cloudKeys.evaluationFile('liver', id, 'evaluation.html'));
    expect(Buffer.from(page).toString()).toContain(caseOf(1));
  });

  it('refuse a worse candidate', async () => {
    const before = await readActive(east);
    const folder = await blindBundle(path.join(work, 'blind'));
    const { prefix } = await registerBundle(east, folder, { activate: false });
    const { decision } = await promote(prefix);
    expect(decision?.promoted).toBe(false);
    expect(exitCodeOf({ decision })).toBe(EXIT.refused);
    expect(decision?.reasons.map(({ code }) => code)).toContain('difference-not-above-margin');
    expect(await readActive(east)).toEqual(before);
  });

  it('promote a better one, without computing anything again', async () => {
    const { digest: tiny, prefix } = await registerBundle(east, TINY_BUNDLE, { activate: false });
    const forced = await registerBundle(east, path.join(work, 'blind'), {
      activate: false,
      force: 'the end-to-end test begins with the worse one',
    });
    const { decision, evaluationId: id } = await promote(prefix);
    expect(decision?.reasons).toMatchObject([{ code: 'passed' }]);
    const { active } = await until('the activation', async () => {
      const state = await readActive(east);
      return state.active?.digest === tiny && state;
    });
    expect(active?.before[0]?.digest).toBe(forced.digest);
    expect(await jobsOf(id)).toEqual([]);
  });

  it('can be undone by one command', async () => {
    const { to } = await rollBack(east, 'to show that it can');
    expect((await readActive(east)).active?.prefix).toBe(to);
    expect(to).toContain('blind');
  });

  it('are told by e-mail, in numbers and without a name', async () => {
    const mail = await until('the e-mail of the promotion', async () => {
      const text = await readFile(path.join(work, 'logs', 'mail', `${EMAIL}.log`), 'utf8');
      return text.includes('bundle promoted') && text;
    });
    const subjects = mail
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).subject as string);
    for (const subject of ['evaluation of liver', 'bundle refused', 'bundle promoted'])
      expect(subjects).toContain(`sammix east: ${subject}`);
    expect(mail).not.toContain(PATIENT);
  });

  it('fly the canary again after the next deployment', async () => {
    const run = await canaryRun();
    await emulator.checkPermissions(false);
    const compute = {
      ...SETTINGS.compute,
      gpuPrices: { 'g4dn.xlarge': { onDemand: 0.7, spot: 0.3 } },
    };
    await deployment.redeploy('east', { ...SETTINGS, compute });
    await emulator.checkPermissions(true);
    await until('another canary', async () => (await canaryRun()) !== run);
  });
});

const caseOf = (seed: number): string => `${PATIENT}-${seed}`;

async function phantom(seed: number): Promise<{ image: string; label: string }> {
  const { ct, label } = encodePhantom(phantomCase({ seed, columns: 96, rows: 96, slices: 12 }));
  const files = {
    image: path.join(work, `${caseOf(seed)}.nii.gz`),
    label: path.join(work, `${caseOf(seed)}_label.nii.gz`),
  };
  await writeFile(files.image, gzipSync(ct));
  await writeFile(files.label, gzipSync(label));
  return files;
}

const promote = (prefix: string) =>
  promoteBundle(east, prefix, { dataset: 'liver', wait: true }, silentProgress);

async function jobsOf(id: string): Promise<JobRecord[]> {
  const jobs: JobRecord[] = [];
  for await (const { key } of east.list(cloudKeys.evaluationJobs(id)))
    jobs.push(fromJsonBytes(JobRecord, await east.get(key)));
  return jobs;
}

const CANARY = canaryCase(canarySeeds(1)[0]!);

const canaryRun = async (): Promise<string | undefined> =>
  (await readLatest(east, CANARY_DATASET, CANARY))?.runId;

/** From the log of the deployed function. */
async function canaryVerdicts(): Promise<string[]> {
  const folder = path.join(work, 'logs', 'lambda');
  const files = (await readdir(folder)).filter((file) => file.includes('Canary'));
  const texts = await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')));
  return texts
    .join('\n')
    .split('\n')
    .flatMap((line) => {
      const [, verdict] =
        /"event":"canary","runId":"[0-9a-f]+","reason":"([a-z-]+)"/.exec(line) ?? [];
      return verdict === undefined ? [] : [verdict];
    });
}
