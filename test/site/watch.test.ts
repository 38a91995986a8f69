import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CANARY_DATASET } from '../../site/contract/canary.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { phantomFile } from '../support/case.ts';
import { imageKey, World } from './world.ts';

const { image } = phantomFile({ seed: 1, columns: 24, rows: 20, slices: 8 });
const BEGAN = new Date('2026-03-01T00:00:00Z');
const LOOK = { source: 'sammix.watch' };

const hoursLater = (hours: number) => vi.setSystemTime(BEGAN.getTime() + hours * 3.6e6);

describe('the watch', () => {
  let site: World;
  beforeAll(async () => {
    site = await World.open();
  });
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] });
    hoursLater(0);
  });
  afterEach(() => vi.useRealTimers());

  /** A site with one upload whose job is with Batch. */
  async function submitted(key = imageKey('c1.nii')) {
    const world = new World(site.bucket.copy());
    await world.ingest(await world.upload(key, image, BEGAN.toISOString()));
    const { runId } = world.submitted[0]!;
    const look = () => world.deliver('watch', LOOK);
    return { world, runId, look };
  }

  it('leaves a job alone that waits for less than the deadline', async () => {
    const { world, runId, look } = await submitted();
    world.batchJobs.set('job-1', { status: 'RUNNABLE' });
    hoursLater(71);
    await look();
    expect(await world.state(runId)).toBe('submitted');
    expect(world.metrics.get('RunsOverdue')).toBe(0);
    expect(world.metrics.get('RunsOpen')).toBe(1);
  });

  it('gives up a job that waits for longer, and reports why Batch let it wait', async () => {
    const { world, runId, look } = await submitted();
    const statusReason = 'MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE';
    world.batchJobs.set('job-1', { status: 'RUNNABLE', statusReason });
    hoursLater(73);
    await look();
    expect(world.terminated).toEqual(['job-1']);
    expect(await world.state(runId)).toBe('failed');
    expect(await world.latestReport('c1')).toMatchObject({
      status: 'failed',
      fault: { code: 'deadline-passed', found: `a job that is RUNNABLE: ${statusReason}` },
    });
    expect(world.metrics.get('RunsOverdue')).toBe(1);
    // Once: the next look finds the run ended and forgets it.
    await look();
    expect(world.metrics.get('CasesFailed')).toBe(1);
    expect(world.bucket.keys('runs/open/')).toEqual([]);
  });

  it.each([
    ['SUCCEEDED', 'results'],
    ['FAILED', 'failures'],
  ] as const)('announces an end (%s) again whose event was lost', async (status, queue) => {
    const { world, runId, look } = await submitted();
    world.batchJobs.set('job-1', { status, stoppedAt: BEGAN.getTime() + 3.6e6 });
    hoursLater(1.25);
    await look();
    expect(world.announced).toEqual([]);
    hoursLater(2);
    await look();
    expect(world.announced.map((one) => one.queue)).toEqual([queue]);
    const { event } = world.announced[0]!;
    expect(event.detail).toMatchObject({ jobName: `segment-${runId}`, status });
    if (status === 'FAILED') {
      await world.fail(event);
      expect(await world.state(runId)).toBe('failed');
    } else {
      await world.runJobs();
      await world.deliver('assemble', event);
      expect(await world.state(runId)).toBe('reported');
    }
  });

  it('reports a run whose job Batch does not know any more', async () => {
    const { world, look } = await submitted();
    hoursLater(1);
    await look();
    expect(await world.latestReport('c1')).toMatchObject({ fault: { code: 'run-lost' } });
    expect(world.terminated).toEqual([]);
  });

  it('reports a claim that nobody works on any more', async () => {
    const world = new World(site.bucket.copy());
    world.onSubmit = () => Promise.reject(new Error('throttled'));
    const event = await world.upload(imageKey('c1.nii'), image, BEGAN.toISOString());
    await expect(world.ingest(event)).rejects.toThrow('throttled');
    hoursLater(1.9);
    await world.deliver('watch', LOOK);
    expect(world.metrics.get('CasesFailed')).toBeUndefined();
    hoursLater(2.1);
    await world.deliver('watch', LOOK);
    expect(await world.latestReport('c1')).toMatchObject({
      stage: 'split',
      fault: { code: 'run-lost' },
    });
  });

  it('fails the canary whose scan does not come back in two hours, and no sooner', async () => {
    const key = cloudKeys.incoming(CANARY_DATASET, 'images', 'phantom-101.nii.gz');
    const { world, look } = await submitted(key);
    expect(world.jobs[0]).toMatchObject({ queue: 'background' });
    world.batchJobs.set('job-1', { status: 'RUNNABLE' });
    hoursLater(1.9);
    await look();
    expect(world.metrics.get('CanaryScansFailed')).toBeUndefined();
    hoursLater(2.1);
    await look();
    expect(world.metrics.get('CanaryScansFailed')).toBe(1);
  });

  it('counts a queue that Batch calls blocked', async () => {
    const world = new World(site.bucket.copy());
    const reason = 'CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - no instance of the types';
    const said = await world.deliver('watch', {
      source: 'aws.batch',
      'detail-type': 'Batch Job Queue Blocked',
      detail: { statusReason: reason, statusReasonArn: 'arn', jobQueueArn: 'q' },
    });
    expect(said).toEqual(['queue-blocked', 'QueueBlocked']);
    expect(world.logs.at(-1)).toContain(reason);
  });
});
