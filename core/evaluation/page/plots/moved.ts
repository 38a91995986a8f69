import type { CustomSeriesRenderItem } from 'echarts';
import type { EvaluationComparison } from '../../../contract/evaluation.ts';
import { html } from '../../../report/html.ts';
import { dataTable } from '../data-table.ts';
import { changeText, counted, numberText, shortened } from '../format.ts';
import { STATUS } from '../words.ts';
import { AXIS, BAD, CARD, CURVE, drawChart, INK, TEXT } from './chart.ts';
import type { Plot } from './figure.ts';
import { ratioScale } from './scale.ts';

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
    svg: draw(shown),
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

function draw(moved: readonly Moved[]) {
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
