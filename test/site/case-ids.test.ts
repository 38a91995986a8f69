import { describe, expect, it } from 'vitest';
import { readLabelPointer, readLatest } from '../../site/runs.ts';
import { phantomFile } from '../support/case.ts';
import { imageKey, labelKey, World } from './world.ts';

const a = phantomFile({ seed: 1, columns: 48, rows: 40, slices: 8 });
const b = phantomFile({ seed: 2, columns: 48, rows: 40, slices: 10 });

/** Uploads an image and lets the site do all it does with it; gives the keys of the cases since then. */
async function process(world: World, file: string, bytes: Uint8Array, time: string): Promise<void> {
  expect(await world.ingest(await world.upload(imageKey(file), bytes, time))).toBe('submitted');
  await world.report(await world.runJobs());
}

const latest = (world: World): string[] =>
  world.bucket.keys('cases/liver/').filter((key) => key.endsWith('latest.json'));

describe('two uploads whose names differ are two cases', () => {
  it.each([
    ['in a folder each', 's0001/ct.nii', 's0002/ct.nii'],
    ['in any script', '张三.nii', '李四.nii'],
    ['by a space', 'pat 1.nii', 'pat-1.nii'],
    ['deep', 'sub-01/CT/image.nii', 'sub-02/CT/image.nii'],
    ['by the ending alone', 'a.nii', 'a.nii.gz'],
    ['by the case of a letter', 'A.nii', 'a.nii'],
  ])('%s', async (_, x, y) => {
    const world = await World.open();
    await process(world, x, a.image, '2026-01-01T00:00:00Z');
    await process(world, y, b.image, '2026-01-02T00:00:00Z');
    expect(latest(world)).toHaveLength(2);
  });

  it('a new version of an image stays its case', async () => {
    const world = await World.open();
    await process(world, 'a.nii', a.image, '2026-01-01T00:00:00Z');
    await process(world, 'a.nii', b.image, '2026-01-02T00:00:00Z');
    expect(latest(world)).toHaveLength(1);
  });
});

describe("a label never meets another patient's image", () => {
  it('where two images could have its name, only the one that bears it whole has it', async () => {
    const world = await World.open();
    await process(world, 'p.nii', a.image, '2026-01-01T00:00:00Z');
    await process(world, 'p.nii.gz', a.image, '2026-01-02T00:00:00Z');
    await world.label(await world.upload(labelKey('p.nii.gz'), a.label, '2026-01-03T00:00:00Z'));
    expect(await readLabelPointer(world.store, 'liver', 'p')).toBeDefined();
    expect(await world.latestReport('p')).toMatchObject({
      comparison: null,
      comparisonFault: null,
    });
    await world.label(await world.upload(labelKey('p.nii'), a.label, '2026-01-04T00:00:00Z'));
    expect(await world.latestReport('p')).toMatchObject({ comparison: { labelName: 'p.nii' } });
  });

  it('in a folder it belongs to the image of that folder', async () => {
    const world = await World.open();
    await process(world, 's1/ct.nii', a.image, '2026-01-01T00:00:00Z');
    await process(world, 's2/ct.nii', b.image, '2026-01-02T00:00:00Z');
    await world.label(await world.upload(labelKey('s2/ct.nii'), b.label, '2026-01-03T00:00:00Z'));
    const compared: (string | undefined)[] = [];
    for (const key of latest(world)) {
      const pointer = await readLatest(world.store, 'liver', key.split('/')[2]!);
      const report = JSON.parse(
        Buffer.from(await world.store.get(`${pointer!.prefix}/report.json`)).toString(),
      );
      compared.push(report.comparison?.labelName);
    }
    expect(compared.sort()).toEqual(['ct.nii', undefined]);
  });
});
