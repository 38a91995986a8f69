import * as z from 'zod';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { StoredVersion } from '../../adapters/s3-versions.ts';
import { caseIdOf } from '../../core/dataset/case-id.ts';
import { StorageError } from '../../core/errors.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { activePrefixes } from '../bundles.ts';
import { PREFIX } from '../contract/keys.ts';
import type { TrainingRecord, TrainingState } from '../contract/training.ts';
import { listTrainings } from '../training/records.ts';
import type { NamesCase } from './named.ts';
import { type CaseName, readVersion } from './traces.ts';

/**
 * Training data are copies that somebody made, under names that he chose: a file that bears the case's
 * name may be its copy. And what a bundle has learnt cannot be taken out of it: it is named.
 */
export interface TrainingTraces {
  /** Files of data sets that bear the case's name, all versions. */
  readonly copies: readonly StoredVersion[];
  /** Keys of tables (splits, patients, records of trainings) that name it and are edited by hand. */
  readonly tables: readonly string[];
  readonly trainings: readonly LearntFrom[];
}

/** A training whose data held the case, as far as names tell. */
export interface LearntFrom {
  readonly id: string;
  readonly state: TrainingState;
  /** Of the bundle that came out; its card says the same id. */
  readonly bundlePrefix: string | null;
  readonly isActive: boolean;
}

/** Tables are small; a volume is no table whatever its name. */
const LARGEST_TABLE_BYTES = 16 * 2 ** 20;

const TABLE = /\.(json|jsonl|csv|tsv|txt|yaml|yml|md)$/;

export async function findTrainingTraces(
  store: S3Store,
  { caseId }: CaseName,
  names: NamesCase,
): Promise<TrainingTraces> {
  const copies: StoredVersion[] = [];
  const tables = new Set<string>();
  const folders = new Set<string>();
  for (const prefix of [PREFIX.trainingData, PREFIX.trainingRuns])
    for await (const version of store.listVersions(prefix)) {
      const isCopy = prefix === PREFIX.trainingData && bearsName(version.key, caseId);
      if (isCopy) copies.push(version);
      else if (await isTableOf(store, version, names)) tables.add(version.key);
      else continue;
      folders.add(version.key.slice(0, version.key.indexOf('/', prefix.length) + 1));
    }
  return { copies, tables: [...tables], trainings: await learntFrom(store, folders) };
}

const bearsName = (key: string, caseId: string): boolean =>
  caseIdOf(key.slice(key.lastIndexOf('/') + 1)) === caseId;

async function isTableOf(
  store: S3Store,
  version: StoredVersion,
  names: NamesCase,
): Promise<boolean> {
  if (version.isDeleteMarker || !TABLE.test(version.key)) return false;
  if (version.bytes > LARGEST_TABLE_BYTES) return false;
  return names(Buffer.from(await readVersion(store, version)).toString('utf8'));
}

/** Of a request of any version of sammix, what it learns from. */
const DataOf = z.object({ dataPrefix: z.string().optional() });

async function learntFrom(store: S3Store, folders: ReadonlySet<string>): Promise<LearntFrom[]> {
  if (folders.size === 0) return [];
  const active = await activePrefixes(store);
  const found: LearntFrom[] = [];
  for (const record of (await listTrainings(store)).records) {
    const { id, state, bundlePrefix } = record;
    const dataPrefix = await dataOf(record, store);
    const touched = [...folders].some(
      (folder) =>
        // What cannot be known any more is named.
        dataPrefix === undefined ||
        dataPrefix.startsWith(folder) ||
        folder === `${PREFIX.trainingRuns}${id}/`,
    );
    const isActive = bundlePrefix !== null && active.includes(bundlePrefix);
    if (touched) found.push({ id, state, bundlePrefix, isActive });
  }
  return found;
}

/** Undefined where the request is not kept any more. */
async function dataOf(
  { id, requestKey: key, requestVersion: versionId }: TrainingRecord,
  store: S3Store,
): Promise<string | undefined> {
  try {
    const { dataPrefix } = fromJsonBytes(DataOf, await readVersion(store, { key, versionId }));
    // Of uploads: the record of them, which names the case where it was among them.
    return dataPrefix ?? `${PREFIX.trainingRuns}${id}/`;
  } catch (error) {
    if (error instanceof StorageError && error.code === 'blob-missing') return undefined;
    throw error;
  }
}
