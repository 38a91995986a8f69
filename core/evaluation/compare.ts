import type { EvaluatedCase } from '../contract/evaluated-case.ts';
import type { EstimateInterval, Evaluation, EvaluationComparison } from '../contract/evaluation.ts';
import {
  byText,
  casesOfPatients,
  diceOrZero,
  inCaseOrder,
  isLabelled,
  PatientBootstrap,
} from './patients.ts';
import { wilcoxonSignedRank } from './statistics.ts';
import { groupByTrait } from './strata.ts';

/** Smaller changes of a case's Dice are not listed. */
const MOVED_DICE = 0.01;

/** A case that both evaluations have, under the same label. */
interface Pair extends EvaluatedCase {
  readonly dice: number;
  readonly previousDice: number;
  readonly previous: EvaluatedCase;
}

/**
 * Sets an evaluation against an earlier one, case by case: only cases with the same id and the same
 * version of the label are paired, failures enter with Dice 0, patients are what is resampled.
 * Differences are these cases minus `previous`.
 *
 * @param bootstrap with the confidence that the reader asks for; default 2000 draws, 95 %, seed 0
 */
export function compareEvaluations(
  cases: readonly EvaluatedCase[],
  previous: Evaluation,
  bootstrap = new PatientBootstrap(),
): EvaluationComparison {
  const here = labelledById(cases);
  const there = labelledById(previous.cases);
  const pairs = pairsOf(here, there);
  const patients = patientDice(pairs);
  const { evaluationId, createdAt, bundle } = previous;
  const lacking = (
    ids: ReadonlyMap<string, unknown>,
    in_: ReadonlyMap<string, unknown>,
  ): string[] => [...ids.keys()].filter((id) => !in_.has(id));
  return {
    previous: { evaluationId, createdAt, bundleDigest: bundle?.digest ?? null },
    patients: patients.length,
    diceDifference: difference(patients, bootstrap),
    wilcoxon: wilcoxon(patients),
    moved: movedCases(pairs),
    strata: groupByTrait(pairs).map((group) => {
      const dice = patientDice(group.cases);
      return {
        ...group.trait,
        patients: dice.length,
        diceDifference: difference(dice, bootstrap),
      };
    }),
    onlyHere: lacking(here, there),
    onlyThere: lacking(there, here),
    relabelled: [...here.values()]
      .filter(({ caseId, labelVersion }) => {
        const earlier = there.get(caseId);
        return earlier !== undefined && earlier.labelVersion !== labelVersion;
      })
      .map(({ caseId }) => caseId),
  };
}

const labelledById = (cases: readonly EvaluatedCase[]): ReadonlyMap<string, EvaluatedCase> =>
  new Map(
    inCaseOrder(cases)
      .filter(isLabelled)
      .map((one) => [one.caseId, one]),
  );

function pairsOf(
  here: ReadonlyMap<string, EvaluatedCase>,
  there: ReadonlyMap<string, EvaluatedCase>,
): Pair[] {
  return [...here.values()].flatMap((one) => {
    const previous = there.get(one.caseId);
    if (!previous || previous.labelVersion !== one.labelVersion) return [];
    const [dice, previousDice] = [diceOrZero(one), diceOrZero(previous)];
    // A case that fails now may have been read before: its stratum is known.
    return [{ ...one, scan: one.scan ?? previous.scan, dice, previousDice, previous }];
  });
}

interface PatientDice {
  readonly here: number;
  readonly there: number;
}

function patientDice(pairs: readonly Pair[]): PatientDice[] {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  return (casesOfPatients(pairs) as Pair[][]).map((group) => ({
    here: mean(group.map(({ dice }) => dice)),
    there: mean(group.map(({ previousDice }) => previousDice)),
  }));
}

const difference = (
  patients: readonly PatientDice[],
  bootstrap: PatientBootstrap,
): EstimateInterval => bootstrap.mean(patients.map(({ here, there }) => here - there));

function wilcoxon(patients: readonly PatientDice[]): EvaluationComparison['wilcoxon'] {
  if (patients.length === 0) return null;
  const { statistic, pValue, pairs } = wilcoxonSignedRank(
    patients.map(({ here }) => here),
    patients.map(({ there }) => there),
  );
  return { statistic, pValue, pairs };
}

function movedCases(pairs: readonly Pair[]): EvaluationComparison['moved'] {
  const change = ({ dice, previousDice }: Pair): number => Math.abs(dice - previousDice);
  return pairs
    .filter((pair) => pair.status !== pair.previous.status || change(pair) >= MOVED_DICE)
    .sort((a, b) => change(b) - change(a) || byText(a.caseId, b.caseId))
    .map(({ caseId, previousDice, dice, previous, status }) => ({
      caseId,
      previousDice,
      dice,
      previousStatus: previous.status,
      status,
    }));
}
