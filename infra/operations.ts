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
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import { METRICS_NAMESPACE, type MetricName } from '../site/contract/metrics.ts';
import type { Canary } from './canary.ts';
import type { Evaluation } from './evaluation.ts';
import type { Pipeline } from './pipeline.ts';
import type { Training } from './training.ts';

export interface OperationsProps {
  readonly site: Site;
  readonly topic: Topic;
  readonly pipeline: Pipeline;
  readonly training: Training;
  readonly evaluation: Evaluation;
  /** Undefined at a site without one. */
  readonly canary: Canary | undefined;
}

const PERIOD = Duration.minutes(5);

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
    const { pipeline, training, evaluation, canary } = this.props;
    const functions = {
      ...pipeline.functions,
      train: training.function,
      ...evaluation.functions,
      ...(canary && { canary: canary.function }),
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
    for (const [name, queue] of Object.entries({ Uploads: queues.ingest, Results: queues.results }))
      this.alarm(`${name}Wait`, {
        metric: queue.metricApproximateAgeOfOldestMessage({ period: PERIOD }),
        threshold: Duration.hours(1).toSeconds(),
        text: `${name} wait for more than an hour.`,
      });
    for (const [name, { lambda }] of Object.entries(functions))
      this.alarm(`${name[0]?.toUpperCase()}${name.slice(1)}Errors`, {
        metric: lambda.metricErrors({ period: PERIOD }),
        threshold: 3,
        text: `The function ${name} failed three times in five minutes.`,
      });
  }

  private alarm(
    id: string,
    { metric, threshold, text }: { metric: IMetric; threshold: number; text: string },
  ): void {
    new Alarm(this, id, {
      metric,
      threshold,
      alarmDescription: `sammix ${this.props.site.site}: ${text} See docs/deploy.md.`,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(new SnsAction(this.props.topic));
  }

  private dashboard(): void {
    const { pipeline, training, evaluation } = this.props;
    const { ingest, results, failures } = pipeline.queues;
    const waiting = [
      ingest,
      results,
      failures,
      training.queue,
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
        title: 'Canary',
        left: sums('CanaryScansPassed', 'CanaryScansFailed'),
      }),
    );
  }

  private metric(metricName: MetricName, statistic: string): Metric {
    return new Metric({
      namespace: METRICS_NAMESPACE,
      metricName,
      dimensionsMap: { Site: this.props.site.site },
      statistic,
      period: PERIOD,
    });
  }
}
