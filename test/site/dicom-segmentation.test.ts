import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { silentProgress } from '../../cli/progress.ts';
import { runCommand } from '../../cli/run.ts';
import { fetchCases } from '../../cli/site/fetch.ts';
import { purge } from '../../cli/site/purge.ts';
import { readLabel } from '../../core/volume/label.ts';
import { DicomSource } from '../../site/contract/dicom.ts';
import { cloudKeys, cloudRunKeys, parseUpload } from '../../site/contract/keys.ts';
import { once, TINY_BUNDLE, temporaryFolder } from '../support/case.ts';
import { drawnSeries, seriesUidOf, studyUidOf } from '../support/dicom-series.ts';
import { serviceFailure } from '../support/memory-bucket.ts';
import { readSegmentation } from '../support/segmentation-frames.ts';
import { type ZipEntry, zipOf } from '../support/zip.ts';
import { World } from './world.ts';

const NAMES = { name: 'Ostrander', patientName: 'Ostrander^Ines', patientId: 'P-77120' };
const ZIP = 'incoming/liver/dicom/Ostrander.zip';

/** Of 9 mm: slices that are further apart are no volume. */
const SCAN = { seed: 2, columns: 24, rows: 20, slices: 26 };

const drawn = (seed = SCAN.seed) => drawnSeries({ ...SCAN, seed }, NAMES);

/** Uploads DICOM and lets the site make a run of it. Returns the case, and the run. */
async function segmented(world: World, entries: readonly ZipEntry[], key = ZIP) {
  await world.deliver('dicom', await world.upload(key, zipOf(entries)));
  const [volume = ''] = world.bucket.keys('incoming/liver/images/');
  await world.ingest(world.created(volume));
  const runId = await world.runJobs();
  await world.report(runId);
  return { caseId: parseUpload(volume)!.caseId, runId };
}

describe('the DICOM-SEG of a case that came by DICOM', () => {
  /** A site at which a series is segmented and reported. */
  let site: World;
  let caseId: string;
  let runId: string;
  beforeAll(async () => {
    site = await World.open();
    ({ caseId, runId } = await segmented(site, await drawn()));
  });
  const open = () => new World(site.bucket.copy());
  const keys = () => cloudRunKeys('liver', caseId, runId);
  const told = (world: World) =>
    world.deliver('dicom-seg', world.created(cloudKeys.latest('liver', caseId)));
  const source = async (world: World) =>
    DicomSource.parse(await world.json(cloudKeys.dicomSource('liver', caseId)));

  it('lies beside the mask, and holds its voxels on the images of the series', async () => {
    const world = open();
    expect(await told(world)).toEqual(['dicom-seg', 'DicomSegsWritten']);
    const { dataSet, frames } = readSegmentation(await world.store.get(keys().dicomSeg));
    expect(dataSet.string('x0020000d')).toBe(studyUidOf(NAMES));
    expect(dataSet.string('x00100010')).toBe(NAMES.patientName);
    const { mask } = await readLabel(once(await world.store.get(keys().mask)), { subject: 'mask' });
    const entries = await drawn();
    const plane = SCAN.columns * SCAN.rows;
    const shown = frames.map(({ sopInstanceUid, mask: frame }) => {
      const k = entries.findIndex(({ bytes }) => Buffer.from(bytes).includes(sopInstanceUid));
      expect(frame).toEqual(mask.data.subarray(k * plane, (k + 1) * plane));
      return k;
    });
    const inMask = Array.from({ length: SCAN.slices }, (_, k) => k).filter((k) =>
      mask.data.subarray(k * plane, (k + 1) * plane).includes(1),
    );
    expect(shown).toEqual(inMask);
    expect(shown.length).toBeGreaterThan(3);
  });

  it('is that of a laptop in every voxel', async () => {
    const world = open();
    await told(world);
    const folder = await temporaryFolder();
    for (const { name, bytes } of await drawn()) {
      await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await writeFile(path.join(folder, name), bytes);
    }
    const out = path.join(folder, 'out');
    await runCommand(
      [path.join(folder, NAMES.name)],
      { out, bundle: TINY_BUNDLE, threads: 1, slicesPerJob: 4, postprocess: true, force: false },
      silentProgress,
    );
    const local = path.join(out, `${NAMES.name}-s1`);
    expect(Buffer.from(await world.store.get(keys().mask))).toEqual(
      await readFile(path.join(local, 'mask.nii.gz')),
    );
    const here = readSegmentation(await readFile(path.join(local, 'segmentation.dcm')));
    const there = readSegmentation(await world.store.get(keys().dicomSeg));
    expect(there.frames).toEqual(here.frames);
  });

  it('is written once, however often the run becomes the newest', async () => {
    const world = open();
    await told(world);
    const version = world.bucket.versionOf(keys().dicomSeg);
    expect(await told(world)).toEqual(['DuplicateEvents']);
    expect(world.bucket.versionOf(keys().dicomSeg)).toBe(version);
  });

  it('names nobody in logs, and stands in the key of a case that names nobody', async () => {
    const world = open();
    await told(world);
    const seen = [...world.logs, ...site.logs, keys().dicomSeg].join('\n');
    for (const planted of [...Object.values(NAMES), seriesUidOf(NAMES), studyUidOf(NAMES)])
      expect(seen).not.toContain(planted);
  });

  it('is fetched with the mask; who may not read it gets the rest', async () => {
    const world = open();
    await told(world);
    const fetched = async (folder: string) => {
      const options = { dataset: 'liver', out: folder };
      const [one] = await fetchCases(world.store, options, silentProgress);
      return one!.files.map((file) => path.basename(file));
    };
    const whole = await fetched(await temporaryFolder());
    expect(whole).toContain('segmentation.dcm');
    world.bucket.onGet = (key) => {
      if (key.endsWith('segmentation.dcm')) throw serviceFailure('AccessDenied', 403);
    };
    const rest = await fetched(await temporaryFolder());
    expect(rest).toEqual(whole.filter((file) => file !== 'segmentation.dcm'));
  });

  it('is not made of a case that came as NIfTI, which costs one request', async () => {
    const world = open();
    await world.store.remove(cloudKeys.dicomSource('liver', caseId));
    world.bucket.requests();
    expect(await told(world)).toEqual([]);
    expect(world.bucket.requests()).toEqual(['GetObject']);
  });

  it('is missing with a reason where the upload is gone, and the mask stands', async () => {
    const world = open();
    world.bucket.forget(ZIP, world.bucket.versionOf(ZIP));
    expect(await told(world)).toEqual(['dicom-seg-failed', 'DicomSegsFailed']);
    const reason = await world.json(cloudKeys.noSegmentation('liver', caseId, runId));
    expect(reason).toMatchObject({ runId, code: 'blob-missing' });
    expect(JSON.stringify(reason)).not.toContain('Ostrander');
    expect(world.bucket.keys(keys().prefix)).not.toContain(keys().dicomSeg);
    expect(world.bucket.keys(keys().prefix)).toContain(keys().mask);
    expect(await told(world)).toEqual(['DuplicateEvents']);
  });

  it('is tried again where storage does not answer', async () => {
    const world = open();
    world.bucket.onPut = async () => {
      throw serviceFailure('SlowDown', 503);
    };
    await expect(told(world)).rejects.toThrow();
    world.bucket.onPut = undefined;
    expect(world.metrics.get('DicomSegsFailed')).toBeUndefined();
    expect(await told(world)).toEqual(['dicom-seg', 'DicomSegsWritten']);
  });

  it('is left to the next run where the series has come again with other images', async () => {
    const world = open();
    const changed = { ...(await source(world)), volumeVersionId: 'another' };
    await world.store.put(
      cloudKeys.dicomSource('liver', caseId),
      Buffer.from(JSON.stringify(changed)),
    );
    expect(await told(world)).toEqual(['dicom-seg-superseded']);
    expect(world.bucket.keys(keys().prefix)).not.toContain(keys().dicomSeg);
  });

  it('goes with the case, and a late event brings nothing of it back', async () => {
    const world = open();
    const event = world.created(cloudKeys.latest('liver', caseId));
    await world.deliver('dicom-seg', event);
    const options = { dataset: 'liver', trainingData: false, yes: true, quietSeconds: 0 };
    const ports = {
      store: world.store,
      jobs: { find: async () => new Map(), terminate: async () => {} },
      sleep: async () => {},
      tell: () => {},
    };
    const { exitCode } = await purge({ dataset: 'liver', caseId }, options, ports);
    expect(exitCode).toBe(0);
    expect(await world.deliver('dicom-seg', event)).toEqual([]);
    const left = world.bucket.everything().map(({ body }) => Buffer.from(body));
    expect(left.some((body) => body.includes(NAMES.patientName))).toBe(false);
    expect(world.bucket.everyKey().filter((key) => key.startsWith(keys().prefix))).toEqual([]);
  });

  it('is not written of a case of which the pointer is gone', async () => {
    const world = open();
    const event = world.created(cloudKeys.latest('liver', caseId));
    await world.store.remove(cloudKeys.latest('liver', caseId));
    expect(await world.deliver('dicom-seg', event)).toEqual([]);
    expect(world.bucket.keys(keys().prefix)).not.toContain(keys().dicomSeg);
  });
});
