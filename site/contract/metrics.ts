/** CloudWatch metrics of a site: what functions emit and what dashboard and alarms show. */
export const METRICS_NAMESPACE = 'Sammix';

/** Every metric and its CloudWatch unit. The only dimension is `Site`. */
export const METRICS = {
  CasesReceived: 'Count',
  CasesReported: 'Count',
  CasesFailed: 'Count',
  CasesQuarantined: 'Count',
  DuplicateEvents: 'Count',
  LabelsCompared: 'Count',
  GpuSeconds: 'Seconds',
  EstimatedUsd: 'None',
  UploadToReportSeconds: 'Seconds',
  SplitSeconds: 'Seconds',
  EvaluationsFinished: 'Count',
  EvaluatedCasesFailed: 'Count',
  BundlesPromoted: 'Count',
  BundlesRefused: 'Count',
  CanaryScansPassed: 'Count',
  CanaryScansFailed: 'Count',
  TrainingsFinished: 'Count',
  /** Refused requests included. */
  TrainingsFailed: 'Count',
} as const;
export type MetricName = keyof typeof METRICS;
