import { pMapIterable } from 'p-map';
import type { S3Store } from '../../adapters/s3-store.ts';
import { StorageError } from '../../core/errors.ts';
import { getJson, putJson } from '../../core/json.ts';
import {
  EvaluationPlan,
  EvaluationRecord,
  type PlannedCase,
  PlanPart,
  partsOfChild,
} from '../contract/evaluation.ts';
import { cloudKeys } from '../contract/keys.ts';
import { JobRecord } from '../contract/runs.ts';
import type { Lease } from '../lease.ts';
import { findJson, replaceJson } from '../records.ts';

/** How far evaluations have come. All writes that could race are conditional. */

export const readEvaluationRecord = (
  store: S3Store,
  id: string,
): Promise<EvaluationRecord | undefined> =>
  findJson(store, cloudKeys.evaluationRecord(id), EvaluationRecord);

/** Says that an evaluation has begun: until it has ended, the watch looks at it. */
export const markOpen = (store: S3Store, id: string): Promise<void> =>
  store.put(cloudKeys.openEvaluation(id), new Uint8Array(0));

export const hasEnded = ({ state }: Pick<EvaluationRecord, 'state'>): boolean =>
  state === 'done' || state === 'failed';

/** Changes a record, see `replaceJson`. */
export const updateEvaluation = (
  store: S3Store,
  id: string,
  change: (current: EvaluationRecord | undefined) => EvaluationRecord | undefined,
): Promise<EvaluationRecord | undefined> =>
  replaceJson(store, cloudKeys.evaluationRecord(id), EvaluationRecord, change);

/** The record of an evaluation as a lease, but for what its states mean to whoever claims it. */
export const evaluationLease = (
  store: S3Store,
  id: string,
  leaseSeconds: number,
): Omit<Lease<typeof EvaluationRecord>, 'stateOf'> => ({
  store,
  key: cloudKeys.evaluationRecord(id),
  schema: EvaluationRecord,
  leaseSeconds,
});

/** Written after its parts: a plan that is there is whole. */
export const writePlan = (store: S3Store, plan: EvaluationPlan): Promise<void> =>
  putJson(
    store,
    cloudKeys.evaluationPlan(plan.request.dataset, plan.evaluationId),
    EvaluationPlan.parse(plan),
    0,
  );

export async function writePlanPart(
  store: S3Store,
  { dataset, id, part }: { readonly dataset: string; readonly id: string; readonly part: number },
  cases: readonly PlannedCase[],
): Promise<void> {
  const key = cloudKeys.evaluationPlanPart(dataset, id, part);
  await putJson(store, key, PlanPart.parse({ schemaVersion: 1, cases }), 0);
}

/** All cases of a plan by their ids, or those of some of its parts; one part is held at a time. */
export async function* plannedCases(
  store: S3Store,
  { request: { dataset }, evaluationId, parts }: EvaluationPlan,
  wanted: Iterable<number> = parts.keys(),
): AsyncGenerator<PlannedCase> {
  for (const part of wanted) {
    const key = cloudKeys.evaluationPlanPart(dataset, evaluationId, part);
    yield* (await getJson(store, key, PlanPart)).cases;
  }
}

/** What one child computes. */
export async function casesOfChild(
  store: S3Store,
  plan: EvaluationPlan,
  child: number,
): Promise<PlannedCase[]> {
  const cases: PlannedCase[] = [];
  for await (const one of plannedCases(store, plan, partsOfChild(plan, child)))
    if (one.child === child) cases.push(one);
  return cases;
}

/** @throws StorageError (`evaluation-unknown`) where no such evaluation was ever planned */
export async function readPlan(
  store: S3Store,
  id: string,
): Promise<{ readonly record: EvaluationRecord; readonly plan: EvaluationPlan }> {
  const record = await readEvaluationRecord(store, id);
  if (!record) throw unknownEvaluation(id);
  const key = cloudKeys.evaluationPlan(record.request.dataset, id);
  return { record, plan: await getJson(store, key, EvaluationPlan) };
}

export async function writeEvaluationJob(
  store: S3Store,
  id: string,
  record: JobRecord,
): Promise<void> {
  const key = cloudKeys.evaluationJob(id, record.index, record.attempt);
  await putJson(store, key, record);
}

/** Read at once. */
const AT_ONCE = 32;

/** How long each attempt of each job took, and on what. */
export async function evaluationJobs(
  store: S3Store,
  id: string,
): Promise<Pick<JobRecord, 'totalSeconds' | 'machine'>[]> {
  const times: Pick<JobRecord, 'totalSeconds' | 'machine'>[] = [];
  const found = pMapIterable(
    store.list(cloudKeys.evaluationJobs(id)),
    async ({ key }) => getJson(store, key, JobRecord),
    { concurrency: AT_ONCE },
  );
  for await (const { totalSeconds, machine } of found) times.push({ totalSeconds, machine });
  return times;
}

export const unknownEvaluation = (id: string): StorageError =>
  new StorageError({
    code: 'evaluation-unknown',
    subject: id,
    expected: 'the record of an evaluation',
    found: 'none',
    remedy: 'Ask for the evaluation again: "sammix site evaluate".',
  });
