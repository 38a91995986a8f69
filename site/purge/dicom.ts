import * as z from 'zod';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { StoredVersion } from '../../adapters/s3-versions.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { DicomUpload } from '../contract/dicom.ts';
import { cloudKeys, dicomUploadsBelow, filesBeside, parseDicomUpload } from '../contract/keys.ts';
import { replaceJson } from '../records.ts';
import { type CaseName, collect, exactly, readVersion } from './traces.ts';

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
const UploadOfCases = z.object({
  key: z.string(),
  series: z.array(z.object({ caseId: z.string() })),
});

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
  for (const [key, versions] of await recordsOf(store, dataset)) {
    const holds = await holdersOf(store, versions, caseId);
    if (!holds) continue;
    if (await anyIsThere(store, dataset, holds.others)) {
      found.shared.push(holds.upload);
      if (holds.now) found.rewritten.push(key);
      found.old.push(...versions.filter(({ isLatest }) => !isLatest));
    } else {
      found.records.push(...versions);
      found.uploads.push(...(await versionsOfUpload(store, holds.upload)));
    }
  }
  return found;
}

async function recordsOf(store: S3Store, dataset: string): Promise<Map<string, StoredVersion[]>> {
  const found = new Map<string, StoredVersion[]>();
  for await (const version of store.listVersions(dicomUploadsBelow(dataset)))
    found.set(version.key, [...(found.get(version.key) ?? []), version]);
  return found;
}

/** Of a record's versions: whether the case is in any, whether in the present one, and which cases are beside it. */
async function holdersOf(store: S3Store, versions: readonly StoredVersion[], caseId: string) {
  let [upload, now]: [string | undefined, boolean] = [undefined, false];
  const others = new Set<string>();
  for (const version of versions) {
    if (version.isDeleteMarker) continue;
    const { key, series } = fromJsonBytes(UploadOfCases, await readVersion(store, version));
    const cases = series.map((one) => one.caseId);
    for (const other of cases) if (other !== caseId) others.add(other);
    if (!cases.includes(caseId)) continue;
    upload = key;
    now ||= version.isLatest;
  }
  return upload === undefined ? undefined : { upload, now, others };
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

/** All versions of a zip file; of a marker, also of all files that it closes. */
const versionsOfUpload = (store: S3Store, key: string): Promise<StoredVersion[]> =>
  parseDicomUpload(key)?.kind === 'files'
    ? collect(store.listVersions(filesBeside(key)))
    : exactly(store, key);

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
