import { beforeAll, expect, it } from 'vitest';
import { cloudKeys } from '../../site/contract/keys.ts';
import { phantomFile } from '../support/case.ts';
import { imageKey, labelKey, World } from './world.ts';

const { image, label } = phantomFile({ seed: 2, columns: 24, rows: 20, slices: 8 });

/** The liver is 6 among other organs, as in BTCV: uint8 voxels from byte 352. */
const manyClasses = Uint8Array.from(label);
for (let at = 352; at < manyClasses.length; at++)
  manyClasses[at] = manyClasses[at] === 1 ? 6 : at % 29 === 0 ? 1 + (at % 5) : 0;

let site: World;
beforeAll(async () => {
  site = await World.open();
  await site.segmented(imageKey('c1.nii'), image);
});

/** The report after a label of many classes came to a site that has been told this much. */
async function reportWhere(said: { datasetJson?: string; labels?: string }) {
  const world = new World(site.bucket.copy());
  world.coldStart(said.labels === undefined ? {} : { SAMMIX_LABELS: said.labels });
  if (said.datasetJson !== undefined)
    await world.store.put(cloudKeys.datasetJson('liver'), Buffer.from(said.datasetJson));
  await world.label(await world.upload(labelKey('c1.nii'), manyClasses));
  return world.latestReport('c1');
}

it('a label of many classes that nobody has named is not compared, and the report says how to', async () => {
  expect(await reportWhere({})).toMatchObject({
    status: 'segmented',
    comparison: null,
    comparisonFault: {
      code: 'label-class-unknown',
      remedy: expect.stringContaining("labels.<dataset>.values in the site's file"),
    },
  });
});

it.each([
  ['nnU-Net v2', '{"labels": {"background": 0, "spleen": 1, "liver": 6}}'],
  ['Decathlon', '{"labels": {"0": "background", "1": "spleen", "6": "liver"}}'],
])("the dataset's dataset.json says what is liver: %s", async (_, datasetJson) => {
  const { comparison } = (await reportWhere({ datasetJson })) as { comparison: unknown };
  expect(comparison).toMatchObject({
    labelMeaning: expect.stringMatching(/^label 6 of .*\(dataset\.json\)$/),
  });
});

it("the site's file goes before it, by number or by name", async () => {
  const datasetJson = '{"labels": {"background": 0, "hepar": 6, "liver": 1}}';
  for (const labels of ['{"liver": {"values": [6]}}', '{"liver": {"names": ["hepar"]}}'])
    expect(await reportWhere({ datasetJson, labels })).toMatchObject({
      comparison: { labelMeaning: expect.stringMatching(/^label 6 of /) },
    });
});
