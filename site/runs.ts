import { createHash } from 'node:crypto';
import type * as z from 'zod';
import type { S3Store } from '../adapters/s3-store.ts';
import { runId } from '../core/contract/keys.ts';
import { parametersOf } from '../core/contract/manifest.ts';
import { fromJsonBytes, getJson, putJson, toJsonBytes } from '../core/json.ts';
import type { LabelInput } from '../core/stage/compare.ts';
import type { RegisteredBundle } from './bundles.ts';
import { traceId } from './context.ts';
import type { ObjectCreated } from './contract/events.ts';
import { cloudKeys, inputVersion, type Upload, versionIdOf } from './contract/keys.ts';
import { JobRecord, LabelPointer, LatestPointer, RunRecord } from './contract/runs.ts';
import type { Lease, Tagged } from './lease.ts';
import { findJson, replaceJson } from './records.ts';

/** Where a site's runs stand, and which of them and which label are a case's newest. */

/** A run's record as it was last written. */
export type Claimed = Tagged<RunRecord>;

/** The record of a run as a lease: it is worked on while it is `claimed`, and done in any other state. */
export const runLease = (
  store: S3Store,
  runId: string,
  leaseSeconds: number,
): Lease<typeof RunRecord> => ({
  store,
  key: cloudKeys.run(runId),
  schema: RunRecord,
  leaseSeconds,
  stateOf: ({ state }) => (state === 'claimed' ? 'held' : 'done'),
});

/** Writes the next state of a run, unless something else has moved it on meanwhile. */
export async function advance(
  store: S3Store,
  { record, etag }: Claimed,
  change: Partial<RunRecord>,
): Promise<boolean> {
  const next = RunRecord.parse({ ...record, ...change });
  return (await store.putIf(cloudKeys.run(record.runId), toJsonBytes(next), etag)) !== undefined;
}

export async function readRun(store: S3Store, runId: string): Promise<Claimed | undefined> {
  const found = await store.getTagged(cloudKeys.run(runId));
  return found && { record: fromJsonBytes(RunRecord, found.body), etag: found.etag };
}

/** The run's record again beside its results, where people look for them. */
export async function writeAccount(store: S3Store, record: RunRecord): Promise<void> {
  await putJson(store, cloudKeys.account(record.dataset, record.caseId, record.runId), record);
}

export async function writeJobRecord(
  store: S3Store,
  runId: string,
  record: JobRecord,
): Promise<void> {
  await putJson(store, cloudKeys.jobRecord(runId, record.index, record.attempt), record);
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

/** Moves a pointer forward, never back: an older upload's run that ends later changes nothing. */
async function point<Schema extends z.ZodType<{ uploadedAt: string }>>(
  store: S3Store,
  key: string,
  schema: Schema,
  pointer: z.output<Schema>,
): Promise<boolean> {
  const moved = await replaceJson(store, key, schema, (found) =>
    found && found.uploadedAt > pointer.uploadedAt ? undefined : pointer,
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
    version: inputVersion(object['version-id']),
  };
  const parameters = bundle ? parametersOf(bundle.manifest) : NO_PARAMETERS;
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

const NO_PARAMETERS = { largestComponent3d: false, fillHoles: false };

/** S3's version id of a run's image. */
export const imageVersion = ({ input }: Pick<RunRecord, 'input'>): string =>
  versionIdOf(input.version) ?? '';

/** A case's label, to be read when it is compared with. */
export const labelInput = ({ key, name, version }: LabelPointer, store: S3Store): LabelInput => ({
  name,
  version,
  async *open() {
    yield* (await store.open(key, version)).body;
  },
});
