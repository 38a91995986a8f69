import type { TrainingLogLine } from '../contract/training-events.ts';
import { AXIS, CURVE, drawChart, INK, type Plot, SOFT, TEXT } from '../page/chart.ts';
import { numberText } from '../page/format.ts';
import { dataTable } from '../page/table.ts';
import { bestOf, validationsOf } from './log.ts';

type Point = readonly [step: number, value: number | null];

interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  readonly colour: string;
  readonly dash: 'solid' | 'dashed' | 'dotted';
}

/** Losses, and scores on the validation patients; none before there is something to show. */
export const trainingPlots = (log: readonly TrainingLogLine[]): Plot[] =>
  [lossPlot(log), scorePlot(log)].filter((plot) => plot !== null);

function lossPlot(log: readonly TrainingLogLine[]): Plot | null {
  const lines = log.filter((line) => line.kind === 'train');
  const last = lines.at(-1);
  if (last === undefined) return null;
  const loss = (key: 'seg' | 'cls'): Point[] => lines.map((line) => [line.step, line[key] ?? null]);
  return plot(
    {
      key: 'loss',
      title: 'Loss on the training slices',
      summary: `Means between two points of the curve; at step ${last.step} masks ${numberText(last.seg, 3)}, classifier ${numberText(last.cls, 3)}.`,
    },
    [
      { name: 'masks', points: loss('seg'), colour: CURVE, dash: 'solid' },
      { name: 'classifier', points: loss('cls'), colour: INK, dash: 'dashed' },
    ],
  );
}

function scorePlot(log: readonly TrainingLogLine[]): Plot | null {
  const lines = validationsOf(log);
  const best = bestOf(log);
  if (best === undefined) return null;
  return plot(
    {
      key: 'scores',
      title: 'Scores on the validation patients',
      summary: `No slice of theirs is learnt from. The best Dice is ${numberText(best.dice, 3)} at step ${best.step}; its weights are the ones that are kept.`,
    },
    [
      {
        name: 'Dice',
        points: lines.map(({ step, dice }) => [step, dice]),
        colour: CURVE,
        dash: 'solid',
      },
      {
        name: 'AUC of the classifier',
        points: lines.map(({ step, auc }) => [step, auc]),
        colour: INK,
        dash: 'dashed',
      },
      {
        name: 'target inside the box',
        points: lines.map(({ step, box_recall }) => [step, box_recall]),
        colour: SOFT,
        dash: 'dotted',
      },
    ],
    { min: 0, max: 1 },
  );
}

function plot(
  facts: Pick<Plot, 'key' | 'title' | 'summary'>,
  series: readonly Series[],
  range: { readonly min?: number; readonly max?: number } = { min: 0 },
): Plot {
  const steps = [...new Set(series.flatMap(({ points }) => points.map(([step]) => step)))];
  const valueAt = ({ points }: Series, step: number): number | null =>
    points.find(([at]) => at === step)?.[1] ?? null;
  return {
    ...facts,
    svg: drawChart(
      {
        legend: { top: 0, left: 'center', textStyle: TEXT, itemWidth: 26, itemGap: 18 },
        grid: { left: 52, right: 20, top: 34, bottom: 46 },
        xAxis: { type: 'value', min: 0, name: 'step', nameGap: 28, minInterval: 1, ...AXIS },
        yAxis: { type: 'value', ...range, ...AXIS },
        series: series.map(({ name, points, colour, dash }) => ({
          type: 'line' as const,
          name,
          data: points.map(([step, value]) => [step, value]),
          symbolSize: 4,
          lineStyle: { color: colour, type: dash, width: 2 },
          itemStyle: { color: colour },
        })),
      },
      { key: facts.key, heightPx: 280 },
    ),
    data: dataTable(
      facts.title,
      ['Step', ...series.map(({ name }) => name)],
      steps.map((step) => [step, ...series.map((one) => numberText(valueAt(one, step), 3))]),
    ),
  };
}
