import { pMapIterable } from 'p-map';
import * as z from 'zod';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { StoredVersion } from '../../adapters/s3-versions.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { DicomUpload } from '../contract/dicom.ts';
import { cloudKeys, dicomUploadsBelow, filesBeside, parseDicomUpload } from '../contract/keys.ts';
import { replaceJson } from '../records.ts';
import { AT_ONCE, type CaseName, collect, exactly, readVersion } from './traces.ts';

/**
 * What a site keeps of the DICOM of which a case was made. An upload may hold other cases as well: while
 * one of them is there it stays, and is named; it goes with the last.
 */
export interface DicomTraces {
  /** Zip files, and markers with the files beside them, that hold no other case any more. */
  readonly uploads: readonly StoredVersion[];
  /** Which series the case is, and what became of those uploads. */
  readonly records: readonly StoredVersion[];
  /** Keys of uploads that hold another case too. */
  readonly shared: readonly string[];
  /** Keys of the records of those uploads, from which the case is taken, and their older versions. */
  readonly rewritten: readonly string[];
  readonly old: readonly StoredVersion[];
}

/** Of a record of any version of sammix. */
const RecordOfUpload = z.object({
  key: z.string(),
  versionId: z.string(),
  series: z.array(z.object({ caseId: z.string() })),
});

/** What all versions of an upload's record say. */
interface KnownUpload {
  readonly recordKey: string;
  readonly versions: readonly StoredVersion[];
  /** Of the zip file, or of the marker. */
  readonly key: string;
  readonly versionId: string;
  readonly cases: ReadonlySet<string>;
  /** The cases of the record as it is now. */
  readonly casesNow: ReadonlySet<string>;
}

export async function findDicomTraces(
  store: S3Store,
  { dataset, caseId }: CaseName,
): Promise<DicomTraces> {
  const own = await exactly(store, cloudKeys.dicomSource(dataset, caseId));
  const found = {
    uploads: [] as StoredVersion[],
    records: [...own],
    shared: [] as string[],
    rewritten: [] as string[],
    old: [] as StoredVersion[],
  };
  const all = await uploadsOf(store, dataset);
  for (const upload of all) {
    if (!upload.cases.has(caseId)) continue;
    const { recordKey, versions, casesNow, key } = upload;
    if (await anyIsThere(store, dataset, besideIt(caseId, upload, all))) {
      found.shared.push(key);
      if (casesNow.has(caseId)) found.rewritten.push(recordKey);
      found.old.push(...versions.filter(({ isLatest }) => !isLatest));
    } else {
      found.records.push(...versions);
      found.uploads.push(...(await versionsOfUpload(store, upload)));
    }
  }
  return found;
}

/** Every upload has a record of its own, also one under the key of another. */
async function uploadsOf(store: S3Store, dataset: string): Promise<KnownUpload[]> {
  const byKey = new Map<string, StoredVersion[]>();
  for await (const version of store.listVersions(dicomUploadsBelow(dataset)))
    byKey.set(version.key, [...(byKey.get(version.key) ?? []), version]);
  const read = pMapIterable(byKey, ([key, versions]) => knownUpload(store, key, versions), {
    concurrency: AT_ONCE,
  });
  return (await collect(read)).filter((one) => one !== undefined);
}

async function knownUpload(
  store: S3Store,
  recordKey: string,
  versions: readonly StoredVersion[],
): Promise<KnownUpload | undefined> {
  let known: KnownUpload | undefined;
  for (const version of versions) {
    if (version.isDeleteMarker) continue;
    const record = fromJsonBytes(RecordOfUpload, await readVersion(store, version));
    const { key, versionId } = record;
    const here = new Set(record.series.map(({ caseId }) => caseId));
    const cases = new Set([...(known?.cases ?? []), ...here]);
    const casesNow = version.isLatest ? here : (known?.casesNow ?? new Set());
    known = { recordKey, versions, key, versionId, cases, casesNow };
  }
  return known;
}

const isOfFiles = ({ key }: KnownUpload): boolean => parseDicomUpload(key)?.kind === 'files';

/** The other cases of an upload. Files beside a marker may be those of another upload by the same marker. */
function besideIt(
  caseId: string,
  upload: KnownUpload,
  all: readonly KnownUpload[],
): ReadonlySet<string> {
  const same = isOfFiles(upload) ? all.filter(({ key }) => key === upload.key) : [upload];
  const cases = new Set(same.flatMap((one) => [...one.cases]));
  cases.delete(caseId);
  return cases;
}

/** That version of a zip file, with the markers over it where it was the last; of a marker, all that it closes. */
async function versionsOfUpload(store: S3Store, upload: KnownUpload): Promise<StoredVersion[]> {
  const { key, versionId } = upload;
  if (isOfFiles(upload)) return collect(store.listVersions(filesBeside(key)));
  const versions = await exactly(store, key);
  const others = versions.some((one) => !one.isDeleteMarker && one.versionId !== versionId);
  return versions.filter((one) => one.versionId === versionId || (one.isDeleteMarker && !others));
}

async function anyIsThere(
  store: S3Store,
  dataset: string,
  cases: ReadonlySet<string>,
): Promise<boolean> {
  for (const caseId of cases)
    for (const prefix of [
      cloudKeys.dicomSource(dataset, caseId),
      `${cloudKeys.case(dataset, caseId)}/`,
    ])
      for await (const _ of store.listVersions(prefix)) return true;
  return false;
}

/** Takes the case out of the records of uploads that stay. */
export async function rewriteDicom(
  store: S3Store,
  { caseId }: CaseName,
  { rewritten }: DicomTraces,
): Promise<void> {
  for (const key of rewritten)
    await replaceJson(
      store,
      key,
      DicomUpload,
      (now) => now && { ...now, series: now.series.filter((one) => one.caseId !== caseId) },
    );
}
