import type { S3Store } from '../adapters/s3-store.ts';
import { CaseReport } from '../core/contract/report.ts';
import { getJson, putJson } from '../core/json.ts';
import { type SummarisedCase, summarise, summaryCsv } from '../core/stage/summary.ts';
import { casesBelow, cloudKeys, parseLatest } from './contract/keys.ts';
import { LatestPointer } from './contract/runs.ts';

/** Writes the tables of a dataset over the newest run of every case; returns how many there are. */
export async function summariseDataset(dataset: string, store: S3Store): Promise<number> {
  const cases = await latestCases(store, dataset);
  const summary = summarise(cases, digestOf(cases));
  await putJson(store, cloudKeys.summary(dataset, 'summary.json'), summary);
  const csv = Buffer.from(summaryCsv(summary));
  await store.put(cloudKeys.summary(dataset, 'summary.csv'), csv, 'text/csv');
  return cases.length;
}

async function latestCases(store: S3Store, dataset: string): Promise<SummarisedCase[]> {
  const cases: SummarisedCase[] = [];
  for await (const { key } of store.list(casesBelow(dataset))) {
    if (!parseLatest(key)) continue;
    const { prefix } = await getJson(store, key, LatestPointer);
    const report = await getJson(store, `${prefix}/report.json`, CaseReport);
    const seconds = report.status === 'segmented' ? report.timings.segmentSeconds : 0;
    cases.push({ report, resumed: false, seconds });
  }
  return cases;
}

/** The bundle of all cases; '' where they were made by different ones. */
function digestOf(cases: readonly SummarisedCase[]): string {
  const digests = new Set(
    cases.flatMap(({ report }) => (report.status === 'segmented' ? [report.bundle.digest] : [])),
  );
  const [only] = digests;
  return digests.size === 1 && only !== undefined ? only : '';
}
