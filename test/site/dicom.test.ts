import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { toJsonBytes } from '../../core/json.ts';
import { planVolume } from '../../dicom/volume.ts';
import { niftiOfPlan } from '../../dicom/volume-bytes.ts';
import { DicomSource, DicomUpload, dicomCaseId } from '../../site/contract/dicom.ts';
import { cloudKeys, uploadHash } from '../../site/contract/keys.ts';
import { openSeries } from '../../site/dicom/open-series.ts';
import { filesOf, readSeries } from '../dicom/golden.ts';
import { drawnSeries, seriesUidOf, studyUidOf } from '../support/dicom-series.ts';
import { type ZipEntry, zipOf } from '../support/zip.ts';
import { DICOM_KEY, World } from './world.ts';

/** A name as an archive gives it: nothing that anybody reads may hold it. */
const PATIENT = 'DOE^JANE';
/** Without one slice, still near enough to be interpolated. */
const SHAPE = {
  seed: 1,
  columns: 96,
  rows: 96,
  slices: 30,
  spacingMm: { column: 4, row: 4, slice: 6 },
};
const SITE_KEY = Buffer.from(DICOM_KEY, 'hex');
const ZIP = `incoming/liver/dicom/${PATIENT}.zip`;

async function entriesOf(...names: string[]): Promise<ZipEntry[]> {
  const files = (await Promise.all(names.map(filesOf))).flat();
  return Promise.all(
    files.map(async (file) => ({
      name: `${PATIENT}/${file.name}`,
      bytes: await file.read(0, file.bytes),
    })),
  );
}

const zipped = async (...names: string[]) => zipOf(await entriesOf(...names));

async function casesOf(name: string): Promise<string[]> {
  const { stacks } = await readSeries(await filesOf(name));
  return stacks.map(({ seriesUid, part }) =>
    dicomCaseId(SITE_KEY, { seriesInstanceUid: seriesUid, part: part ?? null }),
  );
}

async function volumeOf(name: string): Promise<string> {
  const { stacks } = await readSeries(await filesOf(name));
  const hash = createHash('sha256');
  for await (const chunk of niftiOfPlan(planVolume(stacks[0]!, 'series'))) hash.update(chunk);
  return hash.digest('hex');
}

const volumeKey = (caseId: string) => cloudKeys.incoming('liver', 'images', `${caseId}.nii`);

let world: World;
beforeEach(async () => {
  world = await World.open();
});

const volumes = () => world.bucket.keys('incoming/liver/images/');

async function upload(body: Uint8Array, key = ZIP) {
  const event = await world.upload(key, body);
  return { event, told: await world.deliver('dicom', event) };
}

async function recordOf(key = ZIP, version = world.bucket.versionOf(key)) {
  const id = uploadHash(key, version);
  return DicomUpload.parse(await world.json(cloudKeys.dicomUpload('liver', id)));
}

/** Of these nothing is in what anybody but who runs the site can see of it, and in all that leaves it. */
function expectNoNames(...uids: string[]): void {
  const open = world.bucket
    .everything()
    .filter(({ key }) => !/^(incoming\/liver\/dicom|dicom|quarantine)\//.test(key));
  const told = [
    ...world.logs,
    ...world.bucket.everyKey().filter((key) => !key.startsWith('incoming/liver/dicom/')),
    ...open.map(({ body }) => Buffer.from(body).toString('latin1')),
  ];
  for (const name of [PATIENT, ...uids])
    expect(told.filter((text) => text.includes(name)).length, name).toBe(0);
}

describe('a zip file of DICOM', () => {
  test('gives the volume of each series that the laptop makes, under a name of the site key', async () => {
    const { told: events } = await upload(await zipped('tilted', 'syntax-jpeg-ls', 'two-phases'));
    expect(events).toContain('dicom-converted');
    const cases = (
      await Promise.all(['tilted', 'syntax-jpeg-ls', 'two-phases'].map(casesOf))
    ).flat();
    expect(cases).toHaveLength(4);
    expect(volumes()).toEqual(cases.map(volumeKey).sort());
    for (const name of ['tilted', 'syntax-jpeg-ls']) {
      const [caseId] = await casesOf(name);
      const body = await world.store.get(volumeKey(caseId!));
      expect(createHash('sha256').update(body).digest('hex')).toBe(await volumeOf(name));
    }
    expect((await recordOf()).series.map(({ outcome }) => outcome)).toEqual(
      Array(4).fill('converted'),
    );
  });

  test('is found again from the record of a case', async () => {
    await upload(await zipped('tilted', 'uneven'));
    const [caseId] = await casesOf('uneven');
    const source = DicomSource.parse(await world.json(cloudKeys.dicomSource('liver', caseId!)));
    expect(source.volumeVersionId).toBe(world.bucket.versionOf(volumeKey(caseId!)));
    const { slices } = await openSeries(source, world.store);
    const [expected] = (await readSeries(await filesOf('uneven'))).stacks;
    expect(slices.map(({ instance }) => instance.sopInstanceUid)).toEqual(
      expected!.slices.map(({ instance }) => instance.sopInstanceUid),
    );
  });

  test('becomes a mask and a report as any image does, and the report says what was corrected', async () => {
    const drawn = { name: 'drawn', patientName: PATIENT, folder: PATIENT };
    const entries = await drawnSeries(SHAPE, drawn);
    // One slice fewer in the middle: what is left is interpolated.
    await upload(zipOf(entries.toSpliced(5, 1)));
    const caseId = dicomCaseId(SITE_KEY, { seriesInstanceUid: seriesUidOf(drawn), part: null });
    await world.ingest(world.created(volumeKey(caseId)));
    const runId = await world.runJobs();
    await world.report(runId);
    const report = await world.latestReport(caseId);
    expect(report.status).toBe('segmented');
    expect(JSON.stringify(report)).toContain('uneven-slices');
    expectNoNames(seriesUidOf(drawn), studyUidOf(drawn));
  });

  test('that comes twice, or again under another name, is done once', async () => {
    const body = await zipped('uneven');
    const { event } = await upload(body);
    const [caseId] = await casesOf('uneven');
    const version = world.bucket.versionOf(volumeKey(caseId!));
    expect(await world.deliver('dicom', event)).toEqual(['DuplicateEvents']);
    await upload(body, 'incoming/liver/dicom/again.zip');
    expect(world.bucket.versionOf(volumeKey(caseId!))).toBe(version);
    expect((await recordOf('incoming/liver/dicom/again.zip')).series).toEqual([
      { caseId, outcome: 'unchanged', code: null },
    ]);
    // Removed, it is wanted anew.
    await world.store.remove(volumeKey(caseId!));
    await upload(body, 'incoming/liver/dicom/anew.zip');
    expect(world.bucket.versionOf(volumeKey(caseId!))).not.toBe(version);
  });

  test('with another image of a series makes a new version, to which the record points', async () => {
    const entries = await entriesOf('uneven');
    await upload(zipOf(entries.slice(1)));
    const [caseId] = await casesOf('uneven');
    const before = world.bucket.versionOf(volumeKey(caseId!));
    await upload(zipOf(entries));
    const after = world.bucket.versionOf(volumeKey(caseId!));
    expect(after).not.toBe(before);
    const source = DicomSource.parse(await world.json(cloudKeys.dicomSource('liver', caseId!)));
    expect(source.volumeVersionId).toBe(after);
  });

  test('that an attempt left in the middle is gone on with', async () => {
    const event = await world.upload(ZIP, await zipped('uneven', 'tilted'));
    const [uneven] = await casesOf('uneven');
    const [tilted] = await casesOf('tilted');
    world.bucket.onPut = async (key) => {
      if (key === volumeKey(tilted!)) throw Object.assign(new Error(PATIENT), { $metadata: {} });
    };
    await expect(world.deliver('dicom', event)).rejects.toThrow();
    world.bucket.onPut = undefined;
    const version = world.bucket.versionOf(volumeKey(uneven!));
    await world.deliver('dicom', event);
    expect(world.bucket.versionOf(volumeKey(uneven!))).toBe(version);
    expect(volumes()).toHaveLength(2);
    expect((await recordOf()).state).toBe('converted');
    expectNoNames();
  });

  test('of which two attempts work at once is worked on by one', async () => {
    const event = await world.upload(ZIP, await zipped('uneven'));
    const key = cloudKeys.dicomUpload('liver', uploadHash(ZIP, world.bucket.versionOf(ZIP)));
    const held: DicomUpload = {
      schemaVersion: 1,
      uploadId: uploadHash(ZIP, world.bucket.versionOf(ZIP)),
      dataset: 'liver',
      key: ZIP,
      versionId: world.bucket.versionOf(ZIP),
      uploadedAt: event.time,
      state: 'claimed',
      claimedAt: new Date().toISOString(),
      series: [],
      leftAside: [],
      fault: null,
    };
    await world.store.put(key, toJsonBytes(held));
    expect(await world.deliver('dicom', event)).toEqual(['in-progress']);
    expect(volumes()).toEqual([]);
  });
});

describe('what cannot be segmented', () => {
  test('stops none of the others, and is told as of any image', async () => {
    const entries = await entriesOf('gap', 'uneven', 'hostile', 'study');
    const damaged = (await entriesOf('syntax-rle')).map(({ name, bytes }, n) => ({
      name,
      bytes: n === 2 ? bytes.fill(0, bytes.length - 300) : bytes,
    }));
    await upload(zipOf([...entries, ...damaged, { name: 'notes.txt', bytes: Buffer.from('x') }]));
    const [gap] = await casesOf('gap');
    const [rle] = await casesOf('syntax-rle');
    const record = await recordOf();
    expect(record.state).toBe('converted');
    expect(record.series).toContainEqual({
      caseId: gap,
      outcome: 'refused',
      code: 'missing-slices',
    });
    expect(record.series).toContainEqual({
      caseId: rle,
      outcome: 'refused',
      code: 'dicom-damaged',
    });
    expect(record.leftAside.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['not-ct', 'dicom-damaged']),
    );
    expect(volumes()).not.toContain(volumeKey(gap!));
    expect(volumes()).toEqual(expect.arrayContaining((await casesOf('uneven')).map(volumeKey)));
    const report = await world.latestReport(gap!);
    expect(report).toMatchObject({ status: 'failed', stage: 'preflight' });
    expect(JSON.stringify(report)).toContain('missing-slices');
    const refused = record.series.filter(({ outcome }) => outcome === 'refused').length;
    expect(world.metrics.get('CasesQuarantined')).toBe(refused);
    expectNoNames();
    // Once more, by another attempt: nothing is told twice.
    world.bucket.forget(
      cloudKeys.handled(ZIP, world.bucket.versionOf(ZIP)),
      world.bucket.versionOf(cloudKeys.handled(ZIP, world.bucket.versionOf(ZIP))),
    );
    await world.deliver('dicom', world.created(ZIP));
    expect(world.metrics.get('CasesQuarantined')).toBe(refused);
  });

  test.each([
    ['not-a-zip', async () => Buffer.from(`${PATIENT}, and no zip file`)],
    ['zip-encrypted', async () => zipOf((await entriesOf('uneven')).map(encrypted))],
    ['no-ct-series', async () => zipOf([{ name: PATIENT, bytes: Buffer.from('text') }])],
    ['no-ct-series', async () => zipOf((await entriesOf('uneven')).slice(0, 1))],
  ])('as a whole is moved aside: %s', async (code, body) => {
    const event = await world.upload(ZIP, await body());
    const version = world.bucket.versionOf(ZIP);
    const events = await world.deliver('dicom', event);
    expect(events).toEqual(['quarantined', 'CasesReceived', 'CasesQuarantined']);
    expect(world.bucket.keys(ZIP)).toEqual([]);
    const id = uploadHash(ZIP, version);
    const reason = await world.json(cloudKeys.quarantineReason('liver', id));
    expect(reason).toMatchObject({ fault: { code, subject: id } });
    expect(JSON.stringify(reason)).not.toMatch(/DOE|JANE/);
    expect(world.bucket.keys('quarantine/')).toContain(`quarantine/liver/${id}/upload.zip`);
    expect(await recordOf(ZIP, version)).toMatchObject({ state: 'refused', fault: { code } });
    expectNoNames();
  });

  test('is reported where the function gives up', async () => {
    const event = await world.upload(ZIP, await zipped('uneven'));
    expect(await world.fail(event)).toEqual(['failed', 'CasesFailed']);
    expect(await recordOf()).toMatchObject({ state: 'failed', fault: { code: 'dicom-failed' } });
    expect(await world.fail(event)).toEqual([]);
    expectNoNames();
  });

  test('because it was removed meanwhile is no failure', async () => {
    const event = await world.upload(ZIP, await zipped('uneven'));
    world.bucket.forget(ZIP, event.detail.object['version-id']);
    expect(await world.deliver('dicom', event)).toEqual(['withdrawn']);
  });
});

const encrypted = (entry: ZipEntry): ZipEntry => ({ ...entry, encrypted: true });

describe('single files', () => {
  test('are taken when the marker comes', async () => {
    const folder = `incoming/liver/dicom/${PATIENT}/`;
    for (const { name, bytes } of await entriesOf('uneven', 'gap'))
      await world.store.put(folder + name, bytes);
    await upload(Buffer.alloc(0), `${folder}ready`);
    const [uneven] = await casesOf('uneven');
    expect(volumes()).toEqual([volumeKey(uneven!)]);
    const source = DicomSource.parse(await world.json(cloudKeys.dicomSource('liver', uneven!)));
    expect(source.source).toMatchObject({ kind: 'files', prefix: folder });
    const { slices } = await openSeries(source, world.store);
    expect(slices).toHaveLength((await filesOf('uneven')).length);
    expectNoNames();
  });

  test('without a CT among them stay where they are, with a reason', async () => {
    await world.store.put('incoming/liver/dicom/x/notes.txt', Buffer.from('text'));
    const { event } = await upload(Buffer.alloc(0), 'incoming/liver/dicom/x/ready');
    const id = uploadHash('incoming/liver/dicom/x/ready', event.detail.object['version-id']);
    expect(await world.json(cloudKeys.quarantineReason('liver', id))).toMatchObject({
      kept: null,
      fault: { code: 'no-ct-series' },
    });
    expect(world.bucket.keys('incoming/liver/dicom/x/')).toHaveLength(2);
  });
});
