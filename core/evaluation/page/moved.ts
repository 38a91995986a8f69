import type { CustomSeriesRenderItem } from 'echarts';
import type {
  Evaluation,
  EvaluationComparison,
  History,
  HistoryEntry,
} from '../../contract/evaluation.ts';
import {
  AXIS,
  BAD,
  CARD,
  CURVE,
  drawChart,
  FEW_STEPS,
  INK,
  LEAST_DICE_SPAN,
  type Plot,
  ratioScale,
  SOFT,
  scaleAround,
  TEXT,
  whisker,
} from '../../page/chart.ts';
import {
  changeText,
  counted,
  differenceText,
  digestText,
  estimateText,
  numberText,
  shortened,
  timeInsert,
} from '../../page/format.ts';
import { html } from '../../page/html.ts';
import { dataTable } from '../../page/table.ts';
import { STATUS } from '../../page/words.ts';
import { drawForest } from './forest.ts';
import { stratumKind, stratumShort, stratumValue } from './words.ts';

/** Rows that fit; the table has them all. */
const MOST_ROWS = 16;
const ROW_PX = 20;

type Moved = EvaluationComparison['moved'][number];

/** The cases whose Dice changed most: from the ring (before) to the filled symbol (now). */
export function movedPlot({ moved }: EvaluationComparison): Plot | null {
  if (moved.length === 0) return null;
  const shown = moved.slice(0, MOST_ROWS);
  const better = moved.filter(({ dice, previousDice }) => dice > previousDice).length;
  const worse = moved.filter(({ dice, previousDice }) => dice < previousDice).length;
  return {
    key: 'moved',
    title: 'Cases that moved',
    summary:
      `${counted(moved.length, 'case')} moved: ${better} better, ${worse} worse. ` +
      `${shown.length < moved.length ? `The ${shown.length} largest changes are drawn. ` : ''}` +
      'A line leads from the ring (before) to the dot (better now) or the diamond (worse now).',
    svg: drawMoved(shown),
    data: dataTable(
      'Cases that moved, largest change first',
      ['Case', 'Dice before', 'Dice now', 'Change', 'Status'],
      moved.map((one) => [
        html`<bdi>${one.caseId}</bdi>`,
        numberText(one.previousDice, 3),
        numberText(one.dice, 3),
        changeText(one.dice - one.previousDice, 3),
        statusText(one),
      ]),
    ),
  };
}

const statusText = ({ status, previousStatus }: Moved): string =>
  status === previousStatus
    ? STATUS[status].name
    : `${STATUS[previousStatus].name} → ${STATUS[status].name}`;

function drawMoved(moved: readonly Moved[]) {
  const now = (worse: boolean): [number, number][] =>
    moved.flatMap(({ dice, previousDice }, at) =>
      dice < previousDice === worse ? [[dice, at] as [number, number]] : [],
    );
  const dice = moved.flatMap((one) => [one.previousDice, one.dice]);
  const axis = ratioScale(Math.min(...dice), Math.max(...dice));
  return drawChart(
    {
      grid: { left: 148, right: 20, top: 6, height: moved.length * ROW_PX },
      xAxis: { type: 'value', name: 'Dice', nameGap: 28, ...axis, ...AXIS },
      yAxis: {
        type: 'category',
        inverse: true,
        data: moved.map(({ caseId }) => shortened(caseId, 20)),
        axisLine: { show: false },
        axisTick: { show: false },
        axisLabel: { ...TEXT, interval: 0 },
        splitLine: { show: false },
      },
      series: [
        {
          type: 'custom',
          silent: true,
          data: moved.map(({ previousDice, dice }, at) => [previousDice, dice, at]),
          renderItem: path,
        },
        {
          type: 'scatter',
          symbolSize: 8,
          itemStyle: { color: CARD, borderColor: INK, borderWidth: 1.5, opacity: 1 },
          data: moved.map(({ previousDice }, at) => [previousDice, at]),
        },
        {
          type: 'scatter',
          symbolSize: 9,
          itemStyle: { color: CURVE, opacity: 1 },
          data: now(false),
        },
        {
          type: 'scatter',
          symbol: 'diamond',
          symbolSize: 11,
          itemStyle: { color: BAD, opacity: 1 },
          data: now(true),
        },
      ],
    },
    { key: 'mv', heightPx: moved.length * ROW_PX + 52 },
  );
}

const path: CustomSeriesRenderItem = (_parameters, api) => {
  const [x1, y1] = api.coord([api.value(0), api.value(2)]) as [number, number];
  const [x2, y2] = api.coord([api.value(1), api.value(2)]) as [number, number];
  return { type: 'line', shape: { x1, y1, x2, y2 }, style: { stroke: INK, lineWidth: 1.5 } };
};

/** Paired difference of Dice to the earlier evaluation, overall and by kind of scan. */
export function differencesPlot(comparison: EvaluationComparison): Plot | null {
  const { diceDifference, strata, patients } = comparison;
  if (diceDifference.estimate === null) return null;
  const note = (estimate: number | null, count: number): string =>
    estimate === null ? `n = ${count}` : `${changeText(estimate, 3)}, n = ${count}`;
  const rows = [
    {
      name: 'All patients',
      interval: diceDifference,
      note: note(diceDifference.estimate, patients),
    },
    ...strata.map((stratum) => ({
      name: stratumShort(stratum),
      interval: stratum.diceDifference,
      note: note(stratum.diceDifference.estimate, stratum.patients),
    })),
  ];
  const ends = rows
    .flatMap(({ interval: { lower, upper, estimate } }) => [lower, upper, estimate, 0])
    .filter((value) => value !== null);
  return {
    key: 'differences',
    title: 'Change of Dice by kind of scan',
    summary:
      'Mean of Dice now minus Dice before over the same patients, failures as 0. Right of the dashed ' +
      'line is better than before; an interval that crosses it is undecided.',
    svg: drawForest(rows, {
      key: 'df',
      axisName: 'Dice now − before',
      axis: scaleAround(Math.min(...ends), Math.max(...ends), {
        mostSteps: FEW_STEPS,
        leastSpan: LEAST_DICE_SPAN,
      }),
      reference: 0,
    }),
    data: dataTable(
      'Change of Dice, this minus earlier',
      ['Group', 'Patients', 'Mean difference [interval]'],
      [
        ['All', patients, differenceText(diceDifference, 3)],
        ...strata.map((stratum) => [
          html`${stratumKind(stratum.by)} <bdi>${stratumValue(stratum.value)}</bdi>`,
          stratum.patients,
          differenceText(stratum.diceDifference, 3),
        ]),
      ],
    ),
  };
}

/** Dice over the evaluations of the dataset, oldest first. */
export function trendPlot(evaluation: Evaluation, history: History): Plot | null {
  const { entries } = history;
  if (entries.length < 2) return null;
  const changes = entries.filter((_, at) => isNewBundle(entries, at)).length;
  const drifted = entries.filter((entry) => entry.drifted).length;
  return {
    key: 'trend',
    title: 'Dice over the evaluations',
    summary:
      `Mean Dice with failures as 0 and its interval over patients, ${entries.length} evaluations in ` +
      `order. ${counted(changes, 'change')} of the bundle (vertical lines)` +
      `${drifted > 0 ? `; ${counted(drifted, 'evaluation')} with drifted inputs (diamonds)` : ''}.`,
    svg: drawTrend(entries),
    data: dataTable(
      'Evaluations of this dataset, latest first',
      ['Date', 'Bundle', 'Cases', 'Failed', 'Dice', 'Dice, failures as 0', 'Inputs'],
      entries
        .toReversed()
        .map((entry) => [
          html`${timeInsert(entry.createdAt)}${entry.evaluationId === evaluation.evaluationId && ' (this one)'}`,
          entry.bundleDigest === null
            ? 'masks made elsewhere'
            : html`<code>${digestText(entry.bundleDigest)}</code>`,
          entry.cases,
          entry.failed,
          estimateText(entry.dice, 3),
          estimateText(entry.diceWithFailuresAsZero, 3),
          entry.drifted ? 'drifted' : 'alike',
        ]),
    ),
  };
}

const isNewBundle = (entries: readonly HistoryEntry[], at: number): boolean =>
  at > 0 && entries[at]!.bundleDigest !== entries[at - 1]!.bundleDigest;

function drawTrend(entries: readonly HistoryEntry[]) {
  const estimate = (entry: HistoryEntry) => entry.diceWithFailuresAsZero.estimate;
  const whiskers = entries.flatMap(({ diceWithFailuresAsZero: { lower, upper } }, at) =>
    lower === null || upper === null ? [] : [[lower, upper, at]],
  );
  const points = (drifted: boolean) =>
    entries.flatMap((entry, at) =>
      entry.drifted === drifted && estimate(entry) !== null ? [[at, estimate(entry)!]] : [],
    );
  const ends = whiskers.flatMap(([lower, upper]) => [lower!, upper!]);
  const axis = ends.length === 0 ? {} : ratioScale(Math.min(...ends), Math.max(...ends));
  return drawChart(
    {
      grid: { left: 62, right: 40, top: 22, bottom: 30 },
      xAxis: {
        type: 'category',
        data: entries.map(({ createdAt }) => createdAt.slice(0, 10)),
        ...AXIS,
        axisTick: { alignWithLabel: true },
      },
      yAxis: {
        type: 'value',
        name: 'Dice, failures as 0',
        nameGap: 42,
        ...AXIS,
        ...axis,
      },
      series: [
        {
          type: 'line',
          data: entries.map(estimate),
          showSymbol: false,
          lineStyle: { color: CURVE, width: 2 },
          markLine: {
            silent: true,
            symbol: 'none',
            lineStyle: { color: SOFT, type: 'dotted', width: 1.5 },
            label: { ...TEXT, position: 'end', formatter: 'new bundle' },
            data: entries.flatMap((_, at) => (isNewBundle(entries, at) ? [{ xAxis: at }] : [])),
          },
        },
        { type: 'custom', silent: true, data: whiskers, renderItem: whisker('y', INK) },
        {
          type: 'scatter',
          symbolSize: 8,
          itemStyle: { color: CURVE, opacity: 1 },
          data: points(false),
        },
        {
          type: 'scatter',
          symbol: 'diamond',
          symbolSize: 13,
          itemStyle: { color: BAD, borderColor: CARD, opacity: 1 },
          data: points(true),
        },
      ],
    },
    { key: 'tr', heightPx: 280 },
  );
}
