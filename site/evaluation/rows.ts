import { pMapIterable } from 'p-map';
import { provenance } from '../../adapters/provenance.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { EvaluatedCase } from '../../core/contract/evaluated-case.ts';
import { Evaluation, History } from '../../core/contract/evaluation.ts';
import type { CaseReport, FailedReport } from '../../core/contract/report.ts';
import type { Fault } from '../../core/errors.ts';
import { extendHistory } from '../../core/evaluation/history.ts';
import { evaluatedCase } from '../../core/evaluation/rows.ts';
import { keepsScores } from '../../core/evaluation/scored-sample.ts';
import { putJson } from '../../core/json.ts';
import { isComparedWith, readReport } from '../../core/stage/finished-report.ts';
import { MAX_CHILDREN } from '../batch.ts';
import {
  type EvaluationPlan,
  type EvaluationRecord,
  EvaluationRows,
  LatestEvaluation,
  type PlannedCase,
  shardOfChild,
} from '../contract/evaluation.ts';
import { cloudKeys, cloudRunKeys } from '../contract/keys.ts';
import { findJson, replaceJson } from '../records.ts';
import { labelVersion } from '../runs.ts';
import { plannedCases } from './records.ts';

type Job = EvaluationRecord['jobs'][number];

/** Reports held at once, whatever the dataset's size. */
const AT_ONCE = 16;

/**
 * A row for every case of the plan: nothing that failed or never ran is missing. A report is a hundred
 * times its row and takes milliseconds to read: what an attempt before this one has read is kept.
 */
export async function evaluatedRows(
  plan: EvaluationPlan,
  record: EvaluationRecord,
  store: S3Store,
): Promise<EvaluatedCase[]> {
  const rows: EvaluatedCase[] = [];
  for (const part of plan.parts.keys()) rows.push(...(await rowsOfPart(part, plan, record, store)));
  return rows;
}

async function rowsOfPart(
  part: number,
  plan: EvaluationPlan,
  record: EvaluationRecord,
  store: S3Store,
): Promise<EvaluatedCase[]> {
  const key = cloudKeys.evaluationRows(plan.request.dataset, plan.evaluationId, part);
  const kept = await findJson(store, key, EvaluationRows);
  if (kept) return kept.cases;
  const total = plan.parts.reduce((sum, { cases }) => sum + cases, 0);
  const found = pMapIterable(
    plannedCases(store, plan, [part]),
    async (planned) => {
      const row = await rowOf(planned, plan, record, store);
      return keepsScores(row.caseId, total) ? row : { ...row, scores: [] };
    },
    { concurrency: AT_ONCE },
  );
  const cases: EvaluatedCase[] = [];
  for await (const row of found) cases.push(row);
  await putJson(store, key, EvaluationRows.parse({ schemaVersion: 1, cases }), 0);
  return cases;
}

async function rowOf(
  planned: PlannedCase,
  plan: EvaluationPlan,
  record: EvaluationRecord,
  store: S3Store,
): Promise<EvaluatedCase> {
  const { patientId, label, child } = planned;
  const job = child === null ? undefined : record.jobs[shardOfChild(child, MAX_CHILDREN)];
  const report = (await currentReport(planned, plan, store)) ?? noReport(planned, plan, job);
  return evaluatedCase(report, {
    labelVersion: labelVersion(label, plan.target),
    ...(patientId === null ? {} : { patientId }),
  });
}

/** The report that belongs to this plan: of its run, and compared with its label. */
async function currentReport(
  { caseId, runId, label }: PlannedCase,
  { request: { dataset }, target, createdAt }: EvaluationPlan,
  store: S3Store,
): Promise<CaseReport | undefined> {
  if (runId === null) return undefined;
  const report = await readReport(store, cloudRunKeys(dataset, caseId, runId));
  if (report?.runId !== runId) return undefined;
  if (report.status === 'segmented')
    return isComparedWith(report, labelVersion(label, target)) ? report : undefined;
  // An earlier failure says nothing of this attempt, whose job may never have come so far.
  return report.createdAt >= createdAt ? report : undefined;
}

function noReport(
  { caseId, runId, image, fault }: PlannedCase,
  plan: EvaluationPlan,
  job: Job | undefined,
): FailedReport {
  return {
    schemaVersion: 1,
    status: 'failed',
    caseId,
    runId,
    createdAt: plan.createdAt,
    provenance: provenance(null),
    inputName: image?.name ?? caseId,
    stage: fault ? 'preflight' : 'segment',
    fault: fault ?? jobFault(caseId, job),
  };
}

const jobFault = (caseId: string, job: Job | undefined): Fault => ({
  code: 'job-failed',
  subject: caseId,
  expected: 'a report by the GPU job of the case',
  found: job?.ended === 'FAILED' ? `a failed job: ${job.reason ?? 'no reason given'}` : 'none',
  remedy: `See the log of Batch job ${job?.jobId ?? '(none)'}; evaluate again when the cause is gone.`,
});

/** The finished evaluations of a site's datasets. */

export const readEvaluation = (
  store: S3Store,
  dataset: string,
  id: string,
): Promise<Evaluation | undefined> =>
  findJson(store, cloudKeys.evaluationFile(dataset, id, 'evaluation.json'), Evaluation);

export const readLatestEvaluation = (
  store: S3Store,
  dataset: string,
  target?: string,
): Promise<LatestEvaluation | undefined> =>
  findJson(store, cloudKeys.latestEvaluation(dataset, target), LatestEvaluation);

/** Points to an evaluation, for the main target or a further one, unless a newer one is pointed to. */
export async function pointLatestEvaluation(
  store: S3Store,
  evaluation: Evaluation,
  target: string | undefined,
): Promise<void> {
  const { evaluationId, dataset, createdAt, bundle } = evaluation;
  const key = cloudKeys.latestEvaluation(dataset, target);
  const pointer: LatestEvaluation = {
    schemaVersion: 1,
    evaluationId,
    prefix: cloudKeys.evaluation(dataset, evaluationId),
    createdAt,
    bundleDigest: bundle?.digest ?? '',
  };
  await replaceJson(store, key, LatestEvaluation, (found) =>
    found && found.createdAt > createdAt ? undefined : pointer,
  );
}

/** Adds an evaluation's headline to the history of its dataset and target, and returns the whole. */
export async function addToHistory(
  store: S3Store,
  evaluation: Evaluation,
  target: string | undefined,
): Promise<History> {
  const key = cloudKeys.evaluationHistory(evaluation.dataset, target);
  const written = await replaceJson(store, key, History, (found) =>
    extendHistory(found, evaluation),
  );
  return written!;
}
