import type { ClassificationSummary } from '../../../contract/evaluation.ts';
import { dataTable } from '../data-table.ts';
import { estimateText, numberText } from '../format.ts';
import { BAD, CURVE, TEXT } from './chart.ts';
import type { Plot } from './figure.ts';
import { drawUnitSquare } from './unit-square.ts';

/** Rows of the table; a curve has up to two hundred points. */
const MOST_ROWS = 21;

/** How the classifier tells slices with liver from those without. */
export function rocPlot(classification: ClassificationSummary, confidence: string): Plot | null {
  const { roc, auc, slices, positives, threshold, sensitivity, specificity } = classification;
  if (roc.length === 0) return null;
  return {
    key: 'roc',
    title: 'Classifier: ROC',
    summary:
      `Area under the curve ${estimateText(auc, 3)} (${confidence} interval over patients), ` +
      `${slices} slices, ${positives} of them with liver. The diamond is the gate at ${numberText(threshold, 3)}: ` +
      `sensitivity ${numberText(sensitivity.estimate, 3)}, specificity ${numberText(specificity.estimate, 3)}.`,
    svg: draw(classification),
    data: dataTable(
      'Points of the curve',
      ['Threshold', 'False positive rate', 'True positive rate'],
      thinned(roc).map((point) => [
        numberText(point.threshold, 3),
        numberText(point.falsePositiveRate, 3),
        numberText(point.truePositiveRate, 3),
      ]),
    ),
  };
}

function thinned<Point>(points: readonly Point[]): Point[] {
  if (points.length <= MOST_ROWS) return [...points];
  return Array.from(
    { length: MOST_ROWS },
    (_, n) => points[Math.round((n * (points.length - 1)) / (MOST_ROWS - 1))]!,
  );
}

function draw({ roc, sensitivity, specificity, threshold }: ClassificationSummary) {
  const gate =
    sensitivity.estimate === null || specificity.estimate === null
      ? []
      : [[1 - specificity.estimate, sensitivity.estimate]];
  return drawUnitSquare({
    key: 'roc',
    xName: 'false positive rate (1 − specificity)',
    yName: 'true positive rate (sensitivity)',
    series: [
      {
        type: 'line',
        data: roc.map((point) => [point.falsePositiveRate, point.truePositiveRate]),
        showSymbol: false,
        lineStyle: { color: CURVE, width: 2.5 },
      },
      {
        type: 'scatter',
        symbol: 'diamond',
        symbolSize: 13,
        itemStyle: { color: BAD },
        label: {
          show: true,
          opacity: 1,
          position: 'bottom',
          distance: 8,
          formatter: `gate ${numberText(threshold, 3)}`,
          ...TEXT,
        },
        data: gate,
      },
    ],
  });
}
