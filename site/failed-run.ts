import type { Log } from '../adapters/log.ts';
import { provenance } from '../adapters/provenance.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import type { FailedReport } from '../core/contract/report.ts';
import { type Fault, type InputError, SammixError } from '../core/errors.ts';
import { putJson } from '../core/json.ts';
import { reportFailure } from '../core/stage/report.ts';
import type { RegisteredBundle } from './bundles.ts';
import type { JobStateChange, ObjectCreated, SiteEvent } from './contract/events.ts';
import {
  cloudKeys,
  cloudRunKeys,
  parseDicomUpload,
  parseTrainingRequest,
  parseUpload,
  runIdOfJobName,
  type Upload,
} from './contract/keys.ts';
import type { RunRecord } from './contract/runs.ts';
import { failDicomUpload } from './dicom/fail.ts';
import { forEvery } from './for-every.ts';
import { pointLatest } from './latest.ts';
import type { EmitMetrics } from './metrics.ts';
import { advance, type Claimed, imageVersion, newRun, readRun } from './runs.ts';
import { type SiteTarget, wantedOf } from './targets.ts';
import { failRequest } from './training/end.ts';

/**
 * Moves a refused upload aside, with a machine-readable reason, and reports the case as failed. The
 * original version stays below a delete marker for as long as the site keeps old versions. Of several
 * targets the main one moves it; a further one that refuses it has its report.
 */
export async function quarantine(
  claimed: Claimed,
  error: InputError,
  store: S3Store,
): Promise<void> {
  const { record } = claimed;
  const { dataset, runId, imageKey, input, target } = record;
  const version = imageVersion(record);
  const kept = cloudKeys.quarantined(dataset, runId, input.name);
  if (target === undefined) {
    await keepAside({ key: imageKey, version, kept }, store);
    const reason = { schemaVersion: 1, runId, imageKey, version, kept, fault: error.fault };
    await putJson(store, cloudKeys.quarantineReason(dataset, runId), reason);
  }
  await refuseRun(claimed, error, store);
  if (target === undefined) await takeAway({ key: imageKey, version }, store);
}

interface UploadedVersion {
  readonly key: string;
  readonly version: string;
}

/** Copies an upload to where refused ones are kept. */
export async function keepAside(
  { key, version, kept }: UploadedVersion & { readonly kept: string },
  store: S3Store,
): Promise<void> {
  await store.put(kept, (await store.open(key, version)).body);
}

/** A newer upload under the same name must not vanish below this delete marker. */
export async function takeAway({ key, version }: UploadedVersion, store: S3Store): Promise<void> {
  if ((await store.stat(key))?.version === version) await store.remove(key);
}

/**
 * Reports a case as failed whose image was refused before it was split.
 *
 * @returns false where that was done before
 */
export async function refuseRun(
  claimed: Claimed,
  error: InputError,
  store: S3Store,
): Promise<boolean> {
  await writeFailure(claimed.record, 'preflight', error, store);
  const reportedAt = new Date().toISOString();
  return advance(store, claimed, { state: 'quarantined', reportedAt });
}

/** The failure report of a run, and the pointer to it. */
async function writeFailure(
  record: RunRecord,
  stage: FailedReport['stage'],
  error: SammixError,
  store: S3Store,
): Promise<void> {
  const { dataset, caseId, runId } = record;
  const keys = cloudRunKeys(dataset, caseId, runId);
  const report = await reportFailure(
    {
      keys,
      caseId,
      runId,
      inputName: record.input.name,
      stage,
      error,
      provenance: provenance(null),
    },
    { store },
  );
  await pointLatest(store, record, report);
}

export interface FailurePorts {
  readonly store: S3Store;
  readonly headerText: boolean;
  readonly targets: readonly SiteTarget[];
  readonly log: Log;
  readonly emit: EmitMetrics;
}

/**
 * What could not be done is reported as well: a GPU job that failed for good, and messages that no
 * attempt could handle.
 */
export async function reportFailedRun(event: SiteEvent, ports: FailurePorts): Promise<void> {
  if (event.source === 'aws.batch') return failedJob(event, ports);
  const { key, 'version-id': version } = event.detail.object;
  const upload = parseUpload(key);
  if (upload?.kind === 'image') return failedUpload(event, upload, ports);
  const dicom = parseDicomUpload(key);
  if (dicom) return failDicomUpload(event, dicom, ports);
  if (parseTrainingRequest(key) !== undefined) return failRequest({ key, version }, ports);
  ports.emit({ CasesFailed: 1 });
  ports.log.warn('label-not-processed');
}

async function failedJob({ detail }: JobStateChange, ports: FailurePorts): Promise<void> {
  const id = runIdOfJobName(detail.jobName);
  const claimed = id === undefined ? undefined : await readRun(ports.store, id);
  if (!claimed) return ports.log.warn('job-of-no-run', { jobId: detail.jobId });
  const { record } = claimed;
  // A duplicate job may fail after the first one's results were reported, or announce it twice.
  if (record.state === 'reported' || record.state === 'failed')
    return ports.emit({ DuplicateEvents: 1 });
  // Its case is being purged: nothing may be written of it.
  if (record.state === 'withdrawn') return ports.log.info('withdrawn', { runId: record.runId });
  const failed = detail.status === 'FAILED';
  await failRun(claimed, failed ? 'segment' : 'report', ports, {
    code: failed ? 'job-failed' : 'report-failed',
    subject: record.input.name,
    expected: failed ? 'the GPU job to end well' : 'the finished slabs to become a report',
    found: failed ? (detail.statusReason ?? 'a failure without a reason') : 'repeated failures',
    remedy: `See the log of ${failed ? `Batch job ${detail.jobId}` : 'the assemble function'}; upload the image again when the cause is gone.`,
  });
}

/** The split function gave up; of each target it may or may not have got as far as claiming the run. */
async function failedUpload(
  event: ObjectCreated,
  upload: Upload,
  ports: FailurePorts,
): Promise<void> {
  const { key, 'version-id': version } = event.detail.object;
  // Another message of the same upload came through, or its case was purged.
  if (await ports.store.stat(cloudKeys.handled(key, version))) return;
  const { store, headerText } = ports;
  const { targets, names } = await wantedOf(upload.dataset, ports.targets);
  await forEvery(targets, async ({ target, bundle }) => {
    let [known, problem]: [RegisteredBundle | undefined, unknown] = [undefined, undefined];
    try {
      known = await bundle();
    } catch (error) {
      problem = error;
    }
    const settings = { slicesPerJob: 1, slicesPerSlab: 1, headerText, target, names };
    const unclaimed = newRun(event, upload, known, settings);
    const claimed = await readRun(store, unclaimed.runId);
    if (claimed && claimed.record.state !== 'claimed') return;
    const fault = splitFault(unclaimed, problem);
    await failRun(claimed ?? { record: unclaimed, etag: undefined }, 'split', ports, fault);
  });
}

/** Why the split function has given up, as far as it can be told: the bundle, or whatever its log says. */
const splitFault = ({ imageKey }: RunRecord, bundle: unknown): Fault => ({
  ...(bundle instanceof SammixError
    ? bundle.fault
    : {
        code: 'split-failed',
        expected: 'the image to be read and split',
        found: 'repeated failures',
        remedy: 'See the log of the split function; upload the image again when the cause is gone.',
      }),
  subject: imageKey,
});

/** Reports a run as failed, once. */
export async function failRun(
  claimed: Claimed,
  stage: FailedReport['stage'],
  { store, log, emit }: Pick<FailurePorts, 'store' | 'log' | 'emit'>,
  fault: Fault,
): Promise<void> {
  const { record } = claimed;
  await writeFailure(record, stage, new SammixError(fault), store);
  const reportedAt = new Date().toISOString();
  if (!(await advance(store, claimed, { state: 'failed', reportedAt }))) return;
  emit({ CasesFailed: 1 });
  log.warn('failed', { runId: record.runId, traceId: record.traceId, stage, code: fault.code });
}
