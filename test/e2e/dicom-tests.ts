import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { createS3Client } from '../../adapters/aws-clients.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { silentProgress } from '../../cli/progress.ts';
import { evaluateSite } from '../../cli/site/evaluate.ts';
import { fetchCases } from '../../cli/site/fetch.ts';
import { submitCases } from '../../cli/site/submit.ts';
import { encodePhantom, phantomCase } from '../../phantom/phantom.ts';
import { DicomSource, DicomUpload } from '../../site/contract/dicom.ts';
import { cloudKeys, cloudRunKeys, uploadHash } from '../../site/contract/keys.ts';
import { summariseDataset } from '../../site/summary.ts';
import { drawnSeries, type SeriesNames, seriesUidOf, studyUidOf } from '../support/dicom-series.ts';
import { readSegmentation } from '../support/segmentation-frames.ts';
import { type ZipEntry, zipOf } from '../support/zip.ts';
import { holding, versionsIn } from './bucket-scan.ts';
import { json, localRun, maskOf, measured, readAll, segmented, until } from './cases.ts';
import { ROOT } from './emulator.ts';

const run = promisify(execFile);

/** What an archive exports: of one patient, in folders and a file that bear the name. */
const NAME = 'Thistlewood';
const PATIENT = {
  patientName: `${NAME}^Agnes`,
  patientId: 'MRN-4471902',
  accessionNumber: 'ACC-90210-7',
  folder: `${NAME}/CT`,
} as const;
const AXIAL: SeriesNames = { ...PATIENT, name: 'thistlewood-2', number: '2' };
const LATE: SeriesNames = { ...PATIENT, name: 'thistlewood-3', number: '3' };
const PROJECTION: SeriesNames = {
  ...PATIENT,
  name: 'thistlewood-4',
  number: '4',
  imageType: ['DERIVED', 'SECONDARY', 'MIP'],
};
const PLANTED = [
  NAME,
  PATIENT.patientId,
  PATIENT.accessionNumber,
  ...[AXIAL, LATE, PROJECTION].flatMap((one) => [seriesUidOf(one), studyUidOf(one)]),
];

const SCAN = { columns: 64, rows: 64, slices: 28 };
const SEEDS = { [AXIAL.name]: 21, [LATE.name]: 22, [PROJECTION.name]: 23 };

const drawn = (names: SeriesNames): Promise<ZipEntry[]> =>
  drawnSeries(
    { ...SCAN, seed: SEEDS[names.name]! },
    { ...names, folder: `${names.folder} ${names.number}` },
  );

/** Where names may stand: in what was uploaded, in the map, and in the objects that go back to the archive. */
const MAY_NAME = /^incoming\/liver\/dicom\/|^dicom\/|\/segmentation\.dcm$/;

/** The Python that `npm test` makes for DICOM. */
const PYTHON = path.join(ROOT, 'test/golden/dicom/.venv/bin/python');

interface At {
  readonly site: S3Store;
  readonly bucket: string;
  readonly work: string;
}

/** A zip of DICOM that is dropped into the bucket, up to what goes back to the archive. */
export function dicomTests(at: () => At): void {
  /** Of the axial series, and of the other. */
  let cases: readonly { readonly caseId: string; readonly uid: string }[];
  const caseOf = (names: SeriesNames): string =>
    cases.find(({ uid }) => uid === seriesUidOf(names))!.caseId;
  const segmentationOf = async (site: S3Store, caseId: string) => {
    const { report } = await segmented(site, caseId);
    const key = cloudRunKeys('liver', caseId, report.runId!).dicomSeg;
    return until(`the DICOM-SEG of ${caseId}`, async () =>
      (await site.stat(key)) ? site.get(key) : undefined,
    );
  };

  describe('a zip of DICOM in the bucket', () => {
    it('becomes a case for each axial series, under names that say nothing', async () => {
      const { site } = at();
      const entries = (await Promise.all([AXIAL, LATE, PROJECTION].map(drawn))).flat();
      const key = cloudKeys.incoming('liver', 'dicom', `${NAME}, Agnes.zip`);
      await site.put(key, zipOf(entries));
      const { version } = (await site.stat(key))!;
      const record = cloudKeys.dicomUpload('liver', uploadHash(key, version));
      const upload = await until('the upload to be converted', async () => {
        const found = await site.getTagged(record);
        const one = found && DicomUpload.parse(JSON.parse(Buffer.from(found.body).toString()));
        return one?.state === 'claimed' ? undefined : one;
      });
      expect(upload).toMatchObject({ state: 'converted', fault: null });
      expect(upload.series.map(({ outcome }) => outcome)).toEqual(['converted', 'converted']);
      expect(upload.leftAside).toEqual([{ code: 'no-plain-slice', files: SCAN.slices }]);
      cases = await Promise.all(
        upload.series.map(async ({ caseId }) => {
          const map = DicomSource.parse(await json(site, cloudKeys.dicomSource('liver', caseId)));
          return { caseId, uid: map.seriesInstanceUid };
        }),
      );
      expect(cases.map(({ uid }) => uid).sort()).toEqual([AXIAL, LATE].map(seriesUidOf).sort());
    });

    it.each([
      ['2', AXIAL],
      ['3', LATE],
    ])('has for series %s the mask, numbers and DICOM-SEG of a laptop', async (_, names) => {
      const { site, work } = at();
      const caseId = caseOf(names);
      const folder = path.join(work, names.name);
      await mkdir(folder, { recursive: true });
      for (const [n, { bytes }] of (await drawn(names)).entries())
        await writeFile(path.join(folder, `${n}.dcm`), bytes);
      const local = await localRun(work, folder);
      const { report, prefix } = await segmented(site, caseId);
      expect(await maskOf(site, prefix)).toEqual(local.mask);
      const { inputSha256: _volume, ...there } = measured(report) as Record<string, unknown>;
      const { inputSha256: _series, ...here } = measured(local.report) as Record<string, unknown>;
      expect(there).toEqual(here);
      expect(report.volumeMl).toBeGreaterThan(0);
      const made = readSegmentation(await segmentationOf(site, caseId));
      const expected = readSegmentation(
        await readFile(path.join(local.folder, 'segmentation.dcm')),
      );
      expect(made.frames).toEqual(expected.frames);
      expect(made.dataSet.string('x00100020')).toBe(PATIENT.patientId);
      expect(made.dataSet.string('x00080050')).toBe(PATIENT.accessionNumber);
    });

    it.skipIf(!existsSync(PYTHON))('has a DICOM-SEG that highdicom reads alike', async () => {
      const { site, work } = at();
      const bytes = await segmentationOf(site, caseOf(AXIAL));
      const file = path.join(work, 'segmentation.dcm');
      await writeFile(file, bytes);
      const script = path.join(ROOT, 'test/e2e/segmentation_frames.py');
      const { stdout } = await run(PYTHON, [script, file]);
      const ours = readSegmentation(bytes).frames.map(({ sopInstanceUid, mask }) => [
        sopInstanceUid,
        createHash('sha256').update(mask).digest('hex'),
      ]);
      expect(JSON.parse(stdout)).toEqual(ours);
    });

    it('takes a label under the name of its case, and keeps the DICOM-SEG as it is', async () => {
      const { site } = at();
      const caseId = caseOf(AXIAL);
      const before = await segmentationOf(site, caseId);
      const { label } = encodePhantom(phantomCase({ ...SCAN, seed: SEEDS[AXIAL.name]! }));
      await site.put(cloudKeys.incoming('liver', 'labels', `${caseId}.nii.gz`), gzipSync(label));
      await until('a comparison', async () => (await segmented(site, caseId)).report.comparison);
      expect(await segmentationOf(site, caseId)).toEqual(before);
    });

    it('is fetched with its DICOM-SEG', async () => {
      const { site, work } = at();
      const out = path.join(work, 'fetched-dicom');
      const caseId = caseOf(AXIAL);
      await fetchCases(site, { dataset: 'liver', case: caseId, out }, silentProgress);
      const fetched = await readFile(path.join(out, caseId, 'segmentation.dcm'));
      expect(fetched).toEqual(Buffer.from(await segmentationOf(site, caseId)));
    });

    it('is the same case when it is submitted from a folder, without another run', async () => {
      const { site, work } = at();
      const folder = path.join(work, NAME);
      await mkdir(folder, { recursive: true });
      for (const [n, { bytes }] of (await drawn(LATE)).entries())
        await writeFile(path.join(folder, `${NAME} ${n}`), bytes);
      const { report } = await segmented(site, caseOf(LATE));
      const options = { dataset: 'liver' };
      const { submitted } = await submitCases(site, [folder], options, silentProgress);
      const key = submitted[0]!.image;
      const { version } = (await site.stat(key))!;
      const record = cloudKeys.dicomUpload('liver', uploadHash(key, version));
      const upload = await until('the second upload to be read', async () => {
        const found = await site.getTagged(record);
        const one = found && DicomUpload.parse(JSON.parse(Buffer.from(found.body).toString()));
        return one?.state === 'converted' ? one : undefined;
      });
      expect(upload.series).toEqual([{ caseId: caseOf(LATE), outcome: 'unchanged', code: null }]);
      expect((await segmented(site, caseOf(LATE))).report.runId).toBe(report.runId);
    });

    it('names nobody in a log, a key, a result, a record, an evaluation or a summary', async () => {
      const { site, bucket, work } = at();
      await summariseDataset('liver', site);
      const { evaluation } = await evaluateSite(
        site,
        { dataset: 'liver', wait: true },
        silentProgress,
      );
      expect(evaluation?.cases.map((one) => one.caseId)).toContain(caseOf(AXIAL));
      const logs = await readAll(path.join(work, 'logs'));
      const all = await versionsIn(bucket);
      const open = all.filter(({ Key }) => !MAY_NAME.test(Key));
      // What is looked for can be found.
      const segmentations = all.filter(({ Key }) => Key.endsWith('/segmentation.dcm'));
      expect(await holding(bucket, segmentations, NAME)).toHaveLength(segmentations.length);
      expect(segmentations).toHaveLength(2);
      const folders = new Set(open.map(({ Key }) => Key.split('/')[0]));
      for (const folder of ['cases', 'runs', 'evaluations', 'summaries', 'work', 'incoming'])
        expect(folders).toContain(folder);
      const client = createS3Client();
      const metadata: unknown[] = [];
      for (const { Key, VersionId, isDeleteMarker } of open)
        if (!isDeleteMarker) {
          const head = { Bucket: bucket, Key, VersionId };
          metadata.push((await client.send(new HeadObjectCommand(head))).Metadata);
        }
      for (const planted of PLANTED) {
        expect(logs).not.toContain(planted);
        expect(JSON.stringify([open, metadata])).not.toContain(planted);
        expect(await holding(bucket, open, planted)).toEqual([]);
      }
    });
  });
}
