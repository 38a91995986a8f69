import { beforeAll, describe, expect, it } from 'vitest';
import { readActive } from '../../site/bundles.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { phantomFile } from '../support/case.ts';
import { imageKey, World } from './world.ts';

const { image } = phantomFile({ seed: 1, columns: 24, rows: 20, slices: 8 });

describe('an uploaded image', () => {
  let site: World;
  beforeAll(async () => {
    site = await World.open();
  });
  const open = () => new World(site.bucket.copy());

  it('becomes slabs and a manifest, and their jobs are submitted', async () => {
    const world = open();
    expect(await world.ingest(await world.upload(imageKey('c1.nii'), image))).toContain(
      'submitted',
    );
    const [{ runId, children } = { runId: '', children: 0 }] = world.submitted;
    // 8 slices, 4 a slab, 4 a job.
    expect(children).toBe(2);
    expect(world.bucket.keys(`work/${runId}/`)).toHaveLength(3);
    expect(await world.state(runId)).toBe('submitted');
    expect(world.jobs[0]).toMatchObject({ definition: 'segment', name: `segment-${runId}` });
  });

  it('announced twice costs one request and changes nothing', async () => {
    const world = open();
    const event = await world.upload(imageKey('c1.nii'), image);
    await world.ingest(event);
    const before = world.bucket.keys();
    world.bucket.requests();
    expect(await world.ingest(event)).toEqual(['DuplicateEvents']);
    expect(world.bucket.requests()).toEqual(['HeadObject']);
    expect(world.submitted).toHaveLength(1);
    expect(world.bucket.keys()).toEqual(before);
  });

  it('is found by the record of its run where a crash left no mark', async () => {
    const world = open();
    const event = await world.upload(imageKey('c1.nii'), image);
    await world.ingest(event);
    for (const mark of world.bucket.keys('runs/handled/')) await world.store.remove(mark);
    expect(await world.ingest(event)).toEqual(['DuplicateEvents']);
    expect(world.submitted).toHaveLength(1);
  });

  it('is a new run where it comes again under the same name', async () => {
    const world = open();
    await world.ingest(await world.upload(imageKey('c1.nii'), image));
    await world.ingest(await world.upload(imageKey('c1.nii'), image));
    const [first, second] = world.submitted;
    expect(second?.runId).not.toBe(first?.runId);
  });

  it('is left alone by an invocation while another has it', async () => {
    const world = open();
    const event = await world.upload(imageKey('c1.nii'), image);
    const second: string[] = [];
    world.onSubmit = async () => void second.push(...(await world.ingest(event)));
    await world.ingest(event);
    expect(second).toEqual(['in-progress']);
    expect(world.submitted).toHaveLength(1);
  });

  it('can be taken again at once after a failure', async () => {
    const world = open();
    const event = await world.upload(imageKey('c1.nii'), image);
    world.onSubmit = () => Promise.reject(new Error('throttled'));
    await expect(world.ingest(event)).rejects.toThrow('throttled');
    world.onSubmit = async () => {};
    expect(await world.ingest(event)).toContain('submitted');
  });

  it('is taken over where a crash has left its claim, and the lease is over', async () => {
    const world = open();
    const event = await world.upload(imageKey('c1.nii'), image);
    world.onSubmit = () => Promise.reject(new Error('throttled'));
    await expect(world.ingest(event)).rejects.toThrow('throttled');
    world.onSubmit = async () => {};
    const [key = ''] = world.bucket.keys('runs/');
    const record = await world.json(key);
    const claimedAgo = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
    const crashed = (seconds: number) =>
      world.store.put(
        key,
        Buffer.from(JSON.stringify({ ...(record as object), claimedAt: claimedAgo(seconds) })),
      );
    await crashed(890);
    expect(await world.ingest(event)).toEqual(['in-progress']);
    await crashed(910);
    expect(await world.ingest(event)).toContain('submitted');
  });

  it('is moved aside where it is refused, with the reason, and reported', async () => {
    const world = open();
    const event = await world.upload(imageKey('c1.nii'), image.subarray(0, image.length / 2));
    expect(await world.ingest(event)).toContain('quarantined');
    const report = await world.latestReport('c1');
    expect(report).toMatchObject({ status: 'failed', stage: 'preflight' });
    const runId = report.runId ?? '';
    expect(world.bucket.keys('quarantine/')).toEqual([
      cloudKeys.quarantined('liver', runId, 'c1.nii'),
      cloudKeys.quarantineReason('liver', runId),
    ]);
    expect(world.bucket.keys('incoming/')).toEqual([]);
    expect(await world.state(runId)).toBe('quarantined');
    expect(await world.ingest(event)).toEqual(['DuplicateEvents']);
  });

  it.each(['c1.hdr', 'c1.img', 'c1.img.gz'])(
    '%s, half of a pair, is refused by its name',
    async (name) => {
      const world = open();
      expect(await world.ingest(await world.upload(imageKey(name), image))).toContain(
        'quarantined',
      );
      expect(await world.latestReport('c1')).toMatchObject({ fault: { code: 'half-of-a-pair' } });
    },
  );

  it('is not moved aside with an older one of its name that is refused', async () => {
    const world = open();
    const refused = await world.upload(imageKey('c1.nii'), image.subarray(0, 400));
    await world.upload(imageKey('c1.nii'), image);
    expect(await world.ingest(refused)).toContain('quarantined');
    expect(world.bucket.keys('incoming/')).toEqual([imageKey('c1.nii')]);
  });

  it('that was removed before its turn is taken for withdrawn', async () => {
    const world = open();
    const event = await world.upload(imageKey('c1.nii'), image);
    event.detail.object['version-id'] = 'gone';
    expect(await world.ingest(event)).toContain('withdrawn');
    expect(world.submitted).toEqual([]);
  });

  it('is not segmented by a bundle that somebody has overwritten', async () => {
    const world = open();
    world.coldStart();
    const { active } = await readActive(world.store);
    const key = `${active!.prefix}/bundle.json`;
    const manifest = (await world.json(key)) as { classifier: object };
    const changed = { ...manifest, classifier: { ...manifest.classifier, threshold: 0.999 } };
    await world.store.put(key, Buffer.from(JSON.stringify(changed)));
    const event = await world.upload(imageKey('c1.nii'), image);
    await expect(world.ingest(event)).rejects.toMatchObject({ code: 'bundle-changed' });
    expect(world.jobs).toEqual([]);
  });

  it('of another bucket, or another service, is none of ours', async () => {
    const world = open();
    await expect(world.deliver('split', { source: 'aws.ec2' })).rejects.toThrow();
    expect(await world.ingest(await world.upload('incoming/liver/x.nii', image))).toEqual([]);
  });
});
