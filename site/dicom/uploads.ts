import type { S3Store } from '../../adapters/s3-store.ts';
import { InputError } from '../../core/errors.ts';
import type { Instance } from '../../dicom/instance.ts';
import type { LeftAside } from '../../dicom/series.ts';
import type { DicomFiles, DicomSource, DicomUpload } from '../contract/dicom.ts';
import type { ObjectCreated } from '../contract/events.ts';
import { cloudKeys, type DicomUploadKey, filesBeside, uploadHash } from '../contract/keys.ts';

/** An upload of DICOM by its event: which bytes it is, and what is kept of what became of it. */

/** The record of an upload that nobody has worked on yet. */
export function newDicomUpload(
  { time, detail: { object } }: Pick<ObjectCreated, 'time' | 'detail'>,
  { dataset }: DicomUploadKey,
): DicomUpload {
  const { key, 'version-id': versionId } = object;
  return {
    schemaVersion: 1,
    uploadId: uploadHash(key, versionId),
    dataset,
    key,
    versionId,
    uploadedAt: new Date(time).toISOString(),
    state: 'claimed',
    claimedAt: new Date().toISOString(),
    series: [],
    leftAside: [],
    fault: null,
  };
}

export const dicomUploadKey = ({ dataset, uploadId }: DicomUpload): string =>
  cloudKeys.dicomUpload(dataset, uploadId);

/** The versions of which an upload is made: of the files beside a marker, those that are there now. */
export async function sourceOfUpload(
  { kind }: DicomUploadKey,
  { detail: { object } }: ObjectCreated,
  store: S3Store,
): Promise<DicomSource['source']> {
  const { key, size: bytes, 'version-id': versionId } = object;
  if (kind === 'archive') return { kind, key, versionId, bytes };
  const prefix = filesBeside(key);
  const files: DicomFiles['files'] = [];
  for await (const version of store.listVersions(prefix))
    if (version.isLatest && !version.isDeleteMarker && version.key !== key)
      files.push({
        name: version.key.slice(prefix.length),
        versionId: version.versionId,
        bytes: version.bytes,
      });
  return { kind, prefix, files };
}

/** Of single files those of one series alone: what else the series holds decides how it is sorted. */
export function sourceOfSeries(
  source: DicomSource['source'],
  instances: readonly Instance[],
  seriesInstanceUid: string,
): DicomSource['source'] {
  if (source.kind === 'archive') return source;
  const own = instances.filter(({ seriesUid }) => seriesUid === seriesInstanceUid);
  const names = new Set(own.map(({ file }) => file.name));
  return { ...source, files: source.files.filter(({ name }) => names.has(name)) };
}

/** How many files were left aside, by reason. */
export function countAside(leftAside: readonly LeftAside[]): DicomUpload['leftAside'] {
  const counts = new Map<string, number>();
  for (const { code, files } of leftAside) counts.set(code, (counts.get(code) ?? 0) + files.length);
  return [...counts].map(([code, files]) => ({ code, files }));
}

/** Why an upload without a case is refused. */
export const noCtSeries = (
  subject: string,
  aside: DicomUpload['leftAside'],
  files: number,
): InputError =>
  new InputError({
    code: 'no-ct-series',
    subject,
    expected: 'DICOM with an axial CT series of two images or more',
    found:
      aside.length === 0
        ? `${files} file(s), none of which is DICOM`
        : aside.map((one) => `${one.files} file(s) left aside: ${one.code}`).join(', '),
    remedy: 'Upload the axial series of a CT; "sammix check" says what a zip file holds.',
  });
