import { provenance } from '../../adapters/provenance.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { Evaluation } from '../../core/contract/evaluation.ts';
import { summarise } from '../../core/evaluation/summarise.ts';
import { EvaluationPlan } from '../contract/evaluation.ts';
import { cloudKeys } from '../contract/keys.ts';
import { findJson } from '../records.ts';
import { writeEvaluation } from './finish.ts';
import { writePlan } from './records.ts';
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
  const kept = plan?.cases.filter((one) => one.caseId !== caseId);
  if (plan && kept!.length < plan.cases.length) await writePlan(store, { ...plan, cases: kept! });
  const evaluation = await readEvaluation(store, dataset, id);
  if (!evaluation) return;
  await writeEvaluation(await withoutCase(evaluation, caseId, store), store);
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
      ...(leftOut && { leftOut }),
    }),
    ...(gone > 0 && { purgedCases: gone }),
  };
}
