import type { S3Store } from '../../adapters/s3-store.ts';
import type { StoredVersion } from '../../adapters/s3-versions.ts';
import { badTable, csvRows, csvText } from '../../core/evaluation/csv.ts';
import { cloudKeys, PREFIX } from '../contract/keys.ts';
import { hasEnded, readEvaluationRecord } from '../evaluation/records.ts';
import { rewriteEvaluation } from '../evaluation/without-case.ts';
import { summariseDataset } from '../summary.ts';
import type { NamesCase } from './named.ts';
import { type CaseName, collect, exactly, readVersion } from './traces.ts';

/** Objects that hold several cases: the purged one is taken out, and their older versions go. */

export interface SharedTraces {
  /** Ids of evaluations whose present files name the case. */
  readonly evaluations: readonly string[];
  /** Of those, the ones that have not ended: nothing can be taken from them yet. */
  readonly running: readonly string[];
  /** The dataset's table of patients names it. */
  readonly patients: boolean;
  /** The dataset's summary names it. */
  readonly summary: boolean;
  /** Versions that were overwritten or deleted and name it, or lie beside one that does. */
  readonly old: readonly StoredVersion[];
}

export async function findSharedTraces(
  store: S3Store,
  { dataset }: CaseName,
  names: NamesCase,
): Promise<SharedTraces> {
  const evaluations: string[] = [];
  const old: StoredVersion[] = [];
  for (const [id, versions] of await evaluationsOf(store, dataset)) {
    const found = await namedIn(store, versions, names);
    if (found.now) evaluations.push(id);
    old.push(...found.old);
  }
  const patients = await namedIn(store, await exactly(store, cloudKeys.patients(dataset)), names);
  const summaries = await collect(store.listVersions(`${PREFIX.summaries}${dataset}/`));
  const summary = await namedIn(store, summaries, names);
  return {
    evaluations,
    running: await running(store, evaluations),
    patients: patients.now,
    summary: summary.now,
    old: [...old, ...patients.old, ...summary.old],
  };
}

/** Pages show pictures and names; the tables from which they are made say whose. */
const isText = ({ key }: StoredVersion): boolean => /\.(json|csv)$/.test(key);

/** Whether present versions name the case; and if any version does, all that are not present. */
async function namedIn(
  store: S3Store,
  versions: readonly StoredVersion[],
  names: NamesCase,
): Promise<{ readonly now: boolean; readonly old: readonly StoredVersion[] }> {
  let [now, before] = [false, false];
  for (const version of versions) {
    if (version.isDeleteMarker || !isText(version)) continue;
    if (!names(Buffer.from(await readVersion(store, version)).toString('utf8'))) continue;
    if (version.isLatest) now = true;
    else before = true;
  }
  return { now, old: now || before ? versions.filter(({ isLatest }) => !isLatest) : [] };
}

async function evaluationsOf(
  store: S3Store,
  dataset: string,
): Promise<Map<string, StoredVersion[]>> {
  const prefix = `${cloudKeys.evaluations(dataset)}/`;
  const found = new Map<string, StoredVersion[]>();
  for await (const version of store.listVersions(prefix)) {
    const [id, ...file] = version.key.slice(prefix.length).split('/');
    if (id === undefined || file.length === 0) continue;
    found.set(id, [...(found.get(id) ?? []), version]);
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function running(store: S3Store, ids: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const id of ids) {
    const record = await readEvaluationRecord(store, id);
    if (record && !hasEnded(record)) found.push(id);
  }
  return found;
}

/** Takes the case out of what is there now. What was there before has to be removed afterwards. */
export async function rewriteShared(
  store: S3Store,
  { dataset, caseId }: CaseName,
  { evaluations, patients, summary }: SharedTraces,
): Promise<void> {
  // Oldest first: a later one is set against an earlier one that is rewritten already.
  for (const id of evaluations) await rewriteEvaluation(store, dataset, id, caseId);
  if (patients) await rewritePatients(store, dataset, caseId);
  if (summary) await summariseDataset(dataset, store);
}

async function rewritePatients(store: S3Store, dataset: string, caseId: string): Promise<void> {
  const key = cloudKeys.patients(dataset);
  const text = Buffer.from(await store.get(key)).toString('utf8');
  const rows = csvRows(text, (found) => badTable(key, found));
  const [columns = [], ...kept] = rows.filter((cells) =>
    cells.every((cell) => cell.trim() !== caseId),
  );
  await store.put(key, Buffer.from(csvText(columns, kept)), 'text/csv');
}
