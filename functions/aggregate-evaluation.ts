import { readActive } from '../adapters/activation.ts';
import { readBundle } from '../adapters/active-bundle.ts';
import { readPlan } from '../adapters/evaluation-records.ts';
import { provenance } from '../adapters/provenance.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import {
  addToHistory,
  pointLatestEvaluation,
  readEvaluation,
  readLatestEvaluation,
} from '../adapters/stored-evaluations.ts';
import { bundleDisplay } from '../core/contract/bundle.ts';
import { cloudKeys } from '../core/contract/cloud-keys.ts';
import type { Evaluation } from '../core/contract/evaluation.ts';
import { casesCsv } from '../core/evaluation/cases-csv.ts';
import { evaluationJson } from '../core/evaluation/evaluation-json.ts';
import { summarise } from '../core/evaluation/summarise.ts';
import { evaluatedRows } from './evaluated-rows.ts';
import { evaluationPage } from './evaluation-page.ts';

/**
 * Case reports to an evaluation and everything that is written of it, `evaluation.json` last: where
 * it is, the rest is. Doing it again writes the same under the same names.
 */
export async function aggregateEvaluation(id: string, store: S3Store): Promise<Evaluation> {
  const { plan, record } = await readPlan(store, id);
  const { dataset } = plan.request;
  const { manifest, digest } = await readBundle(store, plan.bundle.prefix);
  const evaluation = summarise(await evaluatedRows(plan, record, store), {
    evaluationId: id,
    dataset,
    // Of both evaluations of a promotion: the request's, so that neither is the newer.
    createdAt: plan.request.requestedAt,
    sammixVersion: provenance(null).sammixVersion,
    bundle: bundleDisplay(manifest, digest),
    previous: await previousEvaluation(store, dataset, id),
  });
  const history = await addToHistory(store, evaluation);
  await put(store, evaluation, 'cases.csv', casesCsv(evaluation.cases), 'text/csv');
  const page = await evaluationPage(evaluation, history, store);
  await put(store, evaluation, 'evaluation.html', page, 'text/html');
  await put(store, evaluation, 'evaluation.json', evaluationJson(evaluation), 'application/json');
  if ((await readActive(store)).active?.digest === digest)
    await pointLatestEvaluation(store, evaluation);
  return evaluation;
}

/** The newest of a bundle that was active: also what a candidate is set against. */
async function previousEvaluation(
  store: S3Store,
  dataset: string,
  id: string,
): Promise<Evaluation | undefined> {
  const latest = await readLatestEvaluation(store, dataset);
  if (!latest || latest.evaluationId === id) return undefined;
  return readEvaluation(store, dataset, latest.evaluationId);
}

const put = (
  store: S3Store,
  { dataset, evaluationId }: Evaluation,
  file: Parameters<typeof cloudKeys.evaluationFile>[2],
  text: string,
  contentType: string,
): Promise<void> =>
  store.put(
    cloudKeys.evaluationFile(dataset, evaluationId, file),
    Buffer.from(text, 'utf8'),
    contentType,
  );
