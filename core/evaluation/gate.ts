import type { Evaluation, EvaluationComparison } from '../contract/evaluation.ts';
import type { PromotionDecision, PromotionPolicy, PromotionReason } from '../contract/promotion.ts';
import { compareEvaluations } from './compare.ts';
import { casesOfPatients, DEFAULT_BOOTSTRAP, isLabelled, PatientBootstrap } from './patients.ts';

/**
 * Decides whether a candidate bundle may replace the incumbent, from their evaluations on the same
 * cases. Patients are paired, a failed or missed case counts with Dice 0, and every rule that is
 * broken is named:
 *
 * - the lower end of the bootstrap interval of the paired difference is above the margin;
 * - no stratum of enough patients falls by more than its limit;
 * - no more cases fail, miss the liver or invent one than before;
 * - both saw the same cases with the same labels, of enough patients;
 * - they are two bundles.
 *
 * Pure and deterministic: the same evaluations give the same decision on every machine.
 *
 * @param incumbent null where the site has no active bundle yet: the candidate is let in
 * @param decidedAt ISO 8601, UTC
 */
export function decide(
  candidate: Evaluation,
  incumbent: Evaluation | null,
  policy: PromotionPolicy,
  decidedAt: string,
): PromotionDecision {
  const common = {
    schemaVersion: 1 as const,
    decidedAt,
    dataset: candidate.dataset,
    candidate: identityOf(candidate),
    policy,
  };
  if (!incumbent)
    return {
      ...common,
      incumbent: null,
      promoted: true,
      reasons: [{ code: 'no-incumbent', message: 'The site had no active bundle.' }],
      patients: casesOfPatients(candidate.cases.filter(isLabelled)).length,
      diceDifference: null,
      strata: [],
    };
  const bootstrap = new PatientBootstrap({ ...DEFAULT_BOOTSTRAP, confidence: policy.confidence });
  const compared = compareEvaluations(candidate.cases, incumbent, bootstrap);
  const broken = brokenRules(candidate, incumbent, compared, policy);
  return {
    ...common,
    incumbent: identityOf(incumbent),
    promoted: broken.length === 0,
    reasons: broken.length === 0 ? [passed(compared, policy)] : broken,
    patients: compared.patients,
    diceDifference: compared.diceDifference,
    strata: compared.strata,
  };
}

function identityOf({ evaluationId, bundle }: Evaluation): PromotionDecision['candidate'] {
  if (bundle) return { digest: bundle.digest, evaluationId };
  throw new RangeError(`evaluation ${evaluationId} is of masks that no bundle made`);
}

function brokenRules(
  candidate: Evaluation,
  incumbent: Evaluation,
  compared: EvaluationComparison,
  policy: PromotionPolicy,
): PromotionReason[] {
  return [
    ...sameBundle(candidate, incumbent),
    ...differentCases(compared),
    ...tooFewPatients(compared, policy),
    ...difference(compared, policy),
    ...fallingStrata(compared, policy),
    ...moreFailures(candidate, incumbent),
  ];
}

function sameBundle(candidate: Evaluation, incumbent: Evaluation): PromotionReason[] {
  if (candidate.bundle?.digest !== incumbent.bundle?.digest) return [];
  return [{ code: 'same-bundle', message: 'The candidate is the active bundle.' }];
}

function differentCases(compared: EvaluationComparison): PromotionReason[] {
  const { onlyHere, onlyThere, relabelled } = compared;
  const parts = [
    [onlyHere.length, 'only of the candidate'],
    [onlyThere.length, 'only of the incumbent'],
    [relabelled.length, 'under another label'],
  ].filter(([count]) => count !== 0);
  if (parts.length === 0) return [];
  const message = `The evaluations are of different cases: ${parts.map(([count, what]) => `${count} ${what}`).join(', ')}.`;
  return [{ code: 'different-cases', message }];
}

function tooFewPatients(
  { patients }: EvaluationComparison,
  { minimumPatients }: PromotionPolicy,
): PromotionReason[] {
  if (patients >= minimumPatients) return [];
  const message = `${patients} patients; the policy asks for ${minimumPatients}.`;
  return [{ code: 'too-few-patients', message }];
}

function difference(
  { diceDifference: { estimate, lower } }: EvaluationComparison,
  { marginDice, confidence }: PromotionPolicy,
): PromotionReason[] {
  if (lower !== null && lower > marginDice) return [];
  const found =
    lower === null
      ? 'The difference is undefined'
      : `Dice changes by ${signed(estimate)}, at ${percent(confidence)} confidence by ${signed(lower)} or more`;
  const message = `${found}; it must be above ${signed(marginDice)}.`;
  return [{ code: 'difference-not-above-margin', message }];
}

function fallingStrata(
  { strata }: EvaluationComparison,
  { stratumLimitDice, stratumMinimumPatients }: PromotionPolicy,
): PromotionReason[] {
  return strata
    .filter(({ patients }) => patients >= stratumMinimumPatients)
    .filter(({ diceDifference: { estimate } }) => (estimate ?? 0) < -stratumLimitDice)
    .map(({ by, value, patients, diceDifference: { estimate } }) => ({
      code: 'stratum-falls',
      message: `${by} ${value} (${patients} patients): Dice changes by ${signed(estimate)}; the limit is ${signed(-stratumLimitDice)}.`,
    }));
}

/** Without a mask, with a mask of nothing, or with a liver where there is none. */
const FAILURES = ['failed', 'missed', 'spurious'] as const;

function moreFailures(candidate: Evaluation, incumbent: Evaluation): PromotionReason[] {
  const count = ({ counts }: Evaluation): number =>
    FAILURES.reduce((sum, status) => sum + counts[status], 0);
  const [now, before] = [count(candidate), count(incumbent)];
  if (now <= before) return [];
  const message = `${now} cases failed, were missed or spurious; ${before} before.`;
  return [{ code: 'more-failures', message }];
}

const passed = (
  { patients, diceDifference: { estimate, lower } }: EvaluationComparison,
  { marginDice, confidence }: PromotionPolicy,
): PromotionReason => ({
  code: 'passed',
  message: `Dice changes by ${signed(estimate)} over ${patients} patients, at ${percent(confidence)} confidence by ${signed(lower)} or more; the margin is ${signed(marginDice)}.`,
});

const signed = (value: number | null): string =>
  value === null ? 'an undefined amount' : `${value < 0 ? '' : '+'}${value.toFixed(4)}`;

const percent = (share: number): string => `${Number((share * 100).toFixed(1))} %`;
