import { describe, expect, test } from 'vitest';
import type { AxialStack } from '../../dicom/series.ts';
import { sortFiles } from '../../dicom/sort-files.ts';
import { stackSha256 } from '../../dicom/volume-bytes.ts';
import { DICOM_CASE_ID, type DicomSource, dicomCaseId } from '../../site/contract/dicom.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { filesOfSource, openSeries } from '../../site/dicom/open-series.ts';
import { filesOf } from '../dicom/golden.ts';
import { MemoryBucket } from '../support/memory-bucket.ts';
import { zipOf } from '../support/zip.ts';

const KEY = 'incoming/liver/dicom/DOE^JANE.zip';

async function entriesOf(...names: string[]) {
  const files = (await Promise.all(names.map(filesOf))).flat();
  return Promise.all(
    files.map(async (file) => ({ name: file.name, bytes: await file.read(0, file.bytes) })),
  );
}

const identify = ({ seriesUid, part, slices }: AxialStack) => ({
  seriesUid,
  part,
  instances: slices.map(({ instance }) => instance.sopInstanceUid),
});

const sourceOf = (
  source: DicomSource['source'],
  stack: Pick<AxialStack, 'seriesUid' | 'part'>,
): DicomSource => ({
  schemaVersion: 1,
  dataset: 'liver',
  caseId: 's0123456789abcdef',
  source,
  seriesInstanceUid: stack.seriesUid,
  part: stack.part ?? null,
  contentSha256: '0'.repeat(64),
  volumeKey: cloudKeys.incoming('liver', 'images', 's0123456789abcdef.nii'),
  volumeVersionId: 'v9',
});

describe('a series is found again', () => {
  test('in a zip file in the bucket, in the version that was uploaded', async () => {
    const { store } = new MemoryBucket();
    const entries = await entriesOf('two-phases', 'tilted', 'enhanced-jpeg-2000');
    await store.put(KEY, zipOf(entries));
    const archive = { key: KEY, versionId: 'v1', bytes: (await store.get(KEY)).length };
    await store.put(KEY, Buffer.from('another upload'));
    const source = { kind: 'archive' as const, ...archive };
    const { stacks } = await sortFiles((await filesOfSource(source, store)).files);
    expect(stacks).toHaveLength(4);
    for (const stack of stacks) {
      const again = await openSeries(sourceOf(source, stack), store);
      expect(identify(again)).toEqual(identify(stack));
      expect(await stackSha256(again)).toEqual(await stackSha256(stack));
    }
    await expect(
      openSeries(sourceOf(source, { seriesUid: '1.2.3', part: undefined }), store),
    ).rejects.toMatchObject({ code: 'series-missing' });
  });

  test('in single files', async () => {
    const { store } = new MemoryBucket();
    const files = [];
    for (const { name, bytes } of await entriesOf('uneven')) {
      await store.put(`incoming/liver/dicom/visit/${name}`, bytes);
      files.push({ name, versionId: `v${files.length + 1}`, bytes: bytes.length });
    }
    const source = { kind: 'files' as const, prefix: 'incoming/liver/dicom/visit/', files };
    const [expected] = (await sortFiles(await filesOf('uneven'))).stacks;
    const found = await openSeries(sourceOf(source, expected!), store);
    expect(await stackSha256(found)).toEqual(await stackSha256(expected!));
  });
});

describe('a zip file that cannot be read', () => {
  const archive = { kind: 'archive' as const, key: KEY, versionId: 'v1', bytes: 200_000 };

  test('at this time is no bad zip file', async () => {
    const reset = Object.assign(new Error('socket'), { code: 'ECONNRESET' });
    const bucket = new MemoryBucket();
    Object.assign(bucket.answer, {
      GetObject: () => {
        throw reset;
      },
    });
    const { store } = bucket;
    await expect(filesOfSource(archive, store)).rejects.toMatchObject({ code: 'storage-failed' });
  });

  test.each([
    ['zip-encrypted', zipOf([{ name: 'a', bytes: Buffer.from('text'), encrypted: true }])],
    ['not-a-zip', Buffer.alloc(1000)],
  ])('%s names no file', async (code, body) => {
    const { store } = new MemoryBucket();
    await store.put(KEY, body);
    const error = await filesOfSource({ ...archive, bytes: body.length }, store).catch((e) => e);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toMatch(/DOE/);
  });
});

test('a case is named by the site key and the series, and never as a run is', () => {
  const key = Buffer.alloc(32, 7);
  const volume = { seriesInstanceUid: '1.2.840.113619.2.55.3', part: null };
  // printf 1.2.840.113619.2.55.3 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07
  expect(dicomCaseId(key, volume)).toBe('sa70badec38ec1014');
  expect(dicomCaseId(key, volume)).toMatch(DICOM_CASE_ID);
  expect(dicomCaseId(key, { ...volume, part: 1 })).not.toBe(dicomCaseId(key, volume));
  expect(dicomCaseId(Buffer.alloc(32, 8), volume)).not.toBe(dicomCaseId(key, volume));
});
