import type { S3Store } from '../../adapters/s3-store.ts';
import { metricValue } from '../../core/contract/panel.ts';
import { BundleError, faultText } from '../../core/errors.ts';
import { readReport } from '../../core/stage/finished-report.ts';
import { agreesWithReference } from '../canary.ts';
import { CANARY_DATASET, CanaryReference, canaryCase, canarySeeds } from '../contract/canary.ts';
import type { Site } from '../contract/config.ts';
import { casesBelow, cloudKeys, parseLatest } from '../contract/keys.ts';
import { LatestPointer, RunRecord } from '../contract/runs.ts';
import { findJson } from '../records.ts';
import { readLatest } from '../runs.ts';
import { siteTargets } from '../targets.ts';
import type { CanaryScan, RunFacts } from './facts.ts';

/** What became of the canary's scans; those that were never sent are left out. Nothing is written. */
export async function readCanary(store: S3Store, scans: number): Promise<CanaryScan[]> {
  const found = await Promise.all(canarySeeds(scans).map((seed) => readScan(store, seed)));
  return found.filter((one) => one !== undefined);
}

async function readScan(store: S3Store, seed: number): Promise<CanaryScan | undefined> {
  const caseId = canaryCase(seed);
  const latest = await readLatest(store, CANARY_DATASET, caseId);
  if (!latest) return undefined;
  const { uploadedAt, prefix } = latest;
  const report = await readReport(store, { report: `${prefix}/report.json` });
  const scan = (verdict: CanaryScan['verdict']): CanaryScan => ({ caseId, uploadedAt, verdict });
  if (report?.status !== 'segmented') return scan('failed');
  if (!report.comparison) return scan('not-compared');
  const reference = await findJson(
    store,
    cloudKeys.canaryReference(report.bundle.digest),
    CanaryReference,
  );
  const known = reference?.cases.find((one) => one.seed === seed);
  const measured = {
    dice: metricValue(report.comparison.panel, 'dice'),
    volumeMl: report.volumeMl,
  };
  // Without a reference this scan becomes it, when its report arrives.
  return scan(!known || agreesWithReference(measured, known) ? 'as-before' : 'differs');
}

/** Whether each further target of a site has a bundle that uploads can be segmented with. */
export const readTargetBundles = (
  store: S3Store,
  { bundle, targets }: Pick<Site, 'bundle' | 'targets'>,
): Promise<{ target: string; fault: string | null }[]> =>
  Promise.all(
    siteTargets(store, bundle, targets).flatMap(({ target, bundle: read }) =>
      target === undefined
        ? []
        : read().then(
            () => ({ target, fault: null }),
            (error: unknown) => {
              if (!(error instanceof BundleError)) throw error;
              return { target, fault: faultText(error.fault) };
            },
          ),
    ),
  );

/** Cases of a dataset that are looked at for the newest run: they are listed by name, not by time. */
const LOOKED_AT = 50;

/** The newest run that a job ended, the canary's before others: it is sent after every deployment. */
export async function lastRun(
  store: S3Store,
  datasets: readonly string[],
): Promise<RunFacts | null> {
  const ofCanary = await newestOf(store, CANARY_DATASET);
  if (ofCanary) return ofCanary;
  const found = await Promise.all(datasets.map((dataset) => newestOf(store, dataset)));
  return newest(found.filter((run) => run !== null));
}

async function newestOf(store: S3Store, dataset: string): Promise<RunFacts | null> {
  const runs: RunFacts[] = [];
  let cases = 0;
  for await (const { key } of store.list(casesBelow(dataset))) {
    if (!parseLatest(key)) continue;
    const pointer = await findJson(store, key, LatestPointer);
    const record = pointer && (await findJson(store, `${pointer.prefix}/run.json`, RunRecord));
    if (record?.reportedAt && record.backends)
      runs.push({
        runId: record.runId,
        reportedAt: record.reportedAt,
        backends: record.backends,
        machines: record.machines ?? [],
      });
    cases += 1;
    if (cases === LOOKED_AT) break;
  }
  return newest(runs);
}

const newest = (runs: readonly RunFacts[]): RunFacts | null =>
  [...runs].sort((a, b) => (a.reportedAt < b.reportedAt ? 1 : -1))[0] ?? null;
