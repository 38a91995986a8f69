import { describe, expect, it } from 'vitest';
import { RunSummary } from '../../core/contract/summary.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { phantomFile } from '../support/case.ts';
import { imageKey, labelKey, World } from './world.ts';

const { image, label } = phantomFile({ seed: 3, columns: 24, rows: 20, slices: 8 });

async function summaryOf(world: World): Promise<RunSummary> {
  const bytes = await world.store.get(cloudKeys.summary('liver', 'summary.json'));
  return RunSummary.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
}

describe('the summary of a dataset', () => {
  it('has a row for the newest run of every case, failed ones too', async () => {
    const world = await World.open();
    await world.label(await world.upload(labelKey('c1.nii'), label));
    await world.segmented(imageKey('c1.nii'), image);
    // The same case again: only its newest run counts.
    await world.segmented(imageKey('c1.nii'), image);
    await world.ingest(await world.upload(imageKey('c2.nii'), image.subarray(0, 400)));
    await world.summarise();

    const summary = await summaryOf(world);
    expect(summary).toMatchObject({ segmented: 1, failed: 1 });
    const report = await world.latestReport('c1');
    if (report.status !== 'segmented') throw new Error('c1 was not segmented');
    const dice = report.comparison?.panel.metrics.find(({ name }) => name === 'dice')?.value;
    const [first, second] = summary.cases;
    expect(first).toMatchObject({ caseId: 'c1', status: 'segmented', dice });
    expect(first?.volumeMl).toBeCloseTo(report.volumeMl, 9);
    expect(second).toMatchObject({ caseId: 'c2', status: 'failed', dice: null });
    expect(second?.reason).toEqual(expect.any(String));
    expect(summary.bundleDigest).toBe(report.bundle.digest);

    const csv = await world.store.get(cloudKeys.summary('liver', 'summary.csv'));
    const lines = Buffer.from(csv).toString('utf8').trim().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/^c1,segmented/);
  });

  it('leaves other datasets alone, and is empty where there is nothing', async () => {
    const world = await World.open();
    world.coldStart({ SAMMIX_DATASETS: '["spleen"]' });
    await world.upload('cases/liver/c1/latest.json', Buffer.from('not read'));
    await world.summarise();
    expect(world.bucket.keys('summaries/')).toEqual([
      cloudKeys.summary('spleen', 'summary.csv'),
      cloudKeys.summary('spleen', 'summary.json'),
    ]);
  });
});
