import { beforeEach, expect, test } from 'vitest';
import { purge } from '../../cli/site/purge.ts';
import { dicomCaseId } from '../../site/contract/dicom.ts';
import { cloudKeys, uploadHash } from '../../site/contract/keys.ts';
import { drawnSeries, seriesUidOf } from '../support/dicom-series.ts';
import { zipOf } from '../support/zip.ts';
import { DICOM_KEY, World } from './world.ts';

const SHAPE = {
  columns: 24,
  rows: 20,
  slices: 8,
  spacingMm: { column: 15, row: 15, slice: 10 },
};
const BOTH = 'incoming/liver/dicom/visit.zip';

const caseOf = (name: string): string =>
  dicomCaseId(Buffer.from(DICOM_KEY, 'hex'), {
    seriesInstanceUid: seriesUidOf({ name }),
    part: null,
  });

const series = (name: string, seed: number) =>
  drawnSeries({ seed, ...SHAPE }, { name, folder: name });

let world: World;
beforeEach(async () => {
  world = await World.open();
});

async function deliver(key: string, body: Uint8Array): Promise<void> {
  await world.deliver('dicom', await world.upload(key, body));
}

const purged = (caseId: string) =>
  purge(
    { dataset: 'liver', caseId },
    { dataset: 'liver', case: caseId, trainingData: false, yes: true, quietSeconds: 0 },
    {
      store: world.store,
      jobs: { find: async () => new Map(), terminate: async () => {} },
      sleep: async () => {},
      tell: () => {},
    },
  );

/** Keys of all versions that bear the case's name, in their own name or their content. */
const naming = (caseId: string): string[] => [
  ...new Set(
    world.bucket
      .everything()
      .filter(
        ({ key, body }) =>
          key.includes(caseId) || Buffer.from(body).toString('latin1').includes(caseId),
      )
      .map(({ key }) => key),
  ),
];

test('a zip file goes with the last of its cases, and is named until then', async () => {
  const entries = [...(await series('first', 1)), ...(await series('second', 2))];
  await deliver(BOTH, zipOf(entries));
  // Once more, with less in it.
  await deliver('incoming/liver/dicom/one.zip', zipOf(await series('second', 2)));
  const [first, second] = [caseOf('first'), caseOf('second')];
  for (const caseId of [first, second]) {
    const image = cloudKeys.incoming('liver', 'images', `${caseId}.nii`);
    await world.ingest(world.created(image));
    expect(naming(caseId).length).toBeGreaterThan(3);
  }
  const { text, exitCode } = await purged(first);
  expect(exitCode).toBe(0);
  expect(text).toContain(BOTH);
  expect(naming(first)).toEqual([]);
  expect(world.bucket.keys('incoming/liver/dicom/')).toHaveLength(2);
  expect((await purged(second)).exitCode).toBe(0);
  expect(naming(second)).toEqual([]);
  expect(world.bucket.everyKey().filter((key) => key.startsWith('incoming/'))).toEqual([]);
  expect(world.bucket.everyKey().filter((key) => key.startsWith('dicom/'))).toEqual([]);
});

test('single files go with their marker, and an event that comes late finds nothing to do', async () => {
  const folder = 'incoming/liver/dicom/visit/';
  for (const { name, bytes } of await series('only', 3))
    await world.store.put(folder + name, bytes);
  await world.store.put(`${folder}dose.txt`, Buffer.from('of the same patient'));
  const event = await world.upload(`${folder}ready`, new Uint8Array(0));
  await world.deliver('dicom', event);
  const caseId = caseOf('only');
  expect(naming(caseId).length).toBeGreaterThan(0);
  expect((await purged(caseId)).exitCode).toBe(0);
  expect(naming(caseId)).toEqual([]);
  expect(world.bucket.everyKey().filter((key) => key.startsWith('incoming/'))).toEqual([]);
  expect(await world.deliver('dicom', event)).toEqual(['DuplicateEvents']);
  const handled = uploadHash(event.detail.object.key, event.detail.object['version-id']);
  expect(world.bucket.keys(`runs/handled/${handled}`)).toHaveLength(1);
});

test('another upload under the same name stays', async () => {
  await deliver(BOTH, zipOf(await series('first', 1)));
  const version = world.bucket.versionOf(BOTH);
  await deliver(BOTH, zipOf(await series('second', 2)));
  await purged(caseOf('first'));
  expect(naming(caseOf('first'))).toEqual([]);
  expect(naming(caseOf('second')).length).toBeGreaterThan(0);
  const versions = [];
  for await (const one of world.store.listVersions(BOTH)) versions.push(one.versionId);
  expect(versions).toHaveLength(1);
  expect(versions).not.toContain(version);
});
