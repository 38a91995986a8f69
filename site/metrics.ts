import { METRICS, METRICS_NAMESPACE, type MetricName } from './contract/metrics.ts';

/**
 * Metrics in CloudWatch's embedded metric format: a log line from which CloudWatch makes metrics,
 * with no API call and no permission. One dimension, the site, keeps the number of metrics small.
 */
export type EmitMetrics = (values: Partial<Record<MetricName, number>>) => void;

export function createMetrics(
  site: string,
  write: (line: string) => void = (line) => process.stdout.write(`${line}\n`),
): EmitMetrics {
  return (values) => {
    const names = Object.keys(values) as MetricName[];
    if (names.length === 0) return;
    write(
      JSON.stringify({
        _aws: {
          Timestamp: Date.now(),
          CloudWatchMetrics: [
            {
              Namespace: METRICS_NAMESPACE,
              Dimensions: [['Site']],
              Metrics: names.map((name) => ({ Name: name, Unit: METRICS[name] })),
            },
          ],
        },
        Site: site,
        ...values,
      }),
    );
  };
}
