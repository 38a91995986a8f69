import type { EstimateInterval, Evaluation } from '../../contract/evaluation.ts';
import {
  AXIS,
  BAD,
  CURVE,
  drawChart,
  FEW_STEPS,
  INK,
  type Plot,
  ratioScale,
  type Scale,
  SOFT,
  TEXT,
  whisker,
} from '../../page/chart.ts';
import { estimateText, numberText, shortened } from '../../page/format.ts';
import { html, type SafeHtml } from '../../page/html.ts';
import { dataTable } from '../../page/table.ts';
import { stratumKind, stratumShort, stratumValue } from './words.ts';

export interface ForestRow {
  readonly name: string;
  readonly interval: EstimateInterval;
  /** What stands at the row's end. */
  readonly note: string;
}

export interface ForestOptions {
  readonly key: string;
  readonly axisName: string;
  readonly axis: Scale;
  /** Where the dashed line stands. */
  readonly reference: number | null;
}

const ROW_PX = 26;
const NAME_CHARACTERS = 20;
/** Mean width of a digit and its neighbours in the plot's type. */
const NOTE_CHARACTER_PX = 7.4;

/**
 * A forest plot: one row per group with its estimate and interval, the first row being that of all.
 * A row whose estimate lies below the axis is an arrow at its end, one without estimate is empty.
 */
export function drawForest(rows: readonly ForestRow[], options: ForestOptions): SafeHtml {
  const { axis, reference } = options;
  const within = (value: number): number => Math.max(axis.min, Math.min(axis.max, value));
  const points = rows.flatMap(({ interval: { estimate } }, at) =>
    estimate === null ? [] : [[within(estimate), at, estimate < axis.min ? 1 : 0] as const],
  );
  const shown = (keep: (at: number, off: boolean) => boolean): [number, number][] =>
    points.flatMap(([x, at, off]) => (keep(at, off === 1) ? [[x, at]] : []));
  const whiskers = rows.flatMap(({ interval: { lower, upper } }, at) =>
    lower === null || upper === null || upper < axis.min
      ? []
      : [[within(lower), within(upper), at]],
  );
  const longest = Math.max(...rows.map(({ note }) => note.length));
  const rowAxis = {
    type: 'category' as const,
    inverse: true,
    axisTick: { show: false },
    axisLine: { show: false },
    axisLabel: { ...TEXT, interval: 0 },
  };
  return drawChart(
    {
      grid: {
        left: 154,
        right: 16 + longest * NOTE_CHARACTER_PX,
        top: 6,
        height: rows.length * ROW_PX,
      },
      xAxis: {
        type: 'value',
        name: options.axisName,
        nameGap: 28,
        ...axis,
        ...AXIS,
        axisLabel: {
          ...TEXT,
          hideOverlap: true,
          formatter: (value: number) => numberText(value, decimalsOf(axis.interval)),
        },
      },
      yAxis: [
        { ...rowAxis, data: rows.map(({ name }) => shortened(name, NAME_CHARACTERS)) },
        { ...rowAxis, position: 'right', data: rows.map(({ note }) => note) },
      ],
      series: [
        {
          type: 'custom',
          data: whiskers,
          renderItem: whisker('x', INK),
          silent: true,
          ...(reference !== null && {
            markLine: {
              silent: true,
              symbol: 'none',
              label: { show: false },
              lineStyle: { color: SOFT, type: 'dashed', width: 1.2 },
              data: [{ xAxis: reference }],
            },
          }),
        },
        {
          type: 'scatter',
          symbol: 'rect',
          symbolSize: 9,
          itemStyle: { color: CURVE, opacity: 1 },
          data: shown((at, off) => at > 0 && !off),
        },
        {
          type: 'scatter',
          symbol: 'diamond',
          symbolSize: 14,
          itemStyle: { color: INK, opacity: 1 },
          data: shown((at, off) => at === 0 && !off),
        },
        {
          type: 'scatter',
          symbol: 'triangle',
          symbolRotate: 90,
          symbolSize: 10,
          itemStyle: { color: BAD, opacity: 1 },
          data: shown((_at, off) => off),
        },
      ],
    },
    { key: options.key, heightPx: rows.length * ROW_PX + 54 },
  );
}

const decimalsOf = (interval: number): number => Math.max(0, -Math.floor(Math.log10(interval)));

/** Dice of the groups of cases that share a trait, beside the mean of all. */
export function strataPlot(evaluation: Evaluation): Plot | null {
  const { strata, metrics, patients } = evaluation;
  const overall = metrics.find(({ name }) => name === 'dice')?.meanWithWorst;
  if (strata.length === 0 || !overall) return null;
  const note = (estimate: number | null, count: number): string =>
    `${numberText(estimate, 2)}, n = ${count}`;
  const rows = [
    { name: 'All cases', interval: overall, note: note(overall.estimate, patients) },
    ...strata.map((stratum) => ({
      name: stratumShort(stratum),
      interval: stratum.diceWithFailuresAsZero,
      note: note(stratum.diceWithFailuresAsZero.estimate, stratum.patients),
    })),
  ];
  return {
    key: 'strata',
    title: 'Dice by kind of scan',
    summary:
      'Mean Dice with failures as 0 and its interval over patients, for cases that share a trait of ' +
      'the scan; n counts patients. The dashed line is the mean of all cases. A triangle at the left ' +
      'edge is a group without any usable mask: “unknown” holds the cases whose scan could not be read.',
    svg: drawForest(rows, {
      key: 'st',
      axisName: 'Dice, failures as 0',
      axis: axisOf(rows),
      reference: overall.estimate,
    }),
    data: dataTable(
      'Dice by kind of scan, failures as 0',
      ['Group', 'Cases', 'Patients', 'Mean [interval]'],
      strata.map(({ by, value, cases, patients: count, diceWithFailuresAsZero }) => [
        html`${stratumKind(by)} <bdi>${stratumValue(value)}</bdi>`,
        cases,
        count,
        estimateText(diceWithFailuresAsZero, 3),
      ]),
    ),
  };
}

/** Groups that failed as a whole would squeeze all others against the far end. */
function axisOf(rows: readonly ForestRow[]) {
  const ends = rows.flatMap(({ interval: { lower, upper, estimate } }) =>
    estimate !== null && estimate > 0 ? [estimate, lower ?? estimate, upper ?? estimate] : [],
  );
  return ends.length === 0
    ? ratioScale(0, 1, FEW_STEPS)
    : ratioScale(Math.min(...ends), Math.max(...ends), FEW_STEPS);
}
