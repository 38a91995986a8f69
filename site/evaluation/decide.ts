import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { Notice } from '../../adapters/sns.ts';
import type { EstimateInterval, Evaluation } from '../../core/contract/evaluation.ts';
import type { PromotionDecision, PromotionPolicy } from '../../core/contract/promotion.ts';
import { decide } from '../../core/evaluation/gate.ts';
import { activate, type RecordedDecision, readActive, recordDecision } from '../bundles.ts';
import type { EvaluationRecord } from '../contract/evaluation.ts';
import { readEvaluationRecord } from './records.ts';
import { pointLatestEvaluation, readEvaluation } from './rows.ts';

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
  { request, judged, target }: EvaluationRecord,
  { store, policy, log }: DecidePorts,
): Promise<RecordedDecision | undefined> {
  if (!judged) return undefined;
  const { dataset, requestedAt } = request;
  const candidate = await readEvaluation(store, dataset, judged.candidate);
  const incumbent =
    judged.incumbent === null ? null : await readEvaluation(store, dataset, judged.incumbent);
  if (!candidate || incumbent === undefined) return undefined;
  const state = await readActive(store, target);
  const found = judge(candidate, incumbent, state.active?.digest, policy);
  const recorded = await recordDecision(store, found, requestedAt);
  const { decision, key } = recorded;
  if (!decision.promoted || state.active?.digest !== decision.incumbent?.digest)
    return recorded.isNew ? recorded : undefined;
  const record = await readEvaluationRecord(store, judged.candidate);
  const bundle = { prefix: record!.bundle.prefix, digest: decision.candidate.digest };
  if (!(await activate(store, state, bundle, key))) {
    // The other evaluation's end may have carried the same decision out; anything else comes back.
    if ((await readActive(store, target)).active?.decision === key) return undefined;
    throw new Error('the active bundle changed while it was being replaced');
  }
  await pointLatestEvaluation(store, candidate, target);
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

/** E-mails about evaluations: counts, means and a link. Never a case's name. */

export interface NoticeFacts {
  readonly site: string;
  /** Of the page, behind the account's sign-in. */
  readonly url: string;
  /** A further target of the site. */
  readonly target?: string | undefined;
}

const RESEARCH = 'Research use only. Not a medical device.';

export function evaluationNotice(evaluation: Evaluation, { site, url }: NoticeFacts): Notice {
  const { dataset, cases, patients, counts, bundle, comparison, drift } = evaluation;
  const dice = evaluation.metrics.find(({ name }) => name === 'dice');
  const hd95 = evaluation.metrics.find(({ name }) => name === 'hd95Mm');
  const drifted = drift.filter((signal) => signal.drifted).map((signal) => signal.of);
  const lines = [
    `Dataset ${dataset}, bundle ${bundle?.name} ${bundle?.digest.slice(0, 16)}.`,
    `${cases.length} labelled cases of ${patients} patients: ${counts.compared} compared, ${counts.failed} failed, ${counts.missed} missed, ${counts.spurious} spurious, ${counts['label-unusable']} with a label that cannot be used.`,
    '',
    `Dice, failures counted as 0: ${interval(dice?.meanWithWorst)}`,
    `Dice, without them: ${interval(dice?.mean)}`,
    `HD95 [mm], finite values: ${interval(hd95?.mean)}`,
    comparison === null
      ? 'No earlier evaluation to compare with.'
      : `Change of Dice over ${comparison.patients} patients: ${interval(comparison.diceDifference)}; ${comparison.moved.length} cases moved.`,
    drifted.length === 0
      ? 'No drift of the inputs.'
      : `The inputs have drifted: ${drifted.join(', ')}.`,
  ];
  return {
    subject: `sammix ${site}: evaluation of ${dataset}`,
    text: [...lines, '', url, '', RESEARCH, ''].join('\n'),
  };
}

export function promotionNotice(
  decision: PromotionDecision,
  { site, url, target }: NoticeFacts,
): Notice {
  const { candidate, incumbent, promoted, patients, diceDifference, reasons } = decision;
  const lines = [
    `Candidate ${candidate.digest.slice(0, 16)}, judged against ${incumbent?.digest.slice(0, 16) ?? 'none'}.`,
    promoted ? 'It is now the active bundle.' : 'The active bundle stays.',
    '',
    ...(diceDifference
      ? [`Paired change of Dice over ${patients} patients: ${interval(diceDifference)}`]
      : []),
    ...reasons.map(({ code, message }) => `${code}: ${message}`),
    ...(promoted
      ? [
          '',
          `To go back: sammix site rollback ${site}${target === undefined ? '' : ` --target "${target}"`}`,
        ]
      : []),
  ];
  return {
    subject: `sammix ${site}: bundle ${promoted ? 'promoted' : 'refused'}`,
    text: [...lines, '', url, '', RESEARCH, ''].join('\n'),
  };
}

function interval(value: EstimateInterval | null | undefined): string {
  if (!value || value.estimate === null) return 'undefined';
  const { estimate, lower, upper } = value;
  const range = lower === null || upper === null ? '' : ` (${digits(lower)} to ${digits(upper)})`;
  return `${digits(estimate)}${range}`;
}

const digits = (value: number): string => value.toFixed(4);

/** The object's page in the console: a link that works only for who may read the bucket. */
export const consoleUrl = (bucket: string, key: string, region: string | undefined): string =>
  `https://${region ? `${region}.` : ''}console.aws.amazon.com/s3/object/${bucket}?prefix=${encodeURIComponent(key)}`;
