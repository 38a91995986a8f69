import type { Evaluation, History, HistoryEntry } from '../../../contract/evaluation.ts';
import { html } from '../../../report/html.ts';
import { dataTable } from '../data-table.ts';
import { counted, digestText, estimateText, timeInsert } from '../format.ts';
import { AXIS, BAD, CARD, CURVE, drawChart, INK, SOFT, TEXT } from './chart.ts';
import type { Plot } from './figure.ts';
import { ratioScale } from './scale.ts';
import { whisker } from './whisker.ts';

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
    svg: draw(entries),
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

function draw(entries: readonly HistoryEntry[]) {
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
