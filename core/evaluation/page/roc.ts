import type { ClassificationSummary } from '../../contract/evaluation.ts';
import { AXIS, BAD, CURVE, drawChart, type Plot, SOFT, TEXT } from '../../page/chart.ts';
import { estimateText, numberText } from '../../page/format.ts';
import type { SafeHtml } from '../../page/html.ts';
import { dataTable } from '../../page/table.ts';

/** Shares against shares, over a dashed diagonal. */
interface UnitSquare {
  /** Prefix of the ids inside the SVG, unique on the page. */
  readonly key: string;
  readonly xName: string;
  readonly yName: string;
  readonly series: readonly Readonly<Record<string, unknown>>[];
}

const drawUnitSquare = ({ key, xName, yName, series }: UnitSquare): SafeHtml =>
  drawChart(
    {
      grid: { left: 58, right: 20, top: 14, bottom: 46 },
      xAxis: { type: 'value', min: 0, max: 1, name: xName, nameGap: 28, ...AXIS },
      yAxis: { type: 'value', min: 0, max: 1, name: yName, nameGap: 36, ...AXIS },
      series: [
        {
          type: 'line',
          data: [
            [0, 0],
            [1, 1],
          ],
          showSymbol: false,
          lineStyle: { color: SOFT, type: 'dashed', width: 1 },
        },
        ...series,
      ],
    },
    { key, heightPx: 330 },
  );

/** Rows of the table; a curve has up to two hundred points. */
const MOST_ROWS = 21;

/** How the classifier tells slices with the organ from those without. */
export function rocPlot(
  classification: ClassificationSummary,
  organ: string,
  confidence: string,
): Plot | null {
  const { roc, auc, slices, positives, threshold, sensitivity, specificity } = classification;
  if (roc.length === 0) return null;
  return {
    key: 'roc',
    title: 'Classifier: ROC',
    summary:
      `Area under the curve ${estimateText(auc, 3)} (${confidence} interval over patients), ` +
      `${slices} slices, ${positives} of them with ${organ}. The diamond is the gate at ${numberText(threshold, 3)}: ` +
      `sensitivity ${numberText(sensitivity.estimate, 3)}, specificity ${numberText(specificity.estimate, 3)}.`,
    svg: drawRoc(classification),
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

function drawRoc({ roc, sensitivity, specificity, threshold }: ClassificationSummary) {
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

/** Reliability diagram: how often slices with a given score do show the organ. */
export function calibrationPlot(classification: ClassificationSummary, organ: string): Plot | null {
  const { calibration, expectedCalibrationError: error } = classification;
  if (calibration.every(({ count }) => count === 0)) return null;
  return {
    key: 'calibration',
    title: 'Classifier: calibration',
    summary:
      `On the diagonal a score of 0.8 means that 8 slices in 10 show ${organ}. Expected calibration ` +
      `error ${numberText(error, 3)}. Larger circles stand for more slices.`,
    svg: drawCalibration(classification, organ),
    data: dataTable(
      'Calibration by score',
      ['Score', 'Slices', 'Mean score', `Share with ${organ}`],
      calibration.map((bin) => [
        `${numberText(bin.lower, 1)}–${numberText(bin.upper, 1)}`,
        bin.count,
        numberText(bin.meanScore, 3),
        numberText(bin.positiveShare, 3),
      ]),
    ),
  };
}

function drawCalibration({ calibration, slices }: ClassificationSummary, organ: string) {
  const points = calibration.filter(({ count }) => count > 0);
  const sizePx = (count: number): number => 7 + 22 * Math.sqrt(count / Math.max(1, slices));
  return drawUnitSquare({
    key: 'cal',
    xName: 'mean score of the slices',
    yName: `share of slices with ${organ}`,
    series: [
      {
        type: 'line',
        symbol: 'circle',
        symbolSize: (_value: unknown, at: { dataIndex: number }) =>
          sizePx(points[at.dataIndex]!.count),
        data: points.map((bin) => [bin.meanScore!, bin.positiveShare!]),
        lineStyle: { color: CURVE, width: 2 },
        itemStyle: { color: CURVE, opacity: 0.7 },
      },
    ],
  });
}
