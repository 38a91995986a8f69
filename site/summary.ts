import { pMapIterable } from 'p-map';
import type { S3Store } from '../adapters/s3-store.ts';
import { CaseReport } from '../core/contract/report.ts';
import type { SummaryRow } from '../core/contract/summary.ts';
import { getJson, putJson } from '../core/json.ts';
import { summariseRows, summaryCsv, toRow } from '../core/stage/summary.ts';
import { casesBelow, cloudKeys, parseLatest } from './contract/keys.ts';
import { LatestPointer } from './contract/runs.ts';

/** Pointers read at once: a request takes some 25 ms, and a hundred thousand have to be read in minutes. */
const AT_ONCE = 32;

/**
 * Writes the tables of a dataset over the newest run of every case; returns how many there are. Of each
 * case only its row is held, which its pointer carries: reports are a hundred times larger.
 */
export async function summariseDataset(dataset: string, store: S3Store): Promise<number> {
  const rows: SummaryRow[] = [];
  const digests = new Set<string>();
  const found = pMapIterable(
    store.list(casesBelow(dataset)),
    async ({ key }) =>
      parseLatest(key) ? rowOf(await getJson(store, key, LatestPointer), store) : null,
    { concurrency: AT_ONCE },
  );
  for await (const one of found) {
    if (!one) continue;
    rows.push(one.row);
    if (one.bundleDigest !== '') digests.add(one.bundleDigest);
  }
  // '' where the cases were made by different bundles.
  const [only = ''] = digests;
  const summary = summariseRows(rows, digests.size === 1 ? only : '');
  await putJson(store, cloudKeys.summary(dataset, 'summary.json'), summary);
  const csv = Buffer.from(summaryCsv(summary));
  await store.put(cloudKeys.summary(dataset, 'summary.csv'), csv, 'text/csv');
  return rows.length;
}

interface FoundRow {
  readonly row: SummaryRow;
  readonly bundleDigest: string;
}

async function rowOf(pointer: LatestPointer, store: S3Store): Promise<FoundRow> {
  const { row, bundleDigest, prefix } = pointer;
  if (row) return { row, bundleDigest: bundleDigest ?? '' };
  // An older version's pointer.
  return rowOfReport(await getJson(store, `${prefix}/report.json`, CaseReport));
}

/** What a pointer carries of its report. */
export function rowOfReport(report: CaseReport): FoundRow {
  const segmented = report.status === 'segmented';
  return {
    row: toRow({ report, resumed: false, seconds: segmented ? report.timings.segmentSeconds : 0 }),
    bundleDigest: segmented ? report.bundle.digest : '',
  };
}
