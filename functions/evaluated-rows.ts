import { comparedWith, readReport } from '../adapters/finished-report.ts';
import { inOrder } from '../adapters/in-order.ts';
import { provenance } from '../adapters/provenance.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import { cloudRunKeys } from '../core/contract/cloud-keys.ts';
import type { EvaluatedCase } from '../core/contract/evaluation.ts';
import {
  type EvaluationPlan,
  type EvaluationRecord,
  type PlannedCase,
  shardsByCase,
} from '../core/contract/evaluation-plan.ts';
import { MAX_CHILDREN } from '../core/contract/job-plan.ts';
import type { CaseReport, FailedReport } from '../core/contract/report.ts';
import type { Fault } from '../core/errors.ts';
import { evaluatedCase } from '../core/evaluation/from-report.ts';

type Job = EvaluationRecord['jobs'][number];

/** Reports held at once, whatever the dataset's size. */
const AT_ONCE = 16;

/** A row for every case of the plan: nothing that failed or never ran is missing. */
export async function evaluatedRows(
  plan: EvaluationPlan,
  record: EvaluationRecord,
  store: S3Store,
): Promise<EvaluatedCase[]> {
  const rows: EvaluatedCase[] = [];
  const shards = shardsByCase(plan, MAX_CHILDREN);
  const loaded = inOrder(plan.cases, AT_ONCE, async (planned) => {
    const { patientId, label } = planned;
    const job = record.jobs[shards.get(planned.caseId) ?? -1];
    const report = (await currentReport(planned, plan, store)) ?? noReport(planned, plan, job);
    return evaluatedCase(report, {
      labelVersion: label.version,
      ...(patientId === null ? {} : { patientId }),
    });
  });
  for await (const row of loaded) rows.push(row);
  return rows;
}

/** The report that belongs to this plan: of its run, and compared with its label. */
async function currentReport(
  { caseId, runId, label }: PlannedCase,
  { request: { dataset }, createdAt }: EvaluationPlan,
  store: S3Store,
): Promise<CaseReport | undefined> {
  if (runId === null) return undefined;
  const report = await readReport(store, cloudRunKeys(dataset, caseId, runId));
  if (report?.runId !== runId) return undefined;
  if (report.status === 'segmented') return comparedWith(report, label) ? report : undefined;
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
