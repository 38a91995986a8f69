import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cloudKeys } from '../../site/contract/keys.ts';
import {
  assembleRequests,
  DICOM_SEG_REQUESTS,
  jobRequests,
  jobsOf,
  type Requests,
  requestsOf,
  slabsOf,
  splitRequests,
} from '../../site/cost/workload.ts';
import { phantomFile } from '../support/case.ts';
import { imageKey, World } from './world.ts';

/** Lists cost as much as writes. A page of the bucket in memory is shorter than one of S3. */
function tally(names: readonly string[]): Requests & { readonly lists: number } {
  const count = (...of: string[]): number => names.filter((name) => of.includes(name)).length;
  return {
    writes: count('PutObject'),
    reads: count('GetObject', 'HeadObject'),
    lists: count('ListObjectsV2'),
  };
}

describe('the requests that a volume makes', () => {
  let site: World;
  beforeAll(async () => {
    site = await World.open();
    site.coldStart({ SAMMIX_SLICES_PER_JOB: '16' });
    // The first call of a function reads what later ones still know.
    const { image } = phantomFile({ seed: 1, columns: 24, rows: 20, slices: 8 });
    await site.segmented(imageKey('first.nii'), image);
  });
  afterAll(() => site.coldStart());

  it.each([8, 20, 40])('are those that are paid for: %i slices', async (slices) => {
    const volume = { slices, slicesPerSlab: 4, slicesPerJob: 16 };
    const { image } = phantomFile({ seed: 2, columns: 24, rows: 20, slices });
    const event = await site.upload(imageKey(`c${slices}.nii.gz`), gzipSync(image));
    const counted = async (stage: () => Promise<unknown>) => {
      site.bucket.requests();
      await stage();
      return tally(site.bucket.requests());
    };
    const split = await counted(() => site.ingest(event));
    expect(split).toMatchObject(splitRequests(volume));
    expect(site.submitted.at(-1)?.children).toBe(jobsOf(volume));
    const jobs = await counted(() => site.runJobs());
    expect(jobs).toMatchObject(jobRequests(volume));
    const assemble = await counted(() => site.report(site.submitted.at(-1)!.runId));
    const told = assembleRequests(volume);
    expect(assemble.writes + 2).toBe(told.writes);
    expect(assemble.lists).toBeGreaterThanOrEqual(2);
    expect(assemble.reads).toBeLessThanOrEqual(told.reads);
    expect(assemble.reads).toBeGreaterThan(0.75 * told.reads);
    const newest = site.created(cloudKeys.latest('liver', `c${slices}`));
    const segmentation = await counted(() => site.deliver('dicom-seg', newest));
    expect(segmentation).toMatchObject(DICOM_SEG_REQUESTS);
    expect(slabsOf(volume)).toBe(slices / 4);
    expect(requestsOf(volume).writes).toBe(1 + split.writes + jobs.writes + assemble.writes + 2);
  });
});
