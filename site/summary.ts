import { pMapIterable } from 'p-map';
import type { S3Store } from '../adapters/s3-store.ts';
import { CaseReport } from '../core/contract/report.ts';
import type { RunSummary, SummaryRow } from '../core/contract/summary.ts';
import { groupBy } from '../core/group-by.ts';
import { getJson, putJson } from '../core/json.ts';
import { summariseRows, summariseRowsOf, summaryCsv, toRow } from '../core/stage/summary.ts';
import { casesBelow, cloudKeys, parseLatest } from './contract/keys.ts';
import { LatestPointer } from './contract/runs.ts';

/** Pointers read at once: a request takes some 25 ms, and a hundred thousand have to be read in minutes. */
const AT_ONCE = 32;

/**
 * Writes the tables of a dataset over the newest run of every case; returns how many there are. Of each
 * case only its row is held, which its pointer carries: reports are a hundred times larger.
 */
export async function summariseDataset(dataset: string, store: S3Store): Promise<number> {
  const rows: FoundRow[] = [];
  const found = pMapIterable(
    store.list(casesBelow(dataset)),
    async ({ key }) =>
      parseLatest(key) ? rowOf(await getJson(store, key, LatestPointer), store) : null,
    { concurrency: AT_ONCE },
  );
  for await (const one of found) {
    if (one) rows.push(one);
  }
  const summary = summaryOf(rows);
  await putJson(store, cloudKeys.summary(dataset, 'summary.json'), summary);
  const csv = Buffer.from(summaryCsv(summary));
  await store.put(cloudKeys.summary(dataset, 'summary.csv'), csv, 'text/csv');
  return rows.length;
}

/** Where uploads have several targets each has its means; what was uploaded before is the main one's. */
function summaryOf(found: readonly FoundRow[]): RunSummary {
  const main = found.find((one) => one.main !== undefined)?.main;
  if (main === undefined)
    return summariseRows(
      found.map(({ row }) => row),
      onlyDigest(found),
    );
  const of = groupBy(found, ({ row }) => row.target ?? main);
  return summariseRowsOf(
    found.map(({ row }) => ({ ...row, target: row.target ?? main })),
    [main, ...[...of.keys()].filter((target) => target !== main)].map((target) => ({
      target,
      bundleDigest: onlyDigest(of.get(target) ?? []),
    })),
  );
}

/** '' where the cases were made by different bundles. */
function onlyDigest(found: readonly FoundRow[]): string {
  const digests = new Set(found.map(({ bundleDigest }) => bundleDigest));
  digests.delete('');
  const [only = '', ...others] = digests;
  return others.length === 0 ? only : '';
}

interface FoundRow {
  readonly row: SummaryRow;
  readonly bundleDigest: string;
  /** Name of the main target, where the upload has several. */
  readonly main?: string | undefined;
}

async function rowOf(pointer: LatestPointer, store: S3Store): Promise<FoundRow> {
  const { row, bundleDigest, prefix, of } = pointer;
  if (row) return { row, bundleDigest: bundleDigest ?? '', main: of?.targets[0] };
  // An older version's pointer.
  return rowOfReport(await getJson(store, `${prefix}/report.json`, CaseReport));
}

/**
 * What a pointer carries of its report.
 *
 * @param target where several are wanted of the upload: which of them
 */
export function rowOfReport(
  report: CaseReport,
  target?: string,
): Pick<FoundRow, 'row' | 'bundleDigest'> {
  const segmented = report.status === 'segmented';
  const of = target === undefined ? {} : { target };
  return {
    row: toRow({
      report,
      ...of,
      resumed: false,
      seconds: segmented ? report.timings.segmentSeconds : 0,
    }),
    bundleDigest: segmented ? report.bundle.digest : '',
  };
}
