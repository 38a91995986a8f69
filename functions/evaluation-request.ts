import { fromJsonBytes } from '../adapters/json-object.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import { cloudKeys } from '../core/contract/cloud-keys.ts';
import { EvaluationRequest, type StartEvent } from '../core/contract/evaluation-plan.ts';
import { CandidateBundle } from '../core/contract/training.ts';

/**
 * What an event asks for. A candidate that was trained here asks to be judged on the site's held-out
 * dataset, if there is one; one that was registered by hand waits for `sammix site promote`.
 */
export async function requestOf(
  event: StartEvent,
  store: S3Store,
  heldOut: string | undefined,
): Promise<EvaluationRequest | undefined> {
  if (event.source === 'sammix.evaluation') return event.detail;
  const { key } = event.detail.object;
  const bytes = await store.get(key);
  if (!key.startsWith(cloudKeys.candidates)) return fromJsonBytes(EvaluationRequest, bytes);
  const { prefix, trainingId, registeredAt } = fromJsonBytes(CandidateBundle, bytes);
  if (heldOut === undefined || trainingId === null) return undefined;
  return {
    schemaVersion: 1,
    dataset: heldOut,
    bundle: prefix,
    promote: true,
    requestedAt: registeredAt,
  };
}
