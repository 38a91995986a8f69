import { provenance } from '../adapters/provenance.ts';
import { advance, type Claimed, pointLatest } from '../adapters/run-records.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import { cloudKeys, cloudRunKeys } from '../core/contract/cloud-keys.ts';
import type { RunRecord } from '../core/contract/messages.ts';
import type { FailedReport } from '../core/contract/report.ts';
import type { InputError, SammixError } from '../core/errors.ts';
import { reportFailure } from '../core/stage/report.ts';
import { imageVersion } from './new-run.ts';

/**
 * Moves a refused upload aside, with a machine-readable reason, and reports the case as failed. The
 * original version stays below a delete marker for as long as the site keeps old versions.
 */
export async function quarantine(
  claimed: Claimed,
  error: InputError,
  store: S3Store,
): Promise<void> {
  const { record } = claimed;
  const { dataset, runId, imageKey, input } = record;
  const version = imageVersion(record);
  const kept = cloudKeys.quarantined(dataset, runId, input.name);
  await store.put(kept, (await store.open(imageKey, version)).body);
  const reason = { schemaVersion: 1, runId, imageKey, version, kept, fault: error.fault };
  await store.put(
    cloudKeys.quarantineReason(dataset, runId),
    Buffer.from(`${JSON.stringify(reason, null, 2)}\n`),
    'application/json',
  );
  await writeFailure(record, 'preflight', error, store);
  // A newer upload under the same name must not vanish below this delete marker.
  if ((await store.stat(imageKey))?.version === version) await store.remove(imageKey);
  await advance(store, claimed, { state: 'quarantined', reportedAt: new Date().toISOString() });
}

/** The failure report of a run, and the pointer to it. */
export async function writeFailure(
  record: RunRecord,
  stage: FailedReport['stage'],
  error: SammixError,
  store: S3Store,
): Promise<void> {
  const { dataset, caseId, runId, uploadedAt } = record;
  const keys = cloudRunKeys(dataset, caseId, runId);
  await reportFailure(
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
  await pointLatest(store, record, {
    schemaVersion: 1,
    runId,
    prefix: keys.prefix,
    status: 'failed',
    uploadedAt,
  });
}
