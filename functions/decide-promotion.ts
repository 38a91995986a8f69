import {
  activate,
  type RecordedDecision,
  readActive,
  recordDecision,
} from '../adapters/activation.ts';
import { readEvaluationRecord } from '../adapters/evaluation-records.ts';
import type { Log } from '../adapters/log.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import { pointLatestEvaluation, readEvaluation } from '../adapters/stored-evaluations.ts';
import type { Evaluation } from '../core/contract/evaluation.ts';
import type { EvaluationRecord } from '../core/contract/evaluation-plan.ts';
import type { PromotionDecision, PromotionPolicy } from '../core/contract/promotion.ts';
import { decide } from '../core/evaluation/gate.ts';

export interface DecidePorts {
  readonly store: S3Store;
  readonly policy: PromotionPolicy;
  readonly log: Log;
}

/**
 * Applies the gate once both evaluations of a promotion are there, whichever ended last: writes the
 * decision down, and only then makes the candidate the active bundle. Doing it again finds the
 * decision and finishes what it began.
 *
 * @returns the decision that this call has written or carried out; undefined where another did, or
 *   where one of the evaluations is not there yet
 */
export async function decidePromotion(
  { request, judged }: EvaluationRecord,
  { store, policy, log }: DecidePorts,
): Promise<RecordedDecision | undefined> {
  if (!judged) return undefined;
  const { dataset, requestedAt } = request;
  const candidate = await readEvaluation(store, dataset, judged.candidate);
  const incumbent =
    judged.incumbent === null ? null : await readEvaluation(store, dataset, judged.incumbent);
  if (!candidate || incumbent === undefined) return undefined;
  const state = await readActive(store);
  const found = judge(candidate, incumbent, state.active?.digest, policy);
  const recorded = await recordDecision(store, found, requestedAt);
  const { decision, key } = recorded;
  if (!decision.promoted || state.active?.digest !== decision.incumbent?.digest)
    return recorded.isNew ? recorded : undefined;
  const record = await readEvaluationRecord(store, judged.candidate);
  const bundle = { prefix: record!.bundle.prefix, digest: decision.candidate.digest };
  if (!(await activate(store, state, bundle, key))) {
    // The other evaluation's end may have carried the same decision out; anything else comes back.
    if ((await readActive(store)).active?.decision === key) return undefined;
    throw new Error('the active bundle changed while it was being replaced');
  }
  await pointLatestEvaluation(store, candidate);
  log.info('promoted', { evaluationId: judged.candidate });
  return recorded;
}

/** The gate's decision, unless the site's bundle is no longer the one that was compared with. */
function judge(
  candidate: Evaluation,
  incumbent: Evaluation | null,
  activeDigest: string | undefined,
  policy: PromotionPolicy,
): PromotionDecision {
  const isActive = candidate.bundle?.digest === activeDigest;
  const decidedAt = new Date().toISOString();
  const decision = decide(candidate, isActive ? candidate : incumbent, policy, decidedAt);
  if (isActive || activeDigest === incumbent?.bundle?.digest) return decision;
  const changed = {
    code: 'incumbent-changed' as const,
    message: 'Another bundle has become active since the comparison began.',
  };
  const broken = decision.promoted ? [] : decision.reasons;
  return { ...decision, promoted: false, reasons: [...broken, changed] };
}
