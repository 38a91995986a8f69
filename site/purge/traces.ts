import { pMapIterable } from 'p-map';
import * as z from 'zod';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { StoredVersion } from '../../adapters/s3-versions.ts';
import { RUN_ID } from '../../core/contract/hex.ts';
import { hashed } from '../../core/dataset/case-id.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { wholeStream } from '../../core/whole-stream.ts';
import {
  cloudKeys,
  PREFIX,
  parseUpload,
  runIdOfRecord,
  type Upload,
  uploadsBelow,
} from '../contract/keys.ts';
import { findJson } from '../records.ts';
import { CaseImage } from '../runs.ts';
import { type NamesCase, namesOf } from './named.ts';

/**
 * What a site's bucket keeps of one case. Everything is looked for anew, from listings of versions and
 * from what records say, so that the same search proves at the end that nothing is left.
 */

export interface CaseName {
  readonly dataset: string;
  readonly caseId: string;
}

/** What is the case's alone, and goes with all its versions and delete markers. */
export interface OwnTraces {
  readonly uploads: readonly StoredVersion[];
  /** Results, records, slabs, and what was put in quarantine. */
  readonly results: readonly StoredVersion[];
  readonly runIds: readonly string[];
  readonly names: NamesCase;
}

/** Objects read at once. */
export const AT_ONCE = 32;

/**
 * The case that an uploaded image has: its name's, or one of its own where another image has that.
 *
 * @see claimCase, which decides it
 */
export async function caseOfKey(store: S3Store, upload: Upload, key: string): Promise<string> {
  const { dataset, caseId, place } = upload;
  if (upload.kind === 'label') return caseId;
  const owner = await findJson(store, cloudKeys.caseImage(dataset, caseId), CaseImage);
  return owner === undefined || owner.key === key ? caseId : hashed(caseId, place);
}

export async function findOwnTraces(store: S3Store, name: CaseName): Promise<OwnTraces> {
  const { dataset, caseId } = name;
  const records = await runsOf(store, name);
  const uploads = await uploadsOf(store, name, new Set(records.map(({ imageKey }) => imageKey)));
  const below = await collect(store.listVersions(`${cloudKeys.case(dataset, caseId)}/`));
  const folders = below.map(({ key }) => key.split('/')[3] ?? '').filter((id) => RUN_ID.test(id));
  const runIds = [...new Set([...records.map(({ runId }) => runId), ...folders])];
  const results = [...below];
  results.push(...(await exactly(store, cloudKeys.caseImage(dataset, caseId))));
  for (const runId of runIds)
    for (const prefix of prefixesOfRun(dataset, runId))
      results.push(...(await collect(store.listVersions(prefix))));
  const names = namesOf(
    caseId,
    uploads.map(({ key }) => key.slice(key.lastIndexOf('/') + 1)),
  );
  return { uploads, results, runIds, names };
}

const prefixesOfRun = (dataset: string, runId: string): string[] => [
  cloudKeys.run(runId),
  `${PREFIX.runs}${runId}/`,
  cloudKeys.openRun(runId),
  `${PREFIX.work}${runId}/`,
  cloudKeys.quarantined(dataset, runId, ''),
];

/** Images and labels. Keys of records are the case's whatever their names say now. */
async function uploadsOf(
  store: S3Store,
  { dataset, caseId }: CaseName,
  known: ReadonlySet<string>,
): Promise<StoredVersion[]> {
  const found: StoredVersion[] = [];
  for (const kind of ['images', 'labels'] as const)
    for await (const version of store.listVersions(uploadsBelow(dataset, kind))) {
      const upload = parseUpload(version.key);
      if (!upload) continue;
      const own = hashed(upload.caseId, upload.place) === caseId;
      if (!(own || upload.caseId === caseId || known.has(version.key))) continue;
      if (own || (await caseOfKey(store, upload, version.key)) === caseId) found.push(version);
    }
  return found;
}

/** Of a record, whatever else another version of sammix has written into it. */
const RunOfCase = z.object({
  runId: z.string(),
  dataset: z.string(),
  caseId: z.string(),
  imageKey: z.string(),
});
type RunOfCase = z.infer<typeof RunOfCase>;

/** From every run's record, also of those that retention has removed and whose versions are kept. */
async function runsOf(store: S3Store, { dataset, caseId }: CaseName): Promise<RunOfCase[]> {
  const newest = new Map<string, StoredVersion>();
  for await (const version of store.listVersions(PREFIX.runs)) {
    if (version.isDeleteMarker || runIdOfRecord(version.key) === undefined) continue;
    const before = newest.get(version.key);
    if (!before || before.modifiedAt < version.modifiedAt) newest.set(version.key, version);
  }
  const found: RunOfCase[] = [];
  const records = pMapIterable(
    newest.values(),
    async (version) => fromJsonBytes(RunOfCase, await readVersion(store, version)),
    { concurrency: AT_ONCE },
  );
  for await (const record of records)
    if (record.dataset === dataset && record.caseId === caseId) found.push(record);
  return found;
}

export async function readVersion(
  store: S3Store,
  { key, versionId }: Pick<StoredVersion, 'key' | 'versionId'>,
): Promise<Uint8Array> {
  return wholeStream((await store.open(key, versionId)).body);
}

/** Versions of one key: a listing by prefix may hold longer ones. */
export const exactly = async (store: S3Store, key: string): Promise<StoredVersion[]> =>
  (await collect(store.listVersions(key))).filter((one) => one.key === key);

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
