import { createHash } from 'node:crypto';
<<<<<<< HEAD
import type * as z from 'zod';
import { findJson, replaceJson } from '../adapters/json-object.ts';
=======
import type * as z from 'zod';
import {
  findJson,
  fromJsonBytes,
  getJson,
  replaceJson,
  toJsonBytes,
} from '../adapters/json-object.ts';
>>>>>>> 70b6956 (Import zod as a namespace everywhere)
import type { S3Store } from '../adapters/s3-store.ts';
import { runId } from '../core/contract/keys.ts';
import type { Parameters } from '../core/contract/manifest.ts';
import { fromJsonBytes, getJson, toJsonBytes } from '../core/json.ts';
import { traceId } from '../functions/each-message.ts';
import type { RegisteredBundle } from './bundles.ts';
import type { ObjectCreated } from './contract/events.ts';
import { cloudKeys, type Upload } from './contract/keys.ts';
import {
  JobRecord,
  LabelPointer,
  LatestPointer,
  RunRecord,
  type RunState,
} from './contract/runs.ts';

/** Small JSON objects that say where a site's work stands. All writes that could race are conditional. */

export interface Claimed {
  readonly record: RunRecord;
  /** Of the record as written, for `advance`; undefined where it is not written yet. */
  readonly etag: string | undefined;
}

export type Claim =
  | { readonly outcome: 'mine'; readonly claimed: Claimed }
  | { readonly outcome: 'done'; readonly state: RunState }
  | { readonly outcome: 'in-progress' };

/**
 * Takes a run for this invocation. A run that is done costs one request. A claim older than the
 * lease was left by a crash and is taken over; of two that try, one wins.
 */
export async function claimRun(
  store: S3Store,
  record: RunRecord,
  leaseSeconds: number,
): Promise<Claim> {
  const key = cloudKeys.run(record.runId);
  const found = await store.getTagged(key);
  if (found) {
    const { state, claimedAt } = fromJsonBytes(RunRecord, found.body);
    if (state !== 'claimed') return { outcome: 'done', state };
    const ageSeconds = (Date.parse(record.claimedAt) - Date.parse(claimedAt)) / 1000;
    if (ageSeconds < leaseSeconds) return { outcome: 'in-progress' };
  }
  const etag = await store.putIf(key, toJsonBytes(record), found?.etag);
  if (etag === undefined) return { outcome: 'in-progress' };
  return { outcome: 'mine', claimed: { record, etag } };
}

/** Writes the next state of a run, unless something else has moved it on meanwhile. */
export async function advance(
  store: S3Store,
  { record, etag }: Claimed,
  change: Partial<RunRecord>,
): Promise<boolean> {
  const next = RunRecord.parse({ ...record, ...change });
  return (await store.putIf(cloudKeys.run(record.runId), toJsonBytes(next), etag)) !== undefined;
}

/** Gives a claim back after a failure, so that the next attempt need not wait for the lease to end. */
export async function release(store: S3Store, claimed: Claimed): Promise<void> {
  await advance(store, claimed, { claimedAt: new Date(0).toISOString() });
}

export async function readRun(store: S3Store, runId: string): Promise<Claimed | undefined> {
  const found = await store.getTagged(cloudKeys.run(runId));
  return found && { record: fromJsonBytes(RunRecord, found.body), etag: found.etag };
}

/** The run's record again beside its results, where people look for them. */
export async function writeAccount(store: S3Store, record: RunRecord): Promise<void> {
  const key = cloudKeys.account(record.dataset, record.caseId, record.runId);
  await store.put(key, toJsonBytes(record), 'application/json');
}

export async function writeJobRecord(
  store: S3Store,
  runId: string,
  record: JobRecord,
): Promise<void> {
  await store.put(
    cloudKeys.jobRecord(runId, record.index, record.attempt),
    toJsonBytes(record),
    'application/json',
  );
}

export async function readJobRecords(store: S3Store, runId: string): Promise<JobRecord[]> {
  const records: JobRecord[] = [];
  for await (const { key } of store.list(cloudKeys.jobRecords(runId)))
    records.push(await getJson(store, key, JobRecord));
  return records;
}

export const readLatest = (store: S3Store, dataset: string, caseId: string) =>
  findJson(store, cloudKeys.latest(dataset, caseId), LatestPointer);

export const readLabelPointer = (store: S3Store, dataset: string, caseId: string) =>
  findJson(store, cloudKeys.labelPointer(dataset, caseId), LabelPointer);

export const pointLatest = (
  store: S3Store,
  { dataset, caseId }: { readonly dataset: string; readonly caseId: string },
  pointer: LatestPointer,
): Promise<boolean> => point(store, cloudKeys.latest(dataset, caseId), LatestPointer, pointer);

export const pointLabel = (
  store: S3Store,
  { dataset, caseId }: { readonly dataset: string; readonly caseId: string },
  pointer: LabelPointer,
): Promise<boolean> => point(store, cloudKeys.labelPointer(dataset, caseId), LabelPointer, pointer);

/** How often two writers may get in each other's way before that is a failure. */
const POINT_ATTEMPTS = 8;

/** Moves a pointer forward, never back: an older upload's run that ends later changes nothing. */
async function point<Schema extends z.ZodType<{ uploadedAt: string }>>(
  store: S3Store,
  key: string,
  schema: Schema,
  pointer: z.output<Schema>,
): Promise<boolean> {
  const moved = await replaceJson(
    store,
    key,
    schema,
    (found) => (found && found.uploadedAt > pointer.uploadedAt ? undefined : pointer),
    POINT_ATTEMPTS,
  );
  return moved !== undefined;
}

export interface RunSettings {
  readonly slicesPerJob: number;
  readonly slicesPerSlab: number;
}

/** The record of a run that nobody has claimed yet. Equal uploads and bundles give equal ids. */
export function newRun(
  event: ObjectCreated,
  upload: Upload,
  bundle: RegisteredBundle | undefined,
  { slicesPerJob, slicesPerSlab }: RunSettings,
): RunRecord {
  const { object } = event.detail;
  const input = {
    name: upload.fileName,
    bytes: object.size,
    version: `s3:${object['version-id']}`,
  };
  const parameters = parametersOf(bundle);
  const bundleDigest = bundle?.digest ?? NO_BUNDLE;
  return {
    schemaVersion: 1,
    runId: runId(input, bundleDigest, parameters),
    state: 'claimed',
    dataset: upload.dataset,
    caseId: upload.caseId,
    imageKey: object.key,
    input,
    uploadedAt: new Date(event.time).toISOString(),
    bundlePrefix: bundle?.prefix ?? '',
    bundleDigest,
    parameters,
    slicesPerJob,
    slicesPerSlab,
    traceId: traceId(),
    claimedAt: new Date().toISOString(),
    job: null,
    reportedAt: null,
    cost: null,
  };
}

/** Stands for the bundle in the run id of an image that came before there was one. */
const NO_BUNDLE = createHash('sha256').update('no bundle').digest('hex');

export function parametersOf(bundle: RegisteredBundle | undefined): Parameters {
  if (!bundle) return { largestComponent3d: false, fillHoles: false };
  const { largestComponent3d, fillHoles } = bundle.manifest.postprocess;
  return { largestComponent3d, fillHoles };
}

/** The S3 version of a run's image. */
export const imageVersion = ({ input }: Pick<RunRecord, 'input'>): string =>
  input.version.slice('s3:'.length);
