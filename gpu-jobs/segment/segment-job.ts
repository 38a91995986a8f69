import type { Log } from '../../adapters/log.ts';
import { openRuntime, type Provider, type Runtime } from '../../adapters/onnx.ts';
import { readRun, writeJobRecord } from '../../adapters/run-records.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { cloudRunKeys } from '../../core/contract/cloud-keys.ts';
import { slabsOfJob } from '../../core/contract/job-plan.ts';
import type { RunKeys } from '../../core/contract/keys.ts';
import { CaseManifest } from '../../core/contract/manifest.ts';
import type { JobRecord, RunRecord } from '../../core/contract/messages.ts';
import { BundleError, StorageError } from '../../core/errors.ts';
import { type OpenBundle, openBundle } from '../../core/stage/open-bundle.ts';
import { finishedSlab, segmentSlab } from '../../core/stage/segment.ts';
import { ReadAheadStore } from './read-ahead.ts';

export interface SegmentJobPorts {
  readonly store: S3Store;
  readonly below: (prefix: string) => S3Store;
  readonly log: Log;
  /** Aborted when the instance is taken away: the slab in work is finished, the next not begun. */
  readonly stop: AbortSignal;
}

export interface SegmentJob {
  readonly runId: string;
  /** The child of the array job; 0 of a plain job. */
  readonly index: number;
  readonly attempt: number;
  readonly providers: readonly Provider[];
  readonly threads: number;
}

/** Runs one job's share of a case. `interrupted` leaves finished slabs for the next attempt. */
export async function runSegmentJob(
  job: SegmentJob,
  ports: SegmentJobPorts,
): Promise<'done' | 'interrupted'> {
  const startedMs = performance.now();
  const record = await runRecord(job.runId, ports.store);
  const keys = cloudRunKeys(record.dataset, record.caseId, record.runId);
  const manifest = CaseManifest.parse(
    JSON.parse(Buffer.from(await ports.store.get(keys.manifest)).toString('utf8')),
  );
  const mine = slabsOfJob(job.index, manifest.slabs.length, record);
  const open = await unfinished(mine, keys, ports.store);
  if (open.length === 0) {
    ports.log.info('nothing-to-do', { index: job.index, slabs: mine.length });
    return 'done';
  }
  const { bundle, runtime } = await load(record, job, ports);
  const loadSeconds = (performance.now() - startedMs) / 1000;
  try {
    const slabsDone = await segmentSlabs(open, { manifest, keys, bundle, runtime }, ports);
    await writeJobRecord(ports.store, job.runId, {
      schemaVersion: 1,
      index: job.index,
      attempt: job.attempt,
      backend: runtime.backend.provider,
      loadSeconds,
      totalSeconds: (performance.now() - startedMs) / 1000,
      slabsDone,
      slabsSkipped: mine.length - open.length,
      peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    } satisfies JobRecord);
    return slabsDone === open.length ? 'done' : 'interrupted';
  } finally {
    await runtime.close();
  }
}

async function runRecord(runId: string, store: S3Store): Promise<RunRecord> {
  const claimed = await readRun(store, runId);
  if (claimed) return claimed.record;
  throw new StorageError({
    code: 'run-unknown',
    subject: runId,
    expected: 'the record of a run',
    found: 'none',
    remedy: 'Upload the image again.',
  });
}

async function unfinished(
  slabs: readonly number[],
  keys: RunKeys,
  store: S3Store,
): Promise<number[]> {
  const open: number[] = [];
  for (const index of slabs) if (!(await finishedSlab(keys, index, store))) open.push(index);
  return open;
}

/** Fetches and verifies the bundle and opens its graphs, once for all slabs of the job. */
async function load(
  record: RunRecord,
  job: SegmentJob,
  { below, log }: SegmentJobPorts,
): Promise<{ bundle: OpenBundle; runtime: Runtime }> {
  const bundle = await openBundle(below(`${record.bundlePrefix}/`), record.bundlePrefix);
  if (bundle.digest !== record.bundleDigest)
    throw new BundleError({
      code: 'bundle-changed',
      subject: record.bundlePrefix,
      expected: `the digest ${record.bundleDigest}, as when the run began`,
      found: bundle.digest,
      remedy: 'Bundles are registered under their digest and never changed: register it again.',
    });
  const runtime = await openRuntime(bundle, { threads: job.threads, providers: job.providers });
  const backend = runtime.backend.provider;
  if (backend !== job.providers[0]) log.warn('slower-backend', { backend });
  log.info('loaded', { backend });
  return { bundle, runtime };
}

interface Loaded {
  readonly manifest: CaseManifest;
  readonly keys: RunKeys;
  readonly bundle: OpenBundle;
  readonly runtime: Runtime;
}

async function segmentSlabs(
  slabs: readonly number[],
  { manifest, keys, bundle, runtime }: Loaded,
  { store, log, stop }: SegmentJobPorts,
): Promise<number> {
  const ahead = new ReadAheadStore(store);
  const ports = { store: ahead, infer: runtime.infer, backend: runtime.backend };
  let done = 0;
  for (const [at, index] of slabs.entries()) {
    if (stop.aborted) break;
    const next = slabs[at + 1];
    const segmented = segmentSlab(
      { manifest, slabIndex: index, bundle: bundle.manifest, keys },
      ports,
    );
    if (next !== undefined) ahead.prefetch(keys.slab(next));
    const { seconds, slices } = await segmented;
    done += 1;
    log.info('slab', { index, slices: slices.length, seconds: seconds.total });
  }
  return done;
}
