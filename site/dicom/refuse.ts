import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { Fault, InputError } from '../../core/errors.ts';
import { putJson } from '../../core/json.ts';
import { undefinedWhereDamaged } from '../bundles.ts';
import type { DicomUpload } from '../contract/dicom.ts';
import type { ObjectCreated } from '../contract/events.ts';
import { cloudKeys, type DicomUploadKey } from '../contract/keys.ts';
import { keepAside, refuseRun, takeAway } from '../failed-run.ts';
import { forEvery } from '../for-every.ts';
import type { EmitMetrics } from '../metrics.ts';
import { newRun } from '../runs.ts';
import { type SiteTarget, wantedOf } from '../targets.ts';
import type { SeriesOfCase } from './volume.ts';

/** What cannot be segmented is told as of any image, without a name of a file, a patient or a series. */

export interface RefusePorts {
  readonly store: S3Store;
  readonly targets: readonly SiteTarget[];
  readonly headerText: boolean;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

/** The case of a series that cannot become a volume has a failure report for every target. */
export async function refuseSeries(
  event: ObjectCreated,
  { dataset, caseId, volumeKey }: SeriesOfCase,
  error: InputError,
  ports: RefusePorts,
): Promise<void> {
  const { store, headerText, emit, log } = ports;
  const { targets, names } = await wantedOf(dataset, ports.targets);
  const fileName = `${caseId}.nii`;
  const image = { kind: 'image' as const, dataset, caseId, fileName, place: fileName };
  await forEvery(targets, async ({ target, bundle }) => {
    const known = await bundle().catch(undefinedWhereDamaged);
    const settings = { slicesPerJob: 1, slicesPerSlab: 1, headerText, target, names };
    const record = newRun(underKey(event, volumeKey), image, known, settings);
    if (!(await refuseRun({ record, etag: undefined }, error, store))) return;
    emit({ CasesReceived: 1, CasesQuarantined: 1 });
    log.warn('quarantined', { runId: record.runId, code: error.code });
  });
}

/** The version of the upload, under the key that the volume would have had: the upload's own may be a name. */
const underKey = (event: ObjectCreated, key: string): ObjectCreated => ({
  ...event,
  detail: { ...event.detail, object: { ...event.detail.object, key } },
});

const KEPT_AS = 'upload.zip';

/** Faults whose text is counts and words of ours; of others it may quote a name inside the file. */
const PLAIN: ReadonlySet<string> = new Set(['no-ct-series', 'zip-encrypted', 'zip-too-large']);
const UNREADABLE = 'a file that cannot be read as one';

/**
 * A zip file of which nothing is a case goes to quarantine, under a name of ours; single files stay where
 * they are. The reason is beside it.
 *
 * @returns the fault without the names of files
 */
export async function refuseUpload(
  { kind }: DicomUploadKey,
  { dataset, uploadId, key, versionId }: DicomUpload,
  { fault: { found, ...rest } }: InputError,
  store: S3Store,
): Promise<Fault> {
  const fault = { ...rest, subject: uploadId, found: PLAIN.has(rest.code) ? found : UNREADABLE };
  const version = versionId;
  const kept = kind === 'archive' ? cloudKeys.quarantined(dataset, uploadId, KEPT_AS) : null;
  if (kept !== null) await keepAside({ key, version, kept }, store);
  const reason = { schemaVersion: 1, uploadId, version, kept, fault };
  await putJson(store, cloudKeys.quarantineReason(dataset, uploadId), reason);
  if (kept !== null) await takeAway({ key, version }, store);
  return fault;
}
