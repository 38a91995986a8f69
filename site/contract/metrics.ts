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
  /** Jobs that found no GPU; counted from their logs. */
  CpuFallbacks: 'Count',
  /** Batch says that the first job of a queue cannot run. */
  QueueBlocked: 'Count',
  /** Runs that have not ended, and those of them that were given up, at every look. */
  RunsOpen: 'Count',
  RunsOverdue: 'Count',
  CanaryScansPassed: 'Count',
  CanaryScansFailed: 'Count',
  /** Masks of cases that came by DICOM, as DICOM-SEG. */
  DicomSegsWritten: 'Count',
  DicomSegsFailed: 'Count',
  TrainingsFinished: 'Count',
  /** Refused requests included. */
  TrainingsFailed: 'Count',
} as const;
export type MetricName = keyof typeof METRICS;
