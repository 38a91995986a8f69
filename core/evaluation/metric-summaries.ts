import type { EvaluatedCase, MetricSummary } from '../contract/evaluation.ts';
import { fiveNumbers } from '../metrics/aggregate.ts';
import { METRIC_DEFINITIONS, type MetricName } from '../metrics/definitions.ts';
import { fromExtended, toExtended } from '../metrics/panel.ts';
import { NO_ESTIMATE, type PatientBootstrap } from './patient-bootstrap.ts';
import { patientMeans } from './patients.ts';

/**
 * What a missed organ counts as in mm: the diagonal of a field of view of 400 mm each way. A constant,
 * so that evaluations of different scans can be compared.
 */
export const WORST_DISTANCE_MM = 700;

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
