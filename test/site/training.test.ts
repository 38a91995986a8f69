import { beforeAll, describe, expect, it } from 'vitest';
import { registerBundle } from '../../cli/site/register.ts';
import { siteStatus, statusText } from '../../cli/site/status.ts';
import { requestTraining, trainRequestOf } from '../../cli/site/train.ts';
import { getJson, putJson } from '../../core/json.ts';
import { readActive } from '../../site/bundles.ts';
import type { JobStateChange, ObjectCreated } from '../../site/contract/events.ts';
import { cloudKeys, PREFIX, trainingHash, trainJobName } from '../../site/contract/keys.ts';
import {
  CandidateBundle,
  type TrainingRecord,
  TrainingUploads,
  type TrainResult,
} from '../../site/contract/training.ts';
import { listTrainings, readTraining } from '../../site/training/records.ts';
import { bundleOf } from '../support/bundles.ts';
import { temporaryFolder } from '../support/case.ts';
import { endOfJob, World } from './world.ts';

const ID = 'liver-50';
const KEY = cloudKeys.trainingRequest(ID);
const request = trainRequestOf({ id: ID, data: 'liver', labels: '50', size: 'tiny' });
const body = Buffer.from(JSON.stringify(request));

class TrainingWorld extends World {
  async request(content: Uint8Array = body, key = KEY) {
    const event = await this.upload(key, content);
    return { event, said: await this.train(event) };
  }

  train = (event: ObjectCreated | JobStateChange) => this.deliver('train', event);

  async record(id = ID): Promise<TrainingRecord | undefined> {
    return (await readTraining(this.store, trainingHash(id)))?.record;
  }

  async reason(id = ID): Promise<string | undefined> {
    return (await listTrainings(this.store)).reasons.get(id)?.fault.code;
  }

  /** What the trainer leaves; the bundle is the one that the world registered. */
  async result(change: Partial<TrainResult> = {}): Promise<TrainResult> {
    const { active } = await readActive(this.store);
    const result: TrainResult = {
      schemaVersion: 1,
      id: ID,
      bundlePrefix: active!.prefix,
      bundleDigest: active!.digest,
      steps: 4000,
      trainSeconds: 3600,
      device: 'NVIDIA T4',
      finishedAt: '2026-01-01T01:00:00.000Z',
      ...change,
    };
    await this.store.put(cloudKeys.trainingResult(ID), Buffer.from(JSON.stringify(result)));
    return result;
  }
}

const ended = (
  status: JobStateChange['detail']['status'],
  detail: Partial<JobStateChange['detail']> = {},
): JobStateChange => endOfJob(trainJobName(trainingHash(ID)), status, detail);

let site: TrainingWorld;
beforeAll(async () => {
  site = await TrainingWorld.open();
});
const open = () => new TrainingWorld(site.bucket.copy());

describe('a training request', () => {
  it('as "sammix site train" writes it becomes a job', async () => {
    const world = open();
    const { key } = await requestTraining(world.store, request);
    const stored = await world.store.get(key);
    expect((await world.request(stored, key)).said).toEqual(['training-submitted']);
    expect(world.jobs).toMatchObject([
      { definition: 'train', children: 1, environment: { SAMMIX_TRAINING_REQUEST: KEY } },
    ]);
    expect(await world.record()).toMatchObject({ state: 'submitted', jobId: 'job-1' });
    expect(statusText(await siteStatus(world.store))).toContain(`training ${ID}`);
  });

  it('announced twice costs one request and changes nothing', async () => {
    const world = open();
    const { event } = await world.request();
    const before = world.bucket.keys();
    world.bucket.requests();
    expect(await world.train(event)).toEqual(['DuplicateEvents']);
    expect(world.bucket.requests()).toEqual(['HeadObject']);
    expect(world.bucket.keys()).toEqual(before);
    expect(world.jobs).toHaveLength(1);
  });

  it.each([
    ['no JSON', '{"schemaVersion"', 'text that is not JSON'],
    ['an unknown field', JSON.stringify({ ...request, lables: 5 }), 'lables'],
    ['another id', JSON.stringify({ ...request, id: 'other' }), 'the id "other"'],
    ['another folder', JSON.stringify({ ...request, dataPrefix: 'cases/liver/' }), 'dataPrefix'],
  ])('with %s is refused, and its reason stands beside it', async (_what, text, found) => {
    const world = open();
    expect((await world.request(Buffer.from(text))).said).toContain('training-refused');
    const { reasons } = await listTrainings(world.store);
    expect(reasons.get(ID)?.fault.found).toContain(found);
    expect(world.bucket.keys('training/requests/')).toContain(KEY);
    expect(world.jobs).toEqual([]);
    expect(world.metrics.get('TrainingsFailed')).toBe(1);
    expect(statusText(await siteStatus(world.store))).toMatch(/refused .*liver-50.*found/);
  });

  it('that was corrected loses its reason', async () => {
    const world = open();
    await world.request(Buffer.from('{}'));
    expect(await world.reason()).toBe('bad-training-request');
    expect((await world.request()).said).toEqual(['training-submitted']);
    expect(await world.reason()).toBeUndefined();
  });

  it('under an id that is taken is refused, and the training goes on', async () => {
    const world = open();
    await world.request();
    expect((await world.request()).said).toContain('training-refused');
    expect(await world.reason()).toBe('training-id-taken');
    expect(await world.record()).toMatchObject({ state: 'submitted', jobId: 'job-1' });
  });

  it('at a site that does not train is told so', async () => {
    const world = open();
    world.coldStart({ SAMMIX_TRAIN_JOB: '' });
    expect((await world.request()).said).toContain('training-refused');
    expect(await world.reason()).toBe('site-does-not-train');
  });

  describe('of uploads', () => {
    const wanted = trainRequestOf({ id: ID, dataset: 'liver', labels: '50' });
    const asked = Buffer.from(JSON.stringify(wanted));
    const image = cloudKeys.incoming('liver', 'images', 'a.nii.gz');
    const label = cloudKeys.incoming('liver', 'labels', 'a.nii.gz');
    const uploads = async (world: TrainingWorld): Promise<TrainingUploads> =>
      getJson(world.store, cloudKeys.trainingUploads(ID), TrainingUploads);

    /** As the site leaves an upload that it has dealt with. */
    async function withLabel(world: TrainingWorld): Promise<void> {
      await world.upload(image, Buffer.from('an image'));
      const uploaded = await world.upload(label, Buffer.from('a label'));
      await putJson(world.store, cloudKeys.labelPointer('liver', 'a'), {
        schemaVersion: 1,
        key: label,
        version: uploaded.detail.object['version-id'],
        name: 'a.nii.gz',
        uploadedAt: '2026-01-01T00:00:00.000Z',
      });
    }

    it('pins the versions of labelled ones and the active bundle, once', async () => {
      const world = open();
      await withLabel(world);
      await world.upload(cloudKeys.incoming('liver', 'images', 'b.nii.gz'), Buffer.from('loose'));
      await world.upload(cloudKeys.patients('liver'), Buffer.from('case,patient\na,p1\n'));
      expect((await world.request(asked)).said).toEqual(['training-submitted']);
      const { active } = await readActive(world.store);
      const pinned = await uploads(world);
      expect(pinned).toEqual({
        schemaVersion: 1,
        dataset: 'liver',
        bundlePrefix: active!.prefix,
        bundleDigest: active!.digest,
        datasetJson: null,
        cases: [
          {
            caseId: 'a',
            patientId: 'p1',
            image: { key: image, version: (await world.store.stat(image))!.version },
            label: { key: label, version: (await world.store.stat(label))!.version },
          },
        ],
      });
      // A failed training that is asked for again goes on with what it began with.
      await world.train(ended('FAILED'));
      await withLabel(world);
      expect((await world.request(asked)).said).toEqual(['training-submitted']);
      expect(await uploads(world)).toEqual(pinned);
    });

    it("for another organ start from what is active for that, else from the site's main bundle", async () => {
      const world = open();
      await withLabel(world);
      const forSpleen = (id: string) => {
        const request = { ...wanted, id, config: { ...wanted.config, target: 'Spleen' } };
        const key = cloudKeys.trainingRequest(id);
        return world.request(Buffer.from(JSON.stringify(request)), key);
      };
      const pinned = async (id: string) =>
        TrainingUploads.parse(await world.json(cloudKeys.trainingUploads(id))).bundlePrefix;
      await forSpleen('first');
      expect(await pinned('first')).toBe((await readActive(world.store)).active!.prefix);
      const folder = await temporaryFolder();
      await bundleOf(folder, { target: 'spleen', windowHu: [-100, 300] });
      const { prefix } = await registerBundle(world.store, folder, { activate: true });
      await forSpleen('second');
      expect(await pinned('second')).toBe(prefix);
    });

    it('of which none has a label, or of no bundle, is refused with the reason', async () => {
      const world = open();
      await world.upload(image, Buffer.from('an image'));
      expect((await world.request(asked)).said).toContain('training-refused');
      expect(await world.reason()).toBe('no-labelled-uploads');
      const startFrom = 'models/none/0123456789abcdef';
      await world.request(Buffer.from(JSON.stringify({ ...wanted, startFrom })));
      expect(await world.reason()).toBe('no-bundle-at-site');
      expect(world.jobs).toEqual([]);
    });
  });

  it('ignores its own reason files', async () => {
    const world = open();
    expect((await world.request(body, cloudKeys.trainingReason(ID))).said).toEqual([]);
  });

  it('can be repeated at once after a failure, but not while another invocation has it', async () => {
    const world = open();
    const event = await world.upload(KEY, body);
    world.onSubmit = () => Promise.reject(new Error('throttled'));
    await expect(world.train(event)).rejects.toThrow('throttled');
    const second: string[] = [];
    world.onSubmit = async () => void second.push(...(await world.train(event)));
    expect(await world.train(event)).toContain('training-submitted');
    expect(second).toEqual(['in-progress']);
    expect(world.jobs).toHaveLength(1);
  });
});

describe('the end of a training', () => {
  it('offers its bundle as a candidate, and leaves the active one', async () => {
    const world = open();
    await world.request();
    const { bundlePrefix, bundleDigest } = await world.result();
    const active = await world.store.get(cloudKeys.activeBundle);
    const attempts = [
      { startedAt: 0, stoppedAt: 1_800_000 },
      { startedAt: 2_000_000, stoppedAt: 3_800_000 },
    ];
    await world.train(ended('SUCCEEDED', { attempts }));
    const stored = await world.store.get(cloudKeys.candidate(bundleDigest));
    expect(CandidateBundle.parse(JSON.parse(Buffer.from(stored).toString()))).toMatchObject({
      prefix: bundlePrefix,
      digest: bundleDigest,
      trainingId: ID,
    });
    expect(await world.record()).toMatchObject({
      state: 'trained',
      bundlePrefix,
      // An hour over both attempts, at the world's 0.5 USD.
      cost: { gpuSeconds: 3600, estimatedUsd: 0.5 },
    });
    expect(await world.store.get(cloudKeys.activeBundle)).toEqual(active);
    await world.train(ended('SUCCEEDED', { attempts }));
    expect(world.metrics.get('TrainingsFinished')).toBe(1);
    expect(world.metrics.get('GpuSeconds')).toBe(3600);
  });

  it('that failed leaves the reason beside the request, which may be repeated', async () => {
    const world = open();
    await world.request();
    await world.train(ended('FAILED', { statusReason: 'Host EC2 (i-1) terminated.' }));
    expect(await world.reason()).toBe('training-failed');
    expect((await world.request()).said).toEqual(['training-submitted']);
    // The first job's end, announced again, is not the second one's.
    await world.train(ended('FAILED'));
    expect(await world.record()).toMatchObject({ state: 'submitted', jobId: 'job-2' });
  });

  it('that the trainer refused says so', async () => {
    const world = open();
    await world.request();
    await world.train(ended('FAILED', { container: { exitCode: 3 } }));
    expect(await world.reason()).toBe('training-refused');
  });

  it('with a bundle that is not what the trainer says offers nothing', async () => {
    const world = open();
    await world.request();
    await world.result({ bundleDigest: 'f'.repeat(64) });
    await world.train(ended('SUCCEEDED'));
    expect(await world.reason()).toBe('bundle-changed');
    expect(world.bucket.keys(PREFIX.candidates)).toEqual([]);
    expect(await world.record()).toMatchObject({ state: 'failed' });
  });

  it('is a dead letter at last, which also leaves a reason', async () => {
    const world = open();
    await world.fail(await world.upload(KEY, body));
    expect(await world.reason()).toBe('training-not-started');
  });
});
