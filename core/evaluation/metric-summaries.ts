import type { EvaluatedCase, EvaluatedStatus } from '../contract/evaluated-case.ts';
import type { MetricSummary, VolumeAgreement } from '../contract/evaluation.ts';
import {
  fromExtended,
  METRIC_DEFINITIONS,
  type MetricName,
  toExtended,
} from '../contract/panel.ts';
import {
  byText,
  diceOrZero,
  NO_ESTIMATE,
  type PatientBootstrap,
  patientMeans,
} from './patients.ts';
import { fiveNumbers } from './statistics.ts';

/**
 * What a missed organ counts as in mm: the diagonal of a field of view of 400 mm each way. A constant,
 * so that evaluations of different scans can be compared.
 */
const WORST_DISTANCE_MM = 700;

/** Nothing is the worst volume error, so means of it say what they leave out and no more. */
const WORST_BY_UNIT: Readonly<Record<string, number | null>> = {
  '': 0,
  mm: WORST_DISTANCE_MM,
  ml: null,
  '%': null,
};

/** Every metric of the panel over labelled cases. */
export const metricSummaries = (
  labelled: readonly EvaluatedCase[],
  bootstrap: PatientBootstrap,
): MetricSummary[] =>
  (Object.keys(METRIC_DEFINITIONS) as MetricName[]).map((name) =>
    summariseMetric(name, labelled, bootstrap),
  );

function summariseMetric(
  name: MetricName,
  labelled: readonly EvaluatedCase[],
  bootstrap: PatientBootstrap,
): MetricSummary {
  const { unit, definition } = METRIC_DEFINITIONS[name];
  const finite = (one: EvaluatedCase): number | null => {
    const value = one.metrics?.[name];
    return typeof value === 'number' ? value : null;
  };
  const measured = labelled.flatMap(({ metrics }) =>
    metrics ? [fromExtended(metrics[name])] : [],
  );
  const count = labelled.filter((one) => finite(one) !== null).length;
  const worst = WORST_BY_UNIT[unit] ?? null;
  const numbers = fiveNumbers(measured);
  return {
    name,
    unit,
    definition,
    mean: bootstrap.mean(patientMeans(labelled, finite)),
    count,
    leftOut: labelled.length - count,
    meanWithWorst:
      worst === null
        ? NO_ESTIMATE
        : bootstrap.mean(patientMeans(labelled, (one) => worseOf(finite(one) ?? worst, worst))),
    worst,
    quartiles: numbers && [
      toExtended(numbers.lowerQuartile),
      toExtended(numbers.median),
      toExtended(numbers.upperQuartile),
    ],
    min: numbers && toExtended(numbers.min),
    max: numbers && toExtended(numbers.max),
  };
}

/** No case counts as worse than a missed one: it would make missing it an improvement. */
const worseOf = (value: number, worst: number): number =>
  worst === 0 ? value : Math.min(value, worst);

/** Cases of each kind, failed or drawn, that a gallery of the worst shows. */
const WORST_CASES = 12;

/** What went wrong first is worse; true negatives and cases without a label are not ranked. */
const SEVERITY: readonly EvaluatedStatus[] = ['failed', 'missed', 'spurious', 'compared'];

/**
 * Ids of the worst cases: by what went wrong, then Dice, then HD95, then id. At most `count` that
 * failed and `count` others: however many fail, the gallery still shows masks.
 */
export function worstCases(labelled: readonly EvaluatedCase[], count = WORST_CASES): string[] {
  const ranked = labelled
    .filter(({ status }) => SEVERITY.includes(status))
    .map((one) => ({ one, severity: SEVERITY.indexOf(one.status), hd95Mm: hd95Of(one) }))
    .sort(
      (a, b) =>
        a.severity - b.severity ||
        diceOrZero(a.one) - diceOrZero(b.one) ||
        descending(a.hd95Mm, b.hd95Mm) ||
        byText(a.one.caseId, b.one.caseId),
    )
    .map(({ one }) => one);
  const failed = ranked.filter(({ status }) => status === 'failed');
  const drawn = ranked.filter(({ status }) => status !== 'failed');
  return [...failed.slice(0, count), ...drawn.slice(0, count)].map(({ caseId }) => caseId);
}

const hd95Of = ({ metrics }: EvaluatedCase): number =>
  metrics ? fromExtended(metrics.hd95Mm) : Number.POSITIVE_INFINITY;

/** A difference of two infinities is no number. */
const descending = (a: number, b: number): number => (a === b ? 0 : b > a ? 1 : -1);

/**
 * Bland and Altman's limits of agreement between the volumes of mask and label, over compared cases (a
 * missed organ is counted elsewhere; here it would say nothing of how well volumes agree):
 * mean difference -+ 1.96 sample standard deviations (n - 1); limits need two cases.
 */
export function volumeAgreement(labelled: readonly EvaluatedCase[]): VolumeAgreement {
  const differences = labelled.flatMap(({ status, predictionVolumeMl, labelVolumeMl }) =>
    status !== 'compared' || predictionVolumeMl === null || labelVolumeMl === null
      ? []
      : [predictionVolumeMl - labelVolumeMl],
  );
  const cases = differences.length;
  if (cases === 0) return { cases, biasMl: null, lowerLimitMl: null, upperLimitMl: null };
  const biasMl = differences.reduce((sum, value) => sum + value, 0) / cases;
  // Volumes that no patient has may sum up to more than a number holds.
  if (!Number.isFinite(biasMl))
    return { cases, biasMl: null, lowerLimitMl: null, upperLimitMl: null };
  if (cases === 1) return { cases, biasMl, lowerLimitMl: null, upperLimitMl: null };
  const squares = differences.reduce((sum, value) => sum + (value - biasMl) ** 2, 0);
  const reachMl = 1.96 * Math.sqrt(squares / (cases - 1));
  if (!Number.isFinite(reachMl)) return { cases, biasMl, lowerLimitMl: null, upperLimitMl: null };
  return { cases, biasMl, lowerLimitMl: biasMl - reachMl, upperLimitMl: biasMl + reachMl };
}
