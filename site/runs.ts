import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { S3Store } from '../adapters/s3-store.ts';
import { runId } from '../core/contract/keys.ts';
import { parametersOf } from '../core/contract/manifest.ts';
import { hashed } from '../core/dataset/case-id.ts';
import type { ClassTable } from '../core/dataset/class-tables.ts';
import { choiceVersion, type LabelChoice, namesTarget } from '../core/dataset/label-meaning.ts';
import { isCalledLiver } from '../core/dataset/layout.ts';
import { StorageError } from '../core/errors.ts';
import { fromJsonBytes, getJson, putJson, toJsonBytes } from '../core/json.ts';
import type { LabelInput } from '../core/stage/compare.ts';
import type { RegisteredBundle } from './bundles.ts';
import { traceId } from './context.ts';
import type { ObjectCreated } from './contract/events.ts';
import { cloudKeys, inputVersion, parseUpload, type Upload, versionIdOf } from './contract/keys.ts';
import { JobRecord, LabelPointer, LatestPointer, RunRecord } from './contract/runs.ts';
import type { Lease, Tagged } from './lease.ts';
import { findJson, movePointer, replaceJson } from './records.ts';

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

/** Which image a case's name belongs to, where names differ by their ending only (`a.nii`, `a.nii.gz`). */
export const CaseImage = z.strictObject({
  schemaVersion: z.literal(1),
  key: z.string(),
  /** True from when another image came whose name gives the same case. */
  contested: z.boolean(),
});

/**
 * The case of an image: its name's, unless another image has that. Then a label that does not bear the
 * image's whole name is nobody's.
 */
export async function claimCase(store: S3Store, upload: Upload, key: string): Promise<string> {
  const { dataset, caseId } = upload;
  const owner = cloudKeys.caseImage(dataset, caseId);
  const mine = { schemaVersion: 1 as const, key, contested: false };
  if ((await store.putIf(owner, toJsonBytes(mine))) !== undefined) return caseId;
  const found = await findJson(store, owner, CaseImage);
  if (found === undefined || found.key === key) return caseId;
  if (!found.contested)
    await replaceJson(store, owner, CaseImage, (now) => now && { ...now, contested: true });
  return hashed(caseId, upload.place);
}

/** The label of a run's case, if it may be that image's and is of its target. */
export async function labelOfRun(
  store: S3Store,
  {
    dataset,
    caseId,
    imageKey,
    target,
  }: Pick<RunRecord, 'dataset' | 'caseId' | 'imageKey' | 'target'>,
): Promise<LabelPointer | undefined> {
  const label = await readLabelPointer(store, dataset, caseId);
  if (label && !isLabelOf(label, target)) return undefined;
  if (!label || parseUpload(label.key)?.place === parseUpload(imageKey)?.place) return label;
  const owner = await findJson(store, cloudKeys.caseImage(dataset, caseId), CaseImage);
  return owner?.contested ? undefined : label;
}

/**
 * Whether a label is read for a target. For a further one only where the dataset.json names it: else the
 * label may be of the main one.
 */
export const isLabelOf = (label: LabelPointer, target: string | undefined): boolean =>
  target === undefined || namesTarget(tablesOf(label), target);

/** What the site's file says of a dataset's labels is said of the main target. */
const choiceOf = ({ choice }: LabelPointer, target: string | undefined): LabelChoice =>
  target === undefined ? (choice ?? {}) : { ignore: choice?.ignore, target };

/** A stored label as the comparison reads it, for the main target or a further one. */
export const storedLabel = (
  label: LabelPointer,
  store: S3Store,
  target: string | undefined,
): LabelInput => ({
  name: label.name,
  version: labelVersion(label, target),
  choice: {
    ...choiceOf(label, target),
    options: {
      value: "labels.<dataset>.values in the site's file",
      name: 'labels.<dataset>.names',
    },
  },
  tables: tablesOf(label),
  calledLiver: isCalledLiver(label.name),
  async *open() {
    yield* (await store.open(label.key, label.version)).body;
  },
});

/** Changes with the content and with what the site's file and the dataset.json say of its classes. */
export const labelVersion = (label: LabelPointer, target: string | undefined): string => {
  const said = choiceVersion(choiceOf(label, target), tablesOf(label));
  return said === '' ? label.version : `${label.version} ${said}`;
};

const tablesOf = ({ classes }: LabelPointer): ClassTable[] =>
  classes ? [{ source: 'dataset.json', classes }] : [];

/** Says that a run has begun: until it has ended, the watch looks at it. */
export const markOpen = (store: S3Store, runId: string): Promise<void> =>
  store.put(cloudKeys.openRun(runId), new Uint8Array(0));

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

/** @param target a further one; the main one where it is left out */
export const readLatest = (store: S3Store, dataset: string, caseId: string, target?: string) =>
  findJson(store, cloudKeys.latest(dataset, caseId, target), LatestPointer);

export const readLabelPointer = (store: S3Store, dataset: string, caseId: string) =>
  findJson(store, cloudKeys.labelPointer(dataset, caseId), LabelPointer);

export const pointLabel = (
  store: S3Store,
  { dataset, caseId }: { readonly dataset: string; readonly caseId: string },
  pointer: LabelPointer,
): Promise<boolean> =>
  movePointer(store, cloudKeys.labelPointer(dataset, caseId), LabelPointer, pointer);

export interface RunSettings {
  readonly headerText: boolean;
  readonly slicesPerJob: number;
  readonly slicesPerSlab: number;
  /** Which further target it is; undefined for the main one. */
  readonly target: string | undefined;
  /** All that are wanted of the upload; undefined where the main one is the only one. */
  readonly names: string[] | undefined;
}

/** The record of a run that nobody has claimed yet. Equal uploads and bundles give equal ids. */
export function newRun(
  event: ObjectCreated,
  upload: Upload,
  bundle: RegisteredBundle | undefined,
  { slicesPerJob, slicesPerSlab, headerText, target, names }: RunSettings,
): RunRecord {
  const { object } = event.detail;
  const input = {
    name: upload.fileName,
    bytes: object.size,
    version: inputVersion(object['version-id']),
  };
  const parameters = bundle ? parametersOf(bundle.manifest, headerText) : NO_PARAMETERS;
  const bundleDigest = bundle?.digest ?? noBundleOf(target);
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
    ...(target !== undefined && { target }),
    ...(names && { targets: names }),
    claimedAt: new Date().toISOString(),
    job: null,
    reportedAt: null,
    cost: null,
  };
}

/** Stands for the bundle in the run id of an image that came before there was one. */
const noBundleOf = (target: string | undefined): string =>
  createHash('sha256')
    .update(target === undefined ? 'no bundle' : `no bundle of ${target}`)
    .digest('hex');

const NO_PARAMETERS = { largestComponent3d: false, fillHoles: false };

/** S3's version id of a run's image. */
export const imageVersion = ({ input }: Pick<RunRecord, 'input'>): string =>
  versionIdOf(input.version) ?? '';

/** The upload, or this version of it, was removed before its turn came: nothing is left to do. */
export const isWithdrawn = (error: unknown): boolean =>
  error instanceof StorageError &&
  error.code === 'blob-missing' &&
  error.fault.subject.includes('/incoming/');
