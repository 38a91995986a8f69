import { cloudKeys } from '../core/contract/cloud-keys.ts';
import { Evaluation, History } from '../core/contract/evaluation.ts';
import { LatestEvaluation } from '../core/contract/evaluation-plan.ts';
import { extendHistory } from '../core/evaluation/history.ts';
import { fromJsonBytes, toJsonBytes } from './json-object.ts';
import type { S3Store } from './s3-store.ts';

/** The finished evaluations of a site's datasets. */

export async function readEvaluation(
  store: S3Store,
  dataset: string,
  id: string,
): Promise<Evaluation | undefined> {
  const key = cloudKeys.evaluationFile(dataset, id, 'evaluation.json');
  const found = await store.getTagged(key);
  return found && fromJsonBytes(Evaluation, found.body);
}

export async function readLatestEvaluation(
  store: S3Store,
  dataset: string,
): Promise<LatestEvaluation | undefined> {
  const found = await store.getTagged(cloudKeys.latestEvaluation(dataset));
  return found && fromJsonBytes(LatestEvaluation, found.body);
}

/** How often two writers may get in each other's way before that is a failure. */
const ATTEMPTS = 20;

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
  await replace(store, key, (bytes) => {
    const found = bytes && fromJsonBytes(LatestEvaluation, bytes);
    return found && found.createdAt > createdAt ? undefined : pointer;
  });
}

/** Adds an evaluation's headline to the history of its dataset and returns the whole. */
export async function addToHistory(store: S3Store, evaluation: Evaluation): Promise<History> {
  const key = cloudKeys.evaluationHistory(evaluation.dataset);
  const written = await replace(store, key, (bytes) =>
    extendHistory(bytes && fromJsonBytes(History, bytes), evaluation),
  );
  return written!;
}

/** Reads, changes and writes a small object until no other writer was between. */
async function replace<Value>(
  store: S3Store,
  key: string,
  change: (bytes: Uint8Array | undefined) => Value | undefined,
): Promise<Value | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = await store.getTagged(key);
    const next = change(found?.body);
    if (next === undefined) return undefined;
    if ((await store.putIf(key, toJsonBytes(next), found?.etag)) !== undefined) return next;
  }
  throw new Error(`an object changed ${ATTEMPTS} times while it was being written`);
}
