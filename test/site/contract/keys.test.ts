import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jobChildren, slabsOfJob } from '../../../site/batch.ts';
import {
  cloudKeys,
  cloudRunKeys,
  parseLatest,
  parseUpload,
  runIdOfJobName,
  segmentJobName,
} from '../../../site/contract/keys.ts';

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,20}$/);
const runId = fc.stringMatching(/^[0-9a-f]{16}$/);

describe('cloudKeys', () => {
  it('parses the uploads and pointers that it builds', () => {
    fc.assert(
      fc.property(name, name, fc.constantFrom('images', 'labels'), (dataset, caseId, kind) => {
        const key = cloudKeys.incoming(dataset, kind, `${caseId}.nii.gz`);
        expect(parseUpload(key)).toMatchObject({
          dataset,
          kind: kind.slice(0, -1),
          fileName: `${caseId}.nii.gz`,
        });
        expect(parseLatest(cloudKeys.latest(dataset, caseId))).toEqual({ dataset, caseId });
      }),
    );
  });

  it('takes a key as EventBridge delivers it: with its spaces and pluses', () => {
    expect(parseUpload('incoming/liver/images/a case + one.nii.gz')).toMatchObject({
      fileName: 'a case + one.nii.gz',
      caseId: expect.stringMatching(/^a-case-\+-one-[0-9a-f]{8}$/),
    });
  });

  it('tells cases apart by where they lie, and gives image and label of one place one case', () => {
    const caseOf = (key: string) => parseUpload(`incoming/liver/${key}`)?.caseId;
    const images = [
      's1/ct.nii',
      's2/ct.nii',
      'ct.nii',
      '张三.nii',
      '李四.nii',
      'pat 1.nii',
      'pat-1.nii',
    ];
    images.push('s1/a/ct.nii', 's1-a/ct.nii', 'sub-01/CT/image.nii', 'sub-02/CT/image.nii');
    expect(new Set(images.map((one) => caseOf(`images/${one}`))).size).toBe(images.length);
    for (const one of images) expect(caseOf(`labels/${one}.gz`)).toBe(caseOf(`images/${one}`));
    expect(caseOf('images/liver_1_0000.nii.gz')).toBe('liver_1');
    expect(caseOf('images/s1/ct.nii')).toMatch(/^s1-[0-9a-f]{8}$|^.*s1.*-[0-9a-f]{8}$/);
  });

  it.each(['incoming/liver/images/', 'incoming/liver/x.nii', 'cases/liver/images/x.nii'])(
    'takes %s for no upload',
    (key) => expect(parseUpload(key)).toBeUndefined(),
  );

  it('keeps results with the case and what is between the stages below work/', () => {
    const keys = cloudRunKeys('liver', 'c1', 'r1');
    expect(keys.mask).toBe('cases/liver/c1/r1/mask.nii.gz');
    for (const key of [keys.manifest, keys.slab(0), keys.slabMasks(1), keys.slabRecords(2)])
      expect(key.startsWith(keys.work) && key.startsWith('work/r1/')).toBe(true);
  });
});

describe('segmentJobName', () => {
  it('holds the run id and gives it back', () => {
    fc.assert(
      fc.property(runId, (id) => {
        expect(runIdOfJobName(segmentJobName(id))).toBe(id);
      }),
    );
    expect(runIdOfJobName('another-job')).toBeUndefined();
  });
});

describe('slabsOfJob', () => {
  it('gives every slab to exactly one job, and every job at least one', () => {
    const count = fc.integer({ min: 1, max: 400 });
    fc.assert(
      fc.property(count, count, fc.integer({ min: 1, max: 64 }), (slabs, slicesPerJob, perSlab) => {
        const sizes = { slicesPerJob, slicesPerSlab: perSlab };
        const jobs = Array.from({ length: jobChildren(slabs, sizes) }, (_, job) =>
          slabsOfJob(job, slabs, sizes),
        );
        expect(jobs.flat()).toEqual(Array.from({ length: slabs }, (_, index) => index));
        expect(jobs.every((share) => share.length > 0)).toBe(true);
      }),
    );
  });

  it('makes one plain job of a common volume with the default sizes', () => {
    expect(jobChildren(Math.ceil(512 / 32), { slicesPerJob: 512, slicesPerSlab: 32 })).toBe(1);
    expect(jobChildren(Math.ceil(513 / 32), { slicesPerJob: 512, slicesPerSlab: 32 })).toBe(2);
  });
});
