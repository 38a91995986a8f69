import type { S3Store } from '../../adapters/s3-store.ts';
import type { Fault } from '../../core/errors.ts';
import { fromJsonBytes, getJson, putJson, toJsonBytes } from '../../core/json.ts';
import type { RegisteredBundle } from '../bundles.ts';
import {
  cloudKeys,
  PREFIX,
  parseTrainingReason,
  parseTrainingRequest,
  trainingHash,
} from '../contract/keys.ts';
import { type CandidateBundle, TrainingReason, TrainingRecord } from '../contract/training.ts';

import type { Tagged } from '../lease.ts';

/** Small JSON objects that say what became of training requests, and which bundles came out. */

export type TaggedTraining = Tagged<TrainingRecord>;

/** By the hash of the request's id, as the job's name has it. */
export async function readTraining(
  store: S3Store,
  hash: string,
): Promise<TaggedTraining | undefined> {
  const found = await store.getTagged(cloudKeys.trainingJob(hash));
  return found && { record: fromJsonBytes(TrainingRecord, found.body), etag: found.etag };
}

/** Writes a record where it is still as it was read; false where something else was first. */
export async function writeTraining(
  store: S3Store,
  record: TrainingRecord,
  replaces: string | undefined,
): Promise<boolean> {
  const key = cloudKeys.trainingJob(trainingHash(record.id));
  const body = toJsonBytes(TrainingRecord.parse(record));
  return (await store.putIf(key, body, replaces)) !== undefined;
}

/** Says beside a request why it came to nothing. */
export async function writeTrainingReason(
  store: S3Store,
  request: { readonly key: string; readonly version: string },
  fault: Fault,
): Promise<void> {
  const id = parseTrainingRequest(request.key);
  if (id === undefined) return;
  const reason: TrainingReason = {
    schemaVersion: 1,
    requestKey: request.key,
    requestVersion: request.version,
    at: new Date().toISOString(),
    fault,
  };
  await putJson(store, cloudKeys.trainingReason(id), reason);
}

/** A corrected request is on its way: the old reason does not stand any more. */
export async function removeTrainingReason(store: S3Store, id: string): Promise<void> {
  const key = cloudKeys.trainingReason(id);
  if (await store.stat(key)) await store.remove(key);
}

/** Every accepted request, and the reasons of those that came to nothing. */
export async function listTrainings(
  store: S3Store,
): Promise<{ readonly records: TrainingRecord[]; readonly reasons: Map<string, TrainingReason> }> {
  const records: TrainingRecord[] = [];
  for await (const { key } of store.list(PREFIX.trainingJobs))
    records.push(await getJson(store, key, TrainingRecord));
  const reasons = new Map<string, TrainingReason>();
  for await (const { key } of store.list(PREFIX.trainingRequests)) {
    const id = parseTrainingReason(key);
    if (id !== undefined) reasons.set(id, await getJson(store, key, TrainingReason));
  }
  return { records, reasons };
}

/** Offers a registered bundle for promotion; offering it again changes nothing. */
export async function offerCandidate(
  store: S3Store,
  { prefix, digest, manifest: { name } }: RegisteredBundle,
  trainingId: string | null,
): Promise<void> {
  const registeredAt = new Date().toISOString();
  const candidate: CandidateBundle = {
    schemaVersion: 1,
    name,
    prefix,
    digest,
    registeredAt,
    trainingId,
  };
  await store.putIf(cloudKeys.candidate(digest), toJsonBytes(candidate));
}
