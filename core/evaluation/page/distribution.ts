import type { CustomSeriesRenderItem } from 'echarts';
import type { EvaluatedCase } from '../../contract/evaluated-case.ts';
import type { Evaluation, MetricSummary } from '../../contract/evaluation.ts';
import type { MetricName } from '../../contract/panel.ts';
import {
  AXIS,
  BAD,
  CARD,
  CURVE,
  drawChart,
  HIDDEN_AXIS,
  INK,
  type Plot,
  ratioScale,
  type Scale,
  scaleAround,
  TEXT,
  WIDTH_PX,
} from '../../page/chart.ts';
import {
  counted,
  digitsOf,
  metricOf,
  numberInsert,
  numberText,
  unitText,
} from '../../page/format.ts';
import { dataTable } from '../../page/table.ts';
import { METRIC_TITLES } from '../../page/words.ts';
import { isLabelled } from '../patients.ts';

const EDGE_PX = 18;
const TOP_PX = 8;
/** Height of the plane; its hidden axis counts pixels. */
const PLANE_PX = 132;
const BOX_AT_PX = 116;
const BOX_HALF_PX = 9;
/** Dots are stacked up to here. */
const STACK_PX = 92;
/** Room beside the axis for cases that have no place on it. */
const ASIDE_PX = 62;

/** One metric over the cases: box above, a stack of dots below, cases without a value set aside. */
export function distributionPlot(evaluation: Evaluation, name: MetricName): Plot | null {
  const summary = evaluation.metrics.find((metric) => metric.name === name);
  if (!summary || summary.count === 0) return null;
  const measured = evaluation.cases.filter(hasPlace);
  const values = measured.flatMap((one) => {
    const value = metricOf(one, name);
    return typeof value === 'number' ? [value] : [];
  });
  const aside = evaluation.cases.filter((one) => isLabelled(one) && !hasPlace(one));
  if (values.length === 0) return null;
  const title = `${METRIC_TITLES[name]}${summary.unit && `, ${summary.unit}`}`;
  return {
    key: `distribution-${name.toLowerCase()}`,
    title: `Distribution of ${title}`,
    summary: summaryText(summary, values, aside.length),
    svg: draw(summary, values, aside.length),
    data: numbersTable(title, summary),
  };
}

/** A missed, spurious or failed case has no distance, and its Dice of 0 would squeeze the axis. */
const hasPlace = ({ status }: EvaluatedCase): boolean =>
  status === 'compared' || status === 'both-empty';

const isOverlap = ({ unit }: MetricSummary): boolean => unit === '';

function summaryText(summary: MetricSummary, values: readonly number[], aside: number): string {
  const { unit, quartiles } = summary;
  const digits = digitsOf(unit);
  const [lower, median, upper] = quartiles ?? [null, null, null];
  const apart =
    aside === 0
      ? ''
      : ` Set apart: ${counted(aside, 'case')} missed, spurious or failed, ` +
        `${isOverlap(summary) ? 'counted as 0' : 'without a finite distance'}.`;
  return (
    `One dot per case (${values.length}); the box holds the middle half of the measured cases, its ` +
    `bar is the median ${unitText(numberText(median, digits), unit)} ` +
    `(quartiles ${numberText(lower, digits)} to ${unitText(numberText(upper, digits), unit)}).${apart}`
  );
}

const numbersTable = (title: string, { min, max, quartiles, unit, count }: MetricSummary) => {
  const digits = digitsOf(unit);
  const [lower, median, upper] = quartiles ?? [null, null, null];
  return dataTable(
    `${title}: measured cases, missed and spurious ones included`,
    ['', 'Value'],
    [
      ['Cases with a finite value', count],
      ['Smallest', numberInsert(min, digits)],
      ['Lower quartile', numberInsert(lower, digits)],
      ['Median', numberInsert(median, digits)],
      ['Upper quartile', numberInsert(upper, digits)],
      ['Largest', numberInsert(max, digits)],
    ],
  );
};

/** The axis and where it lies. */
interface Placed extends Scale {
  readonly leftPx: number;
  readonly widthPx: number;
}

function draw(summary: MetricSummary, values: readonly number[], aside: number) {
  const scale = placed(summary, values, aside > 0);
  const radius = values.length > 200 ? 1.5 : values.length > 80 ? 2.5 : 3.5;
  const place = { top: TOP_PX, height: PLANE_PX };
  const flat = { type: 'value' as const, min: 0, max: PLANE_PX, ...HIDDEN_AXIS };
  return drawChart(
    {
      grid: [
        { ...place, left: scale.leftPx, width: scale.widthPx },
        asideGrid(summary, scale, place),
      ],
      xAxis: [
        {
          type: 'value',
          min: scale.min,
          max: scale.max,
          interval: scale.interval,
          ...AXIS,
        },
        {
          type: 'category',
          gridIndex: 1,
          data: [isOverlap(summary) ? 'as 0' : '∞'],
          show: aside > 0,
          ...AXIS,
          axisTick: { show: false },
        },
      ],
      yAxis: [flat, { ...flat, gridIndex: 1 }],
      series: [
        {
          type: 'custom',
          data: [boxOf(summary, values, scale)],
          renderItem: drawBox,
          silent: true,
        },
        {
          type: 'scatter',
          data: stack(values, scale, radius),
          symbolSize: radius * 2,
          itemStyle: { color: CURVE, opacity: 0.75 },
        },
        {
          type: 'scatter',
          xAxisIndex: 1,
          yAxisIndex: 1,
          symbol: 'diamond',
          symbolSize: 11,
          itemStyle: { color: BAD },
          label: { show: true, opacity: 1, position: 'top', formatter: String(aside), ...TEXT },
          data: aside > 0 ? [[0, 12]] : [],
        },
      ],
    },
    { key: `d-${summary.name.toLowerCase()}`, heightPx: PLANE_PX + TOP_PX + 30 },
  );
}

function placed(summary: MetricSummary, values: readonly number[], hasAside: boolean): Placed {
  const [smallest, largest] = [Math.min(...values), Math.max(...values)];
  const asidePx = hasAside ? ASIDE_PX : 0;
  const widthPx = WIDTH_PX - 2 * EDGE_PX - asidePx;
  return isOverlap(summary)
    ? { ...ratioScale(smallest, 1), leftPx: EDGE_PX + asidePx, widthPx }
    : { ...scaleAround(0, largest), leftPx: EDGE_PX, widthPx };
}

const asideGrid = (summary: MetricSummary, { leftPx, widthPx }: Placed, place: object) => ({
  ...place,
  left: isOverlap(summary) ? EDGE_PX : leftPx + widthPx + 14,
  width: ASIDE_PX - 18,
});

/** Stacks the dots on their bins from the axis upwards: a histogram in which every case is seen. */
function stack(values: readonly number[], scale: Placed, radius: number): [number, number][] {
  const binPx = radius * 2 + 1;
  const pxPerUnit = scale.widthPx / (scale.max - scale.min);
  const bins = new Map<number, number>();
  const placed = [...values]
    .sort((a, b) => a - b)
    .map((value) => {
      const bin = Math.floor(((value - scale.min) * pxPerUnit) / binPx);
      const level = bins.get(bin) ?? 0;
      bins.set(bin, level + 1);
      return { bin, level };
    });
  const step = Math.min(binPx, STACK_PX / Math.max(1, ...bins.values()));
  return placed.map(({ bin, level }) => [
    Math.min(scale.max, scale.min + ((bin + 0.5) * binPx) / pxPerUnit),
    radius + 2 + level * step,
  ]);
}

/** Whisker ends, quartiles and median, kept within the axis. */
function boxOf({ quartiles }: MetricSummary, values: readonly number[], scale: Placed): number[] {
  const within = (value: number | 'inf' | '-inf'): number => {
    const number = value === 'inf' ? scale.max : value === '-inf' ? scale.min : value;
    return Math.max(scale.min, Math.min(scale.max, number));
  };
  const middle = (quartiles ?? []).map(within);
  return [Math.min(...values), ...middle, Math.max(...values)];
}

const drawBox: CustomSeriesRenderItem = (_parameters, api) => {
  const x = (n: number): number => api.coord([api.value(n), BOX_AT_PX])[0]!;
  const y = api.coord([api.value(0), BOX_AT_PX])[1]!;
  const [from, lower, median, upper, to] = [x(0), x(1), x(2), x(3), x(4)];
  const line = (x1: number, x2: number, half: number, lineWidth: number) => ({
    type: 'line' as const,
    shape: { x1, y1: y - half, x2, y2: y + half },
    style: { stroke: INK, lineWidth },
  });
  return {
    type: 'group',
    children: [
      line(from, to, 0, 1.5),
      line(from, from, 5, 1.5),
      line(to, to, 5, 1.5),
      {
        type: 'rect',
        shape: { x: lower, y: y - BOX_HALF_PX, width: upper - lower, height: 2 * BOX_HALF_PX },
        style: { fill: CARD, stroke: INK, lineWidth: 1.5 },
      },
      line(median, median, BOX_HALF_PX, 3),
    ],
  };
};
