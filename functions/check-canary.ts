import { readReport } from '../adapters/finished-report.ts';
import { fromJsonBytes, toJsonBytes } from '../adapters/json-object.ts';
import type { Log } from '../adapters/log.ts';
import type { EmitMetrics } from '../adapters/metrics-emf.ts';
import { readLatest } from '../adapters/run-records.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import {
  CANARY_DATASET,
  CANARY_TOLERANCE,
  CanaryReference,
  seedOfCanaryCase,
} from '../core/contract/canary.ts';
import { cloudKeys } from '../core/contract/cloud-keys.ts';
import type { SegmentedReport } from '../core/contract/report.ts';
import { metricValue } from '../core/metrics/panel.ts';

export interface CheckCanaryPorts {
  readonly store: S3Store;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

export type CanaryVerdict = 'as-before' | 'recorded' | 'failed' | 'not-compared' | 'differs';

type Measured = CanaryReference['cases'][number];

/**
 * Holds a canary scan's report to what the same bundle made of it before: on the machine that
 * registered it, or (for a bundle that was trained here) in the site's first canary with it.
 */
export async function checkCanary(
  caseId: string,
  ports: CheckCanaryPorts,
): Promise<CanaryVerdict | undefined> {
  const seed = seedOfCanaryCase(caseId);
  const latest = await readLatest(ports.store, CANARY_DATASET, caseId);
  if (seed === undefined || !latest) return undefined;
  const report = await readReport(ports.store, { report: `${latest.prefix}/report.json` });
  const verdict =
    report?.status === 'segmented' ? await judge(report, seed, ports.store) : 'failed';
  const passed = verdict === 'as-before' || verdict === 'recorded';
  ports.emit(passed ? { CanaryScansPassed: 1 } : { CanaryScansFailed: 1 });
  const fields = { runId: latest.runId, reason: verdict, index: seed };
  if (passed) ports.log.info('canary', fields);
  else ports.log.warn('canary', fields);
  return verdict;
}

async function judge(
  report: SegmentedReport,
  seed: number,
  store: S3Store,
): Promise<CanaryVerdict> {
  if (!report.comparison) return 'not-compared';
  const measured: Measured = {
    seed,
    dice: metricValue(report.comparison.panel, 'dice'),
    volumeMl: report.volumeMl,
    measuredBy: 'site',
  };
  const known = await knownOrRecorded(report.bundle.digest, measured, store);
  if (known === undefined) return 'recorded';
  return agrees(measured, known) ? 'as-before' : 'differs';
}

const agrees = (now: Measured, before: Measured): boolean =>
  Math.abs(now.dice - before.dice) <= CANARY_TOLERANCE.dice &&
  Math.abs(now.volumeMl - before.volumeMl) <= CANARY_TOLERANCE.volumeShare * before.volumeMl;

/** What is known of a scan; where nothing is, this result becomes it. Two scans may end at once. */
async function knownOrRecorded(
  digest: string,
  measured: Measured,
  store: S3Store,
): Promise<Measured | undefined> {
  const key = cloudKeys.canaryReference(digest);
  for (;;) {
    const found = await store.getTagged(key);
    const reference: CanaryReference = found
      ? fromJsonBytes(CanaryReference, found.body)
      : { schemaVersion: 1, digest, cases: [] };
    const known = reference.cases.find(({ seed }) => seed === measured.seed);
    if (known) return known;
    const next = { ...reference, cases: [...reference.cases, measured] };
    if ((await store.putIf(key, toJsonBytes(next), found?.etag)) !== undefined) return undefined;
  }
}
