import { cloudKeys } from '../core/contract/cloud-keys.ts';
import { Evaluation, History } from '../core/contract/evaluation.ts';
import { LatestEvaluation } from '../core/contract/evaluation-plan.ts';
import { extendHistory } from '../core/evaluation/history.ts';
import { findJson, replaceJson } from './json-object.ts';
import type { S3Store } from './s3-store.ts';

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
): Promise<LatestEvaluation | undefined> =>
  findJson(store, cloudKeys.latestEvaluation(dataset), LatestEvaluation);

/** Points to an evaluation, unless a newer one is pointed to. */
export async function pointLatestEvaluation(store: S3Store, evaluation: Evaluation): Promise<void> {
  const { evaluationId, dataset, createdAt, bundle } = evaluation;
  const key = cloudKeys.latestEvaluation(dataset);
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

/** Adds an evaluation's headline to the history of its dataset and returns the whole. */
export async function addToHistory(store: S3Store, evaluation: Evaluation): Promise<History> {
  const key = cloudKeys.evaluationHistory(evaluation.dataset);
  const written = await replaceJson(store, key, History, (found) =>
    extendHistory(found, evaluation),
  );
  return written!;
}
