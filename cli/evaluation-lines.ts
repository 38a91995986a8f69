import path from 'node:path';
import { targetOf } from '../core/contract/bundle.ts';
import type { EvaluatedCase } from '../core/contract/evaluated-case.ts';
import type {
  EstimateInterval,
  Evaluation,
  EvaluationComparison,
  MetricSummary,
} from '../core/contract/evaluation.ts';
import { faultText } from '../core/errors.ts';
import { counted, hasInterval } from '../core/page/format.ts';
import { duration } from './progress.ts';

/**
 * One case in one line.
 *
 * @param tookMs by the clock of this command, which may have had less to do than the mask took
 */
export function evaluatedCaseLine(
  { caseId, status, fault, metrics, flags }: EvaluatedCase,
  resumed: boolean,
  tookMs: number | null,
): string {
  if (status === 'failed') return `FAILED ${caseId}: ${fault ? faultText(fault) : 'no mask'}`;
  if (status === 'label-unusable')
    return `NOT COMPARED ${caseId}: ${fault ? faultText(fault) : 'its label cannot be used'}`;
  const parts = [
    status !== 'compared' && status.toUpperCase(),
    typeof metrics?.dice === 'number' && `Dice ${metrics.dice.toFixed(3)}`,
    typeof metrics?.hd95Mm === 'number' && `HD95 ${metrics.hd95Mm.toFixed(1)} mm`,
    flags.includes('not-an-abdomen') && 'NOT AN ABDOMEN',
    !resumed && tookMs !== null && duration(tookMs),
  ];
  return `${resumed ? 'kept  ' : 'done  '} ${caseId}: ${parts.filter(Boolean).join(', ')}`;
}

/** The headline of an evaluation: counts, means with what they leave out, comparison, drift. */
export function evaluationLines(evaluation: Evaluation, out: string): string[] {
  const { counts, cases, patients, comparison } = evaluation;
  const byStatus = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${status === 'label-unusable' ? 'not compared' : status}`);
  const drifted = evaluation.drift.filter((signal) => signal.drifted).map((signal) => signal.of);
  return [
    `${counted(cases.length, 'case')} of ${counted(patients, 'patient')}: ${byStatus.join(', ')}`,
    metricLine(evaluation.metrics, 'dice', 'Dice', 3),
    metricLine(evaluation.metrics, 'hd95Mm', 'HD95', 1),
    comparison && comparisonLine(comparison),
    ...meaningLines(evaluation),
    drifted.length > 0 &&
      `DRIFT of ${drifted.join(', ')}: the inputs differ from that evaluation's`,
    `evaluation in ${path.join(out, 'evaluation.html')}`,
  ].filter((line) => typeof line === 'string');
}

/** What was counted as the target, where that is not all there is. */
function meaningLines({ cases, bundle, target }: Evaluation): string[] {
  const counts = new Map<string, number>();
  for (const { labelMeaning, predictionMeaning } of cases)
    for (const [what, meaning] of [
      ['labels', labelMeaning],
      ['predictions', predictionMeaning],
    ] as const)
      if (meaning !== undefined)
        counts.set(`${what}: ${meaning}`, (counts.get(`${what}: ${meaning}`) ?? 0) + 1);
  return [...counts].map(
    ([meaning, count]) =>
      `counted as ${targetOf(bundle ?? { target })} in ${meaning}: ${counted(count, 'case')}`,
  );
}

function comparisonLine({
  previous,
  patients,
  diceDifference,
  moved,
  relabelled,
  onlyHere,
}: EvaluationComparison): string {
  const unpaired = `${relabelled.length} relabelled, ${onlyHere.length} new`;
  if (patients === 0) return `no case in common with ${previous.evaluationId}: ${unpaired}`;
  const difference = intervalText(diceDifference, 3);
  return `against ${previous.evaluationId}: Dice difference ${difference} over ${counted(patients, 'patient')}, ${counted(moved.length, 'case')} moved, ${unpaired}`;
}

function metricLine(
  metrics: readonly MetricSummary[],
  name: MetricSummary['name'],
  title: string,
  digits: number,
): string | null {
  const metric = metrics.find((one) => one.name === name);
  if (!metric) return null;
  const unit = metric.unit === '' ? '' : ` ${metric.unit}`;
  const mean = `${title} ${intervalText(metric.mean, digits, unit)}`;
  if (metric.leftOut === 0) return mean;
  const worst = intervalText(metric.meanWithWorst, digits, unit);
  return `${mean} without the ${metric.leftOut} that have none; ${worst} with ${metric.worst}${unit} for them`;
}

function intervalText(interval: EstimateInterval, digits: number, unit = ''): string {
  const { estimate, lower, upper } = interval;
  if (estimate === null || lower === null || upper === null) return 'n/a';
  const [mean, low, high] = [estimate, lower, upper].map((value) => value.toFixed(digits));
  if (!hasInterval(interval)) return `${mean}${unit}`;
  return `${mean}${unit} (95 % ${low} to ${high})`;
}
