import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  Metric,
  SingleValueWidget,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { MetricFilter } from 'aws-cdk-lib/aws-logs';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import { METRICS_NAMESPACE, type MetricName } from '../site/contract/metrics.ts';
import type { Canary } from './canary.ts';
import type { Dicom } from './dicom.ts';
import type { DicomSeg } from './dicom-seg.ts';
import type { Evaluation } from './evaluation.ts';
import type { GpuJob } from './gpu-job.ts';
import type { Pipeline } from './pipeline.ts';
import type { Training } from './training.ts';
import type { Watch } from './watch.ts';

export interface OperationsProps {
  readonly site: Site;
  readonly topic: Topic;
  readonly pipeline: Pipeline;
  readonly dicom: Dicom;
  readonly training: Training;
  readonly evaluation: Evaluation;
  /** Undefined at a site without one. */
  readonly canary: Canary | undefined;
  readonly dicomSeg: DicomSeg;
  readonly watch: Watch;
  readonly jobs: readonly GpuJob[];
}

const PERIOD = Duration.minutes(5);

/** A message that a function fails on comes back up to four times within so long. */
const FAILURES_WITHIN = Duration.hours(1);

/** As both images log it: the error's code, or the trainer's own. */
export const NO_GPU = '{ ($.error.code = "no-backend") || ($.code = "no-backend") }';

/** What someone who runs a site looks at, and what wakes them up. */
export class Operations extends Construct {
  private readonly props: OperationsProps;

  constructor(scope: Construct, id: string, props: OperationsProps) {
    super(scope, id);
    this.props = props;
    this.alarms();
    this.dashboard();
  }

  private alarms(): void {
    const { queues } = this.props.pipeline;
    const { pipeline, dicom, training, evaluation, canary, dicomSeg, watch } = this.props;
    this.countGpuFaults();
    const functions = {
      ...pipeline.functions,
      dicom: dicom.function,
      train: training.function,
      ...evaluation.functions,
      ...(canary && { canary: canary.function }),
      dicomSeg: dicomSeg.function,
      watch: watch.function,
    };
    this.alarm('ParkedMessages', {
      metric: queues.parked.metricApproximateNumberOfMessagesVisible({ period: PERIOD }),
      threshold: 1,
      text: 'A message that no function could handle waits in the Parked queue.',
    });
    this.alarm('CasesFailed', {
      metric: this.metric('CasesFailed', Stats.SUM),
      threshold: 1,
      text: 'A case failed; its report.json says why.',
    });
    this.alarm('TrainingsFailed', {
      metric: this.metric('TrainingsFailed', Stats.SUM),
      threshold: 1,
      text: 'A training was refused or failed; the .reason.json beside its request says why.',
    });
    if (canary)
      this.alarm('CanaryFailed', {
        metric: this.metric('CanaryScansFailed', Stats.SUM),
        threshold: 1,
        text: `A synthetic scan did not come out as the same bundle made it before. After an activation, go back with "sammix site rollback ${this.props.site.site}"; after a deployment, deploy the version before.`,
      });
    this.alarm('DicomSegsFailed', {
      metric: this.metric('DicomSegsFailed', Stats.SUM),
      threshold: 1,
      text: 'A mask could not be written as DICOM-SEG; segmentation.reason.json beside it says why.',
    });
    this.alarm('CpuFallbacks', {
      metric: this.metric('CpuFallbacks', Stats.SUM),
      threshold: 1,
      text: 'A job found no GPU, or not the libraries for it; it has computed nothing.',
    });
    this.alarm('QueueBlocked', {
      metric: this.metric('QueueBlocked', Stats.SUM),
      threshold: 1,
      text: 'Batch cannot run the first job of a queue; the log of the function watch has its reason.',
    });
    this.alarm('RunsOverdue', {
      metric: this.metric('RunsOverdue', Stats.SUM),
      threshold: 1,
      text: 'A run did not end within its deadline and was reported as failed.',
    });
    this.alarm('WatchSilent', {
      metric: this.metric('RunsOpen', Stats.SAMPLE_COUNT, Duration.hours(1)),
      threshold: 1,
      below: true,
      text: 'Nobody has looked at the open runs for an hour.',
    });
    const waiting = { Uploads: queues.ingest, Dicom: dicom.queue, Results: queues.results };
    for (const [name, queue] of Object.entries(waiting))
      this.alarm(`${name}Wait`, {
        metric: queue.metricApproximateAgeOfOldestMessage({ period: PERIOD }),
        threshold: Duration.hours(1).toSeconds(),
        text: `${name} wait for more than an hour.`,
      });
    for (const [name, { lambda }] of Object.entries(functions))
      this.alarm(`${name[0]?.toUpperCase()}${name.slice(1)}Errors`, {
        metric: lambda.metricErrors({ period: FAILURES_WITHIN }),
        threshold: 3,
        text: `The function ${name} failed three times in an hour.`,
      });
  }

  private alarm(
    id: string,
    {
      metric,
      threshold,
      text,
      below = false,
    }: { metric: IMetric; threshold: number; text: string; below?: boolean },
  ): void {
    new Alarm(this, id, {
      metric,
      threshold,
      alarmDescription: `sammix ${this.props.site.site}: ${text} See docs/deploy.md.`,
      evaluationPeriods: 1,
      comparisonOperator: below
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      // What should come and does not is missing data.
      treatMissingData: below ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(new SnsAction(this.props.topic));
  }

  private dashboard(): void {
    const { pipeline, dicom, training, evaluation, dicomSeg } = this.props;
    const { ingest, results, failures } = pipeline.queues;
    const waiting = [
      ingest,
      dicom.queue,
      results,
      failures,
      training.queue,
      dicomSeg.queue,
      ...Object.values(evaluation.queues),
    ];
    const sums = (...names: MetricName[]) => names.map((name) => this.metric(name, Stats.SUM));
    const dashboard = new Dashboard(this, 'Dashboard', { defaultInterval: Duration.days(7) });
    dashboard.addWidgets(
      new SingleValueWidget({
        title: 'Cases',
        width: 24,
        setPeriodToTimeRange: true,
        metrics: sums(
          'CasesReceived',
          'CasesReported',
          'CasesFailed',
          'CasesQuarantined',
          'GpuSeconds',
          'EstimatedUsd',
        ),
      }),
    );
    dashboard.addWidgets(
      new GraphWidget({
        title: 'In and out',
        left: sums('CasesReceived', 'CasesReported', 'CasesFailed', 'CasesQuarantined'),
        right: sums('TrainingsFinished', 'TrainingsFailed'),
      }),
      new GraphWidget({
        title: 'Upload to report',
        left: [
          this.metric('UploadToReportSeconds', Stats.percentile(50)),
          this.metric('UploadToReportSeconds', Stats.percentile(95)),
        ],
      }),
      new GraphWidget({
        title: 'GPU seconds',
        left: sums('GpuSeconds'),
        right: sums('EstimatedUsd'),
      }),
      new GraphWidget({
        title: 'Age of the oldest message',
        left: waiting.map((queue) => queue.metricApproximateAgeOfOldestMessage({ period: PERIOD })),
      }),
      new GraphWidget({
        title: 'Evaluations and bundles',
        left: sums('EvaluationsFinished', 'BundlesPromoted', 'BundlesRefused'),
        right: sums('EvaluatedCasesFailed'),
      }),
      new GraphWidget({
        title: 'Runs that have not ended',
        left: [this.metric('RunsOpen', Stats.MAXIMUM)],
        right: sums('RunsOverdue', 'QueueBlocked', 'CpuFallbacks'),
      }),
      new GraphWidget({
        title: 'DICOM-SEG',
        left: sums('DicomSegsWritten', 'DicomSegsFailed'),
      }),
      new GraphWidget({
        title: 'Canary',
        left: sums('CanaryScansPassed', 'CanaryScansFailed'),
      }),
    );
  }

  private metric(metricName: MetricName, statistic: string, period = PERIOD): Metric {
    return new Metric({
      namespace: METRICS_NAMESPACE,
      metricName,
      dimensionsMap: { Site: this.props.site.site },
      statistic,
      period,
    });
  }

  /** Jobs have no way to count but their logs. */
  private countGpuFaults(): void {
    for (const [at, { log }] of this.props.jobs.entries())
      new MetricFilter(this, `NoGpu${at}`, {
        logGroup: log,
        filterPattern: { logPatternString: NO_GPU },
        metricNamespace: METRICS_NAMESPACE,
        metricName: 'CpuFallbacks' satisfies MetricName,
        metricValue: '1',
        dimensions: { Site: '$.site' },
      });
  }
}
