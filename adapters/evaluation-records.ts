import { cloudKeys } from '../core/contract/cloud-keys.ts';
import { EvaluationPlan, EvaluationRecord } from '../core/contract/evaluation-plan.ts';
import { JobRecord } from '../core/contract/messages.ts';
import { StorageError } from '../core/errors.ts';
import { fromJsonBytes, toJsonBytes } from './json-object.ts';
import type { S3Store } from './s3-store.ts';

/** How far evaluations have come. All writes that could race are conditional. */

export async function readEvaluationRecord(
  store: S3Store,
  id: string,
): Promise<EvaluationRecord | undefined> {
  const found = await store.getTagged(cloudKeys.evaluationRecord(id));
  return found && fromJsonBytes(EvaluationRecord, found.body);
}

/** How often two writers may get in each other's way before that is a failure. */
const UPDATE_ATTEMPTS = 20;

/**
 * Changes a record. `change` sees it as it is now (undefined where there is none) and may be asked
 * again after another writer was first; undefined from it leaves the record alone.
 *
 * @returns the record as written, or undefined where `change` wanted nothing
 */
export async function updateEvaluation(
  store: S3Store,
  id: string,
  change: (current: EvaluationRecord | undefined) => EvaluationRecord | undefined,
): Promise<EvaluationRecord | undefined> {
  const key = cloudKeys.evaluationRecord(id);
  for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
    const found = await store.getTagged(key);
    const next = change(found && fromJsonBytes(EvaluationRecord, found.body));
    if (!next) return undefined;
    const written = await store.putIf(key, toJsonBytes(EvaluationRecord.parse(next)), found?.etag);
    if (written !== undefined) return next;
  }
  throw new Error(`a record changed ${UPDATE_ATTEMPTS} times while it was being written`);
}

export async function writePlan(store: S3Store, plan: EvaluationPlan): Promise<void> {
  const key = cloudKeys.evaluationPlan(plan.request.dataset, plan.evaluationId);
  await store.put(key, Buffer.from(JSON.stringify(EvaluationPlan.parse(plan))), 'application/json');
}

/** @throws StorageError (`evaluation-unknown`) where no such evaluation was ever planned */
export async function readPlan(
  store: S3Store,
  id: string,
): Promise<{ readonly record: EvaluationRecord; readonly plan: EvaluationPlan }> {
  const record = await readEvaluationRecord(store, id);
  if (!record) throw unknownEvaluation(id);
  const bytes = await store.get(cloudKeys.evaluationPlan(record.request.dataset, id));
  return { record, plan: fromJsonBytes(EvaluationPlan, bytes) };
}

export async function writeEvaluationJob(
  store: S3Store,
  id: string,
  record: JobRecord,
): Promise<void> {
  const key = cloudKeys.evaluationJob(id, record.index, record.attempt);
  await store.put(key, toJsonBytes(record), 'application/json');
}

/** GPU time of all attempts of all jobs. */
export async function evaluationGpuSeconds(store: S3Store, id: string): Promise<number> {
  let seconds = 0;
  for await (const { key } of store.list(cloudKeys.evaluationJobs(id)))
    seconds += fromJsonBytes(JobRecord, await store.get(key)).totalSeconds;
  return seconds;
}

export const unknownEvaluation = (id: string): StorageError =>
  new StorageError({
    code: 'evaluation-unknown',
    subject: id,
    expected: 'the record of an evaluation',
    found: 'none',
    remedy: 'Ask for the evaluation again: "sammix site evaluate".',
  });
