import type { EvaluatedCase, ScanTraits } from '../../../core/contract/evaluated-case.ts';
import type { Evaluation } from '../../../core/contract/evaluation.ts';
import { METRIC_DEFINITIONS, type MetricName } from '../../../core/contract/panel.ts';
import { unmeasured } from '../../../core/evaluation/rows.ts';
import { type EvaluationFacts, summarise } from '../../../core/evaluation/summarise.ts';

export const FACTS: EvaluationFacts = {
  evaluationId: '20260102T030405Z-00000001',
  dataset: 'made-up',
  createdAt: '2026-01-02T03:04:05.000Z',
  sammixVersion: '0.0.0',
  bundle: {
    name: 'tiny',
    digest: '0'.repeat(64),
    classifierThreshold: 0.4,
    windowHu: [0, 255],
    sliceSizePx: 256,
    licences: [],
  },
};

/** What a test says of a case; the rest follows. */
export interface RowFacts extends Partial<EvaluatedCase> {
  readonly caseId: string;
  readonly dice?: number;
  readonly hd95Mm?: number | 'inf';
  readonly sliceSpacingMm?: number;
}

export function row({ dice, hd95Mm, sliceSpacingMm, ...given }: RowFacts): EvaluatedCase {
  const { caseId } = given;
  const base = unmeasured(given.status ?? 'compared', caseId, given.patientId ?? caseId);
  const known = dice === undefined ? null : metricsOf(dice, hd95Mm ?? 5);
  return {
    ...base,
    labelVersion: 'v1',
    metrics: known,
    scan: sliceSpacingMm === undefined ? null : scanOf(sliceSpacingMm),
    ...given,
  };
}

function metricsOf(dice: number, mm: number | 'inf'): NonNullable<EvaluatedCase['metrics']> {
  const names = Object.keys(METRIC_DEFINITIONS) as MetricName[];
  const entries = names.map((name) => {
    const { unit } = METRIC_DEFINITIONS[name];
    return [name, unit === 'mm' ? mm : unit === '' ? dice : 0] as const;
  });
  return Object.fromEntries(entries) as NonNullable<EvaluatedCase['metrics']>;
}

export const scanOf = (sliceSpacingMm: number, more: Partial<ScanTraits> = {}): ScanTraits => ({
  orientation: 'LPS',
  spacingMm: { column: 0.8, row: 0.8, slice: sliceSpacingMm },
  description: null,
  hu: { min: -1024, max: 1500, p01: -1000, p50: -20, p99: 300 },
  ...more,
});

export const evaluate = (
  rows: readonly EvaluatedCase[],
  more: Partial<EvaluationFacts> = {},
): Evaluation => summarise(rows, { ...FACTS, ...more });

export const metricOf = (evaluation: Evaluation, name: MetricName): Evaluation['metrics'][number] =>
  evaluation.metrics.find((metric) => metric.name === name)!;
