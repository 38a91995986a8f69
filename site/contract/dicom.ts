import { createHmac } from 'node:crypto';
import * as z from 'zod';
import { FaultSchema } from '../../core/contract/fault.ts';
import { RunId } from '../../core/contract/ids.ts';

/**
 * DICOM at a site: which series a case is, and where its objects lie. The id of a case says nothing of
 * the series to whoever lacks the site's key; the way back is this map, which never leaves the bucket.
 */

/** Bytes of the site's key. */
export const DICOM_KEY_BYTES = 32;

/** `s` and 16 hexadecimal digits: a table's program takes digits and an `e` for a number. */
export const DICOM_CASE_ID = /^s[0-9a-f]{16}$/;

/** A volume of a DICOM series, whatever file it came in. */
export interface SeriesVolume {
  readonly seriesInstanceUid: string;
  /** Of the volumes of one series, from 1; null where it is the only one. */
  readonly part: number | null;
}

/**
 * The case of a volume: the first 16 digits of HMAC-SHA-256 over the Series Instance UID, and the part
 * where there are several.
 *
 * @param key of the site, `DICOM_KEY_BYTES` bytes
 */
export function dicomCaseId(key: Uint8Array, { seriesInstanceUid, part }: SeriesVolume): string {
  const text = part === null ? seriesInstanceUid : `${seriesInstanceUid}\n${part}`;
  return `s${createHmac('sha256', key).update(text).digest('hex').slice(0, 16)}`;
}

const Bytes = z.int().nonnegative();

/** One version of a zip file. */
const DicomArchive = z.strictObject({
  kind: z.literal('archive'),
  key: z.string(),
  versionId: z.string(),
  bytes: Bytes,
});
export type DicomArchive = z.infer<typeof DicomArchive>;

/** One version of each file of a series. */
const DicomFiles = z.strictObject({
  kind: z.literal('files'),
  /** Ends with `/`. */
  prefix: z.string(),
  files: z.array(
    z.strictObject({
      /** Relative to the prefix. */
      name: z.string(),
      versionId: z.string(),
      bytes: Bytes,
    }),
  ),
});
export type DicomFiles = z.infer<typeof DicomFiles>;

/** `dicom/<dataset>/<case>.json`: of which series, in which bytes, a case's newest volume was made. */
export const DicomSource = z.strictObject({
  schemaVersion: z.literal(1),
  dataset: z.string(),
  caseId: z.string().regex(DICOM_CASE_ID),
  source: z.discriminatedUnion('kind', [DicomArchive, DicomFiles]),
  seriesInstanceUid: z.string(),
  part: z.int().positive().nullable(),
  /** Of the objects' identifiers and bytes: the same series in another zip file has the same. */
  contentSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** The upload that the split takes, and S3's version of it. */
  volumeKey: z.string(),
  volumeVersionId: z.string(),
});
export type DicomSource = z.infer<typeof DicomSource>;

/** Beside a mask: why there is no DICOM-SEG of it. Of codes alone: who reads results may not read names. */
const NoSegmentation = z.strictObject({
  schemaVersion: z.literal(1),
  runId: RunId,
  code: z.string(),
  remedy: z.string(),
});
export type NoSegmentation = z.infer<typeof NoSegmentation>;

const Count = z.int().positive();

/**
 * `dicom/<dataset>/uploads/<id>.json`: what became of a zip file, or of the files beside a marker. Series
 * that are no cases, and files that cannot be read, are counted by reason.
 */
export const DicomUpload = z.strictObject({
  schemaVersion: z.literal(1),
  uploadId: RunId,
  dataset: z.string(),
  /** Of the zip file, or of the marker. */
  key: z.string(),
  versionId: z.string(),
  uploadedAt: z.iso.datetime(),
  /** `claimed`: being worked on since `claimedAt`. `refused`: nothing of it is a case. */
  state: z.enum(['claimed', 'converted', 'refused', 'withdrawn', 'failed']),
  claimedAt: z.iso.datetime(),
  /** `unchanged`: the case's volume was made of the same bytes before. */
  series: z.array(
    z.strictObject({
      caseId: z.string().regex(DICOM_CASE_ID),
      outcome: z.enum(['converted', 'unchanged', 'refused']),
      /** Why it was refused. */
      code: z.string().nullable(),
    }),
  ),
  leftAside: z.array(z.strictObject({ code: z.string(), files: Count })),
  /** Why nothing of it is a case. */
  fault: FaultSchema.nullable(),
});
export type DicomUpload = z.infer<typeof DicomUpload>;
