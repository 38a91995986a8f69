import type { S3Store } from '../../adapters/s3-store.ts';
import { CaseManifest } from '../../core/contract/manifest.ts';
import { StorageError } from '../../core/errors.ts';
import { getJson } from '../../core/json.ts';
import { slabsOfJob } from '../../site/batch.ts';
import { cloudRunKeys } from '../../site/contract/keys.ts';
import type { RunRecord } from '../../site/contract/runs.ts';
import { readRun, writeJobRecord } from '../../site/runs.ts';
import {
  JobModel,
  type ModelOptions,
  type ModelPorts,
  type SlabPorts,
  slabQueue,
} from './job-model.ts';

export interface SegmentJobPorts extends SlabPorts, ModelPorts {
  readonly store: S3Store;
}

export interface SegmentJob extends ModelOptions {
  readonly runId: string;
  /** The child of the array job; 0 of a plain job. */
  readonly index: number;
  readonly attempt: number;
}

/** Runs one job's share of a case. `interrupted` leaves finished slabs for the next attempt. */
export async function runSegmentJob(
  job: SegmentJob,
  ports: SegmentJobPorts,
): Promise<'done' | 'interrupted'> {
  const startedMs = performance.now();
  const record = await runRecord(job.runId, ports.store);
  const keys = cloudRunKeys(record.dataset, record.caseId, record.runId);
  const manifest = await getJson(ports.store, keys.manifest, CaseManifest);
  const mine = slabsOfJob(job.index, manifest.slabs.length, record);
  const bundle = { prefix: record.bundlePrefix, digest: record.bundleDigest };
  const model = new JobModel(bundle, job, ports);
  const slabs = slabQueue(keys, model, ports);
  try {
    for (const index of mine) slabs.add(manifest, index);
    const outcome = await slabs.done();
    const { index, attempt } = job;
    const { done: slabsDone, skipped: slabsSkipped } = slabs.counts;
    if (slabsDone === 0 && outcome === 'done') {
      ports.log.info('nothing-to-do', { index, slabs: mine.length });
      return 'done';
    }
    const account = model.account({ index, attempt }, startedMs, { slabsDone, slabsSkipped });
    await writeJobRecord(ports.store, job.runId, account);
    return outcome;
  } finally {
    await slabs.stop();
    await model.close();
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
