import { gzipSync } from 'node:zlib';
import type { Log } from '../adapters/log.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import { metricValue } from '../core/contract/panel.ts';
import type { SegmentedReport } from '../core/contract/report.ts';
import { BundleError } from '../core/errors.ts';
import { readReport } from '../core/stage/finished-report.ts';
import { encodePhantom, phantomCase } from '../phantom/phantom.ts';
import { bundleReader, type RegisteredBundle } from './bundles.ts';
import type { SiteContext } from './context.ts';
import {
  CANARY_DATASET,
  CANARY_SCAN,
  CANARY_TOLERANCE,
  type CanaryEvent,
  CanaryReference,
  canaryCase,
  canarySeeds,
  seedOfCanaryCase,
} from './contract/canary.ts';
import type { CanaryEnv } from './contract/env.ts';
import { cloudKeys, parseLatest } from './contract/keys.ts';
import type { EmitMetrics } from './metrics.ts';
import { replaceJson } from './records.ts';
import { readLatest } from './runs.ts';

/** Looks at a canary scan's report, or starts the scans after a deployment or an activation. */
export async function flyCanary(
  event: CanaryEvent,
  { env, store, log, emit }: SiteContext<CanaryEnv>,
): Promise<void> {
  const key = event.source === 'aws.s3' ? event.detail.object.key : undefined;
  const scan = key === undefined ? undefined : parseLatest(key);
  if (scan) await checkCanary(scan.caseId, { store, log, emit });
  if (key !== undefined && key !== cloudKeys.activeBundle) return;
  const bundle = bundleReader(store, env.SAMMIX_BUNDLE);
  await startCanary(env.SAMMIX_CANARY_CASES, { store, bundle, log });
}

interface CheckCanaryPorts {
  readonly store: S3Store;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

type CanaryVerdict = 'as-before' | 'recorded' | 'failed' | 'not-compared' | 'differs';

type Measured = CanaryReference['cases'][number];

/**
 * Holds a canary scan's report to what the same bundle made of it before: on the machine that
 * registered it, or (for a bundle that was trained here) in the site's first canary with it.
 */
async function checkCanary(
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
  return agreesWithReference(measured, known) ? 'as-before' : 'differs';
}

/** Whether a scan came out as it did before, as far as a GPU may round otherwise than a CPU. */
export const agreesWithReference = (
  now: Pick<Measured, 'dice' | 'volumeMl'>,
  before: Pick<Measured, 'dice' | 'volumeMl'>,
): boolean =>
  Math.abs(now.dice - before.dice) <= CANARY_TOLERANCE.dice &&
  Math.abs(now.volumeMl - before.volumeMl) <= CANARY_TOLERANCE.volumeShare * before.volumeMl;

/** What is known of a scan; where nothing is, this result becomes it. Two scans may end at once. */
async function knownOrRecorded(
  digest: string,
  measured: Measured,
  store: S3Store,
): Promise<Measured | undefined> {
  let known: Measured | undefined;
  await replaceJson(store, cloudKeys.canaryReference(digest), CanaryReference, (found) => {
    const cases = found?.cases ?? [];
    known = cases.find(({ seed }) => seed === measured.seed);
    if (known) return undefined;
    return { schemaVersion: 1 as const, digest, cases: [...cases, measured] };
  });
  return known;
}

interface StartCanaryPorts {
  readonly store: S3Store;
  readonly bundle: () => Promise<RegisteredBundle>;
  readonly log: Log;
}

/**
 * Uploads the canary's scans as anyone uploads: what follows is the deployed site at work. A site
 * without a bundle cannot segment yet; its first activation starts the canary.
 */
async function startCanary(cases: number, { store, bundle, log }: StartCanaryPorts): Promise<void> {
  try {
    await bundle();
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return log.info('canary-without-bundle', { code: error.code });
  }
  for (const seed of canarySeeds(cases)) {
    const { ct, label } = encodePhantom(phantomCase({ seed, ...CANARY_SCAN }));
    const file = `${canaryCase(seed)}.nii.gz`;
    await store.put(cloudKeys.incoming(CANARY_DATASET, 'labels', file), gzipSync(label));
    await store.put(cloudKeys.incoming(CANARY_DATASET, 'images', file), gzipSync(ct));
  }
  log.info('canary-started', { count: cases });
}
