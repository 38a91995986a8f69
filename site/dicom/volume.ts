import type { S3Store } from '../../adapters/s3-store.ts';
import { InputError } from '../../core/errors.ts';
import { toJsonBytes } from '../../core/json.ts';
import type { AxialStack } from '../../dicom/series.ts';
import { planVolume } from '../../dicom/volume.ts';
import { niftiOfPlan, stackSha256 } from '../../dicom/volume-bytes.ts';
import { DicomSource } from '../contract/dicom.ts';
import { cloudKeys } from '../contract/keys.ts';
import { findJson } from '../records.ts';
import { problemsMetadata } from '../source-problems.ts';

/** What a series becomes at a site: the upload of an image, which the split takes as any other. */

/** Without S3's id of the volume's version, which is not written yet. */
export type SeriesOfCase = Omit<DicomSource, 'contentSha256' | 'volumeVersionId'>;

/** Under which the volume of a series is uploaded. */
export const volumeKeyOf = (dataset: string, caseId: string): string =>
  cloudKeys.incoming(dataset, 'images', `${caseId}.nii`);

/**
 * Uploads the volume of a series and says of which bytes it was made, unless that was done before.
 *
 * @throws InputError where the series cannot become a volume; it names the case and nothing of the series
 */
export async function uploadVolume(
  stack: AxialStack,
  series: SeriesOfCase,
  store: S3Store,
): Promise<'converted' | 'unchanged'> {
  const { caseId, volumeKey } = series;
  try {
    const { sha256: contentSha256 } = await stackSha256(stack);
    if (await isMadeOf(contentSha256, series, store)) return 'unchanged';
    const plan = planVolume(stack, caseId);
    const volumeVersionId = await store.putVersion(volumeKey, niftiOfPlan(plan), {
      ContentType: 'application/octet-stream',
      Metadata: problemsMetadata(plan.problems),
    });
    await recordNewest({ ...series, contentSha256, volumeVersionId }, store);
    return 'converted';
  } catch (error) {
    throw error instanceof InputError ? withoutNames(error, caseId) : error;
  }
}

/** The volume that is there was made of these bytes, whichever upload brought them. */
async function isMadeOf(
  contentSha256: string,
  { dataset, caseId, volumeKey }: SeriesOfCase,
  store: S3Store,
): Promise<boolean> {
  const known = await findJson(store, cloudKeys.dicomSource(dataset, caseId), DicomSource);
  if (known?.contentSha256 !== contentSha256) return false;
  return (await store.stat(volumeKey))?.version === known.volumeVersionId;
}

/**
 * Of two uploads of one series at the same time, the record is that of the volume which is the newest:
 * it is written over what was there before the newest was looked up, or not at all.
 */
async function recordNewest(source: DicomSource, store: S3Store): Promise<void> {
  const key = cloudKeys.dicomSource(source.dataset, source.caseId);
  const body = toJsonBytes(DicomSource.parse(source));
  for (;;) {
    const before = await store.getTagged(key);
    const newest = await store.stat(source.volumeKey);
    if (newest?.version !== source.volumeVersionId) return;
    if ((await store.putIf(key, body, before?.etag)) !== undefined) return;
  }
}

/** A fault of reading names a file and may quote its header; what was planned from geometry is numbers. */
function withoutNames({ fault, cause }: InputError, caseId: string): InputError {
  const found =
    fault.subject === caseId ? fault.found : 'an image whose header or pixels cannot be read';
  return new InputError({ ...fault, subject: caseId, found }, { cause });
}
