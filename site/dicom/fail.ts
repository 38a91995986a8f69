import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { DicomUpload } from '../contract/dicom.ts';
import type { ObjectCreated } from '../contract/events.ts';
import { cloudKeys, type DicomUploadKey } from '../contract/keys.ts';
import type { EmitMetrics } from '../metrics.ts';
import { replaceJson } from '../records.ts';
import { dicomUploadKey, newDicomUpload } from './uploads.ts';

/**
 * The function gave up on an upload of DICOM: what it may hold nobody knows. Cases that came of it are
 * done as any other.
 */
export async function failDicomUpload(
  event: ObjectCreated,
  upload: DicomUploadKey,
  { store, log, emit }: { readonly store: S3Store; readonly log: Log; readonly emit: EmitMetrics },
): Promise<void> {
  const { key, 'version-id': version } = event.detail.object;
  // Another message of the same upload came through, or what it holds was purged.
  if (await store.stat(cloudKeys.handled(key, version))) return;
  const draft = newDicomUpload(event, upload);
  const fault = {
    code: 'dicom-failed',
    subject: draft.uploadId,
    expected: 'the upload to be read and its series to become images',
    found: 'repeated failures',
    remedy: 'See the log of the dicom function; upload it again when the cause is gone.',
  };
  const failed = await replaceJson(store, dicomUploadKey(draft), DicomUpload, (now) =>
    now === undefined || now.state === 'claimed'
      ? { ...(now ?? draft), state: 'failed' as const, fault }
      : undefined,
  );
  if (!failed) return;
  emit({ CasesFailed: 1 });
  log.warn('failed', { uploadId: draft.uploadId, stage: 'dicom', code: fault.code });
}
