import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { caseOf, type PurgeOptions, purge } from '../../cli/site/purge.ts';
import type { FoundJob } from '../../site/batch.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { phantomFile } from '../support/case.ts';
import type { MemoryBucket } from '../support/memory-bucket.ts';
import { EvaluationWorld } from './evaluation-world.ts';
import { endOfJob, imageKey, jobEvent, labelKey, type World } from './world.ts';

const PLANTED = 'Planted-1957';
const NEIGHBOUR = `${PLANTED}0`;
const FILE = `${PLANTED}.nii`;
const SIZE = { columns: 24, rows: 20, slices: 8 };
const planted = phantomFile({ seed: 1, ...SIZE });
const other = phantomFile({ seed: 2, ...SIZE });

/** The case's name, and not that of its neighbour. */
const NAME = new RegExp(`${PLANTED}(?!0)`);

/** Keys of all versions of all objects, by name or content, in which the case can be read. */
function naming(bucket: MemoryBucket): string[] {
  const found = bucket.everything().filter(({ key, body }) => {
    const bytes = key.endsWith('.gz') ? gunzipSync(body) : body;
    return NAME.test(key) || NAME.test(Buffer.from(bytes).toString('latin1'));
  });
  return [
    ...new Set([
      ...found.map(({ key }) => key),
      ...bucket.everyKey().filter((key) => NAME.test(key)),
    ]),
  ];
}

type Options = { readonly [Name in keyof PurgeOptions]?: PurgeOptions[Name] | undefined };

const purging = (world: World, options: Options = {}) => {
  const told: string[] = [];
  const slept: number[] = [];
  const jobs = {
    find: async (ids: readonly string[]) =>
      new Map(
        ids.flatMap((id) =>
          world.batchJobs.has(id) ? [[id, world.batchJobs.get(id) as FoundJob] as const] : [],
        ),
      ),
    terminate: async (id: string) => {
      world.terminated.push(id);
      world.batchJobs.set(id, { status: 'FAILED' });
    },
  };
  const ports = {
    store: world.store,
    jobs,
    sleep: async (ms: number) => {
      slept.push(ms);
      await new Promise((resolve) => setTimeout(resolve, ms));
    },
    tell: (line: string) => void told.push(line),
  };
  const wanted = {
    dataset: 'liver',
    case: PLANTED,
    trainingData: false,
    yes: true,
    quietSeconds: 0,
  };
  const all = { ...wanted, ...options } as PurgeOptions;
  const run = async () => purge(await caseOf(world.store, all), all, ports);
  return { run, told, slept };
};

/** A site on which the case was segmented twice, labelled, measured twice, refused once and summarised. */
async function lived(): Promise<EvaluationWorld> {
  const world = await EvaluationWorld.open();
  const patients = `case,patient\n${PLANTED},p1\n${NEIGHBOUR},p2\n`;
  await world.store.put(cloudKeys.patients('liver'), Buffer.from(`${patients}old,p3\n`));
  await world.store.put(cloudKeys.patients('liver'), Buffer.from(patients));
  for (const [name, { image, label }] of [
    [FILE, planted],
    [`${NEIGHBOUR}.nii`, other],
  ] as const) {
    await world.label(await world.upload(labelKey(name), label));
    await world.segmented(imageKey(name), image, '2026-01-01T00:00:00Z');
  }
  await world.segmented(imageKey(FILE), planted.image, '2026-01-02T00:00:00Z');
  await world.ingest(await world.upload(imageKey(FILE), planted.image.subarray(0, 2000)));
  await world.ingest(await world.upload(imageKey(FILE), planted.image));
  await world.runJobs();
  await world.report(world.submitted.at(-1)!.runId);
  await world.summarise();
  await world.summarise();
  for (const day of ['04', '11']) {
    await world.evaluate({ requestedAt: `2026-01-${day}T03:00:00Z` });
    await world.finishAll();
    for (const id of await evaluations(world, 'planned')) await world.ready(id).catch(() => []);
  }
  return world;
}

async function evaluations(world: World, which: 'planned' | 'done'): Promise<string[]> {
  const file = which === 'planned' ? '/plan.json' : '/evaluation.json';
  return world.bucket
    .keys('evaluations/liver/')
    .filter((key) => key.endsWith(file))
    .map((key) => key.split('/')[2]!);
}

describe('sammix site purge', () => {
  let site: EvaluationWorld;
  let begun: MemoryBucket;
  beforeAll(async () => {
    site = await lived();
    begun = site.bucket.copy();
  }, 120_000);
  const world = () => new EvaluationWorld(begun.copy());

  it('has something to find: every kind of trace', () => {
    const folders = new Set(naming(begun).map((key) => key.split('/')[0]));
    expect([...folders].sort()).toEqual([
      'cases',
      'evaluations',
      'incoming',
      'quarantine',
      'runs',
      'summaries',
      'work',
    ]);
  });

  it('shows what there is and changes nothing, unless it is told to', async () => {
    const at = world();
    const before = JSON.stringify(at.bucket.everyKey());
    const { text, exitCode } = await purging(at, { yes: false }).run();
    expect(exitCode).toBe(0);
    expect(text).toMatch(/cases\/ +\d+ version/);
    expect(text).toContain('taken out of patients.csv');
    expect(text).toContain('nothing was changed');
    expect(JSON.stringify(at.bucket.everyKey())).toBe(before);
    expect(naming(at.bucket)).toEqual(naming(begun));
  });

  it('leaves no version of any object that names the case, and its neighbour untouched', async () => {
    const at = world();
    const { exitCode, text } = await purging(at).run();
    expect(naming(at.bucket)).toEqual([]);
    expect(text).toContain('a new listing finds nothing of it');
    expect(exitCode).toBe(0);
    expect((await at.latestReport(NEIGHBOUR)).status).toBe('segmented');
    const patients = Buffer.from(await at.store.get(cloudKeys.patients('liver'))).toString();
    expect(patients.trim().split(/\r?\n/)).toEqual(['case,patient', `${NEIGHBOUR},p2`]);
  });

  it('computes evaluations anew without the case, and says so in them', async () => {
    const at = world();
    const ids = await evaluations(at, 'done');
    expect(ids).toHaveLength(2);
    await purging(at).run();
    for (const id of ids) {
      const evaluation = await at.evaluation(id);
      expect(evaluation.cases.map(({ caseId }) => caseId)).toEqual([NEIGHBOUR]);
      expect(evaluation.purgedCases).toBe(1);
      expect(evaluation.counts.compared).toBe(1);
      const page = await at.store.get(cloudKeys.evaluationFile('liver', id, 'evaluation.html'));
      expect(Buffer.from(page).toString()).toContain(
        '1 case that was measured here has been purged',
      );
    }
    const later = await at.evaluation(ids[1]!);
    expect(later.comparison?.previous.evaluationId).toBe(ids[0]);
  });

  it('finds the case by the key of its upload', async () => {
    const at = world();
    const { exitCode } = await purging(at, { case: undefined, key: imageKey(FILE) }).run();
    expect([exitCode, naming(at.bucket)]).toEqual([0, []]);
  });

  it('stops a run that is under way, whose late events then write nothing', async () => {
    const at = world();
    const event = await at.upload(imageKey(FILE), planted.image, '2026-01-05T00:00:00Z');
    await at.ingest(event);
    const { runId } = at.submitted.at(-1)!;
    const job = at.jobs.at(-1)!.id;
    at.batchJobs.set(job, { status: 'RUNNING' });
    const { exitCode } = await purging(at).run();
    expect(at.terminated).toEqual([job]);
    expect([exitCode, naming(at.bucket)]).toEqual([0, []]);

    await at.ingest(event);
    await at.fail(event);
    await at.fail(jobEvent(runId, 'FAILED'));
    await at.fail(endOfJob(`segment-${runId}`, 'SUCCEEDED'));
    expect(naming(at.bucket)).toEqual([]);
  });

  it('waits until no function can still be writing', async () => {
    const at = world();
    const { run, told, slept } = purging(at, { quietSeconds: 0.4 });
    const latest = cloudKeys.latest('liver', PLANTED);
    await at.store.put(latest, await at.store.get(latest));
    await run();
    expect(told.join()).toContain('was written a moment ago');
    expect(Math.max(...slept)).toBeLessThanOrEqual(400);
  });

  it('starts no job of a case that is purged while it is being split, and waits for the split', async () => {
    const at = world();
    const key = imageKey(FILE);
    const event = await at.upload(key, planted.image, '2026-01-06T00:00:00Z');
    const [jobs, runs] = [at.jobs.length, at.bucket.keys('runs/open/').length];
    let purged: ReturnType<ReturnType<typeof purging>['run']> | undefined;
    at.bucket.onPut = async (key) => {
      if (!key.includes('/slabs/')) return;
      at.bucket.onPut = undefined;
      expect(at.bucket.keys('runs/open/').length).toBe(runs + 1);
      purged = purging(at, { quietSeconds: 0.5 }).run();
      await vi.waitUntil(async () => !(await at.store.stat(imageKey(FILE))));
      await vi.waitUntil(async () => (await at.state(key.split('/')[1]!)) === 'withdrawn');
    };
    await at.ingest(event);
    expect(at.jobs).toHaveLength(jobs);
    expect([(await purged)?.exitCode, naming(at.bucket)]).toEqual([0, []]);
  });

  it('changes nothing while an evaluation that names the case is running', async () => {
    const at = world();
    await at.store.remove(`cases/liver/${PLANTED}/latest.json`);
    const [id] = await at.evaluate({ requestedAt: '2026-02-01T03:00:00Z', bundle: 'active' });
    const record = await at.json(cloudKeys.evaluationRecord(id!));
    await at.store.put(
      cloudKeys.evaluationRecord(id!),
      Buffer.from(JSON.stringify({ ...(record as object), state: 'submitted' })),
    );
    const before = at.bucket.everyKey().length;
    await expect(purging(at).run()).rejects.toMatchObject({ code: 'evaluation-running' });
    expect(at.bucket.everyKey()).toHaveLength(before);
  });

  it('names training data and what learnt from them, and exits with 6 while they are there', async () => {
    const at = world();
    const copy = `training/data/liver/imagesTr/${PLANTED}_0000.nii.gz`;
    const splits = 'training/data/liver/splits_final.json';
    await at.store.put(copy, Buffer.from('a copy'));
    await at.store.put(splits, Buffer.from(JSON.stringify([{ train: [PLANTED], val: [] }])));
    const request = { schemaVersion: 1, id: 't1', dataPrefix: 'training/data/liver/', config: {} };
    const key = cloudKeys.trainingRequest('t1');
    await at.deliver('train', await at.upload(key, Buffer.from(JSON.stringify(request))));

    const kept = await purging(at).run();
    expect(kept.exitCode).toBe(7);
    expect(kept.text).toContain(`removed only with --training-data: ${copy}`);
    expect(kept.text).toContain('training t1 (submitted)');

    const rest = await purging(at, { trainingData: true }).run();
    expect(at.bucket.everyKey()).not.toContain(copy);
    expect(rest.exitCode).toBe(7);
    expect(rest.text).toContain(`edit or remove it by hand: ${splits}`);
    expect(rest.text).toContain('training t1 (submitted)');
  });

  it('says of a case that was never there that nothing is', async () => {
    const at = world();
    const { text, exitCode } = await purging(at, { case: 'nobody', yes: false }).run();
    expect([exitCode, text]).toEqual([0, expect.stringContaining('nothing of it is there')]);
  });
});
