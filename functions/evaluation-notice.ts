import type { Notice } from '../adapters/sns.ts';
import type { EstimateInterval, Evaluation } from '../core/contract/evaluation.ts';
import type { PromotionDecision } from '../core/contract/promotion.ts';

/** E-mails about evaluations: counts, means and a link. Never a case's name. */

export interface NoticeFacts {
  readonly site: string;
  /** Of the page, behind the account's sign-in. */
  readonly url: string;
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

export function promotionNotice(decision: PromotionDecision, { site, url }: NoticeFacts): Notice {
  const { candidate, incumbent, promoted, patients, diceDifference, reasons } = decision;
  const lines = [
    `Candidate ${candidate.digest.slice(0, 16)}, judged against ${incumbent?.digest.slice(0, 16) ?? 'none'}.`,
    promoted ? 'It is now the active bundle.' : 'The active bundle stays.',
    '',
    ...(diceDifference
      ? [`Paired change of Dice over ${patients} patients: ${interval(diceDifference)}`]
      : []),
    ...reasons.map(({ code, message }) => `${code}: ${message}`),
    ...(promoted ? ['', `To go back: sammix site rollback ${site}`] : []),
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
