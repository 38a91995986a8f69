import { provenance } from '../../adapters/provenance.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { Evaluation } from '../../core/contract/evaluation.ts';
import { summarise } from '../../core/evaluation/summarise.ts';
import { putJson } from '../../core/json.ts';
import { EvaluationPlan, EvaluationRows, type PlannedCase } from '../contract/evaluation.ts';
import { cloudKeys } from '../contract/keys.ts';
import { findJson } from '../records.ts';
import { writeEvaluation } from './finish.ts';
import { plannedCases, writePlan, writePlanPart } from './records.ts';
import { readEvaluation } from './rows.ts';

/**
 * Takes a case out of an evaluation that has ended: out of its plan, and out of everything that was made
 * of the rows. The numbers are computed anew from the rows that stay, and the evaluation says how many
 * cases are gone. What a promotion rested on stays in its decision, which names no case.
 */
export async function rewriteEvaluation(
  store: S3Store,
  dataset: string,
  id: string,
  caseId: string,
): Promise<void> {
  const plan = await findJson(store, cloudKeys.evaluationPlan(dataset, id), EvaluationPlan);
  if (plan) await rewriteParts(store, plan, caseId);
  const evaluation = await readEvaluation(store, dataset, id);
  if (!evaluation) return;
  await writeEvaluation(await withoutCase(evaluation, caseId, store), plan?.target, store);
}

/** The plan's parts that name the case, and the rows that were made of them. */
async function rewriteParts(store: S3Store, plan: EvaluationPlan, caseId: string): Promise<void> {
  const { evaluationId: id, request } = plan;
  const { dataset } = request;
  const parts = [...plan.parts];
  for (const part of parts.keys()) {
    const all: PlannedCase[] = [];
    for await (const one of plannedCases(store, plan, [part])) all.push(one);
    const kept = all.filter((one) => one.caseId !== caseId);
    if (kept.length === all.length) continue;
    await writePlanPart(store, { dataset, id, part }, kept);
    parts[part] = { ...parts[part]!, cases: kept.length };
    const key = cloudKeys.evaluationRows(dataset, id, part);
    const rows = await findJson(store, key, EvaluationRows);
    const cases = rows?.cases.filter((one) => one.caseId !== caseId);
    if (rows) await putJson(store, key, { ...rows, cases }, 0);
  }
  await writePlan(store, { ...plan, parts });
}

async function withoutCase(
  evaluation: Evaluation,
  caseId: string,
  store: S3Store,
): Promise<Evaluation> {
  const { dataset, comparison, purgedCases = 0, leftOut } = evaluation;
  const kept = evaluation.cases.filter((one) => one.caseId !== caseId);
  const gone = purgedCases + evaluation.cases.length - kept.length;
  const before = comparison?.previous.evaluationId;
  return {
    ...summarise(kept, {
      evaluationId: evaluation.evaluationId,
      dataset,
      createdAt: evaluation.createdAt,
      sammixVersion: provenance(null).sammixVersion,
      bundle: evaluation.bundle,
      previous: before === undefined ? undefined : await readEvaluation(store, dataset, before),
      ...(evaluation.scoredCases !== undefined && {
        scoredCases: kept.filter(({ scores }) => scores.length > 0).length,
      }),
      ...(leftOut && { leftOut }),
    }),
    ...(gone > 0 && { purgedCases: gone }),
  };
}
