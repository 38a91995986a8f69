import { describe, expect, it } from 'vitest';
import { StillInProgress } from '../../functions/each-message.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { phantomFile } from '../support/case.ts';
import { imageKey, World } from './world.ts';

const { image } = phantomFile({ seed: 1, columns: 48, rows: 40, slices: 8 });

describe('ingestImage', () => {
  it('writes slabs and a manifest and submits their jobs', async () => {
    const world = await World.open();
    expect(await world.ingest(await world.upload(imageKey('c1.nii'), image))).toBe('submitted');
    const [{ runId, children } = { runId: '', children: 0 }] = world.submitted;
    // 8 slices, 2 a slab, 4 a job.
    expect(children).toBe(2);
    expect(world.bucket.keys(`work/${runId}/`)).toHaveLength(5);
    expect(await world.state(runId)).toBe('submitted');
  });

  it('answers a duplicate with one request and changes nothing', async () => {
    const world = await World.open();
    const event = await world.upload(imageKey('c1.nii'), image);
    await world.ingest(event);
    const before = world.bucket.keys();
    world.bucket.requests();
    expect(await world.ingest(event)).toBe('duplicate');
    expect(world.bucket.requests()).toEqual(['HeadObjectCommand']);
    expect(world.submitted).toHaveLength(1);
    expect(world.bucket.keys()).toEqual(before);
  });

  it('finds a duplicate by the record of the run where a crash left no mark', async () => {
    const world = await World.open();
    const event = await world.upload(imageKey('c1.nii'), image);
    await world.ingest(event);
    for (const mark of world.bucket.keys('runs/handled/')) await world.store.remove(mark);
    expect(await world.ingest(event)).toBe('duplicate');
    expect(world.submitted).toHaveLength(1);
  });

  it('makes a new run of a new upload under the same name', async () => {
    const world = await World.open();
    await world.ingest(await world.upload(imageKey('c1.nii'), image));
    await world.ingest(await world.upload(imageKey('c1.nii'), image));
    const [first, second] = world.submitted;
    expect(second?.runId).not.toBe(first?.runId);
  });

  it('leaves a run alone that another invocation has just claimed', async () => {
    const world = await World.open();
    const event = await world.upload(imageKey('c1.nii'), image);
    const second: unknown[] = [];
    const { submit } = world;
    world.submit = async (runId, children) => {
      second.push(await world.ingest(event).catch((error: unknown) => error));
      return submit(runId, children);
    };
    await world.ingest(event);
    expect(second).toEqual([expect.any(StillInProgress)]);
    expect(world.submitted).toHaveLength(1);
  });

  it('can be repeated at once after a failure', async () => {
    const world = await World.open();
    const event = await world.upload(imageKey('c1.nii'), image);
    const { submit } = world;
    world.submit = () => Promise.reject(new Error('throttled'));
    await expect(world.ingest(event)).rejects.toThrow('throttled');
    world.submit = submit;
    expect(await world.ingest(event)).toBe('submitted');
  });

  it('moves a refused image aside, with the reason, and reports it', async () => {
    const world = await World.open();
    const event = await world.upload(imageKey('c1.nii'), image.subarray(0, image.length / 2));
    expect(await world.ingest(event)).toBe('quarantined');
    const report = await world.latestReport('c1');
    expect(report).toMatchObject({ status: 'failed', stage: 'preflight' });
    const runId = report.runId ?? '';
    expect(world.bucket.keys('quarantine/')).toEqual([
      cloudKeys.quarantined('liver', runId, 'c1.nii'),
      cloudKeys.quarantineReason('liver', runId),
    ]);
    expect(world.bucket.keys('incoming/')).toEqual([]);
    expect(await world.state(runId)).toBe('quarantined');
    expect(await world.ingest(event)).toBe('duplicate');
  });

  it.each(['c1.hdr', 'c1.img', 'c1.img.gz'])(
    'refuses %s, half of a pair, by its name',
    async (name) => {
      const world = await World.open();
      expect(await world.ingest(await world.upload(imageKey(name), image))).toBe('quarantined');
      expect(await world.latestReport('c1')).toMatchObject({ fault: { code: 'half-of-a-pair' } });
    },
  );

  it('does not move a newer upload aside with the refused one', async () => {
    const world = await World.open();
    const refused = await world.upload(imageKey('c1.nii'), image.subarray(0, 400));
    await world.upload(imageKey('c1.nii'), image);
    expect(await world.ingest(refused)).toBe('quarantined');
    expect(world.bucket.keys('incoming/')).toEqual([imageKey('c1.nii')]);
  });

  it('takes an upload that was removed before its turn for withdrawn', async () => {
    const world = await World.open();
    const event = await world.upload(imageKey('c1.nii'), image);
    event.detail.object['version-id'] = 'gone';
    expect(await world.ingest(event)).toBe('withdrawn');
    expect(world.submitted).toEqual([]);
  });
});
