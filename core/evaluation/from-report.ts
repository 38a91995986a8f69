import type { EvaluatedCase, EvaluatedStatus, ScoredSlice } from '../contract/evaluation.ts';
import type { CaseReport, Comparison, SegmentedReport } from '../contract/report.ts';
import { liverFreeSliceSpecificity, liverSliceRecall } from '../metrics/classification.ts';
import type { CasePanel, PanelMetric } from '../metrics/panel.ts';

/** What a report does not say of its case. */
export interface CaseFacts {
  /** The case stands for its own patient where this is left out. */
  readonly patientId?: string;
  /** Of the label that the case has; null where it has none. */
  readonly labelVersion: string | null;
}

/** The row of a case in an evaluation; all that an evaluation needs to know of it. */
export function evaluatedCase(report: CaseReport, facts: CaseFacts): EvaluatedCase {
  const { caseId, runId } = report;
  const patientId = facts.patientId ?? caseId;
  if (report.status === 'failed') {
    const { labelVersion } = facts;
    return { ...unmeasured('failed', caseId, patientId), runId, fault: report.fault, labelVersion };
  }
  const { comparison, geometry, timings } = report;
  return {
    ...unmeasured(statusOf(report), caseId, patientId),
    runId,
    fault: report.comparisonFault,
    labelVersion: comparison?.labelVersion ?? facts.labelVersion,
    ...(comparison && measuredFields(comparison)),
    predictionVolumeMl: report.volumeMl,
    scan: {
      orientation: geometry.orientation,
      spacingMm: geometry.grid.spacingMm,
      description: geometry.description ?? null,
      hu: report.hu,
    },
    scores: scoredSlices(report),
    flags: report.flags.map((flag) => flag.code),
    seconds: timings.splitSeconds + timings.segmentSeconds + timings.assembleSeconds,
  };
}

/** A row without any number: of a case that failed, or that nothing was asked of. */
export const unmeasured = (
  status: EvaluatedStatus,
  caseId: string,
  patientId: string,
): EvaluatedCase => ({
  caseId,
  patientId,
  runId: null,
  status,
  fault: null,
  labelVersion: null,
  metrics: null,
  paper: null,
  predictionVolumeMl: null,
  labelVolumeMl: null,
  liverSliceRecall: null,
  liverFreeSliceSpecificity: null,
  scan: null,
  scores: [],
  flags: [],
  seconds: null,
});

function statusOf(report: SegmentedReport): EvaluatedStatus {
  if (report.comparison) return report.comparison.panel.status;
  return report.comparisonFault ? 'label-unusable' : 'unlabelled';
}

/** What the comparison of a mask with a label gives, whoever drew the mask. */
export const measuredFields = ({ panel, paper }: Comparison) => ({
  metrics: metricsByName(panel.metrics),
  paper: paper ?? null,
  predictionVolumeMl: panel.predictionVolumeMl,
  labelVolumeMl: panel.labelVolumeMl,
  ...sliceShares(panel),
});

function metricsByName(metrics: readonly PanelMetric[]): NonNullable<EvaluatedCase['metrics']> {
  const entries = metrics.map(({ name, value }) => [name, value] as const);
  return Object.fromEntries(entries) as NonNullable<EvaluatedCase['metrics']>;
}

/** Nothing is known of slices in reports of before their voxels were kept. */
function sliceShares({
  sliceVoxels,
}: CasePanel): Pick<EvaluatedCase, 'liverSliceRecall' | 'liverFreeSliceSpecificity'> {
  const slices = (sliceVoxels?.label ?? []).map((labelVoxels, k) => ({
    labelVoxels,
    predictionVoxels: sliceVoxels?.prediction[k] ?? 0,
  }));
  return {
    liverSliceRecall: liverSliceRecall(slices),
    liverFreeSliceSpecificity: liverFreeSliceSpecificity(slices),
  };
}

function scoredSlices({ comparison, slices }: SegmentedReport): ScoredSlice[] {
  const label = comparison?.panel.sliceVoxels?.label;
  if (!label) return [];
  return slices.map(({ index, probability }) => ({
    score: probability,
    positive: (label[index] ?? 0) > 0,
  }));
}
