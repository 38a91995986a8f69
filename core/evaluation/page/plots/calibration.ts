import type { ClassificationSummary } from '../../../contract/evaluation.ts';
import { dataTable } from '../data-table.ts';
import { numberText } from '../format.ts';
import { CURVE } from './chart.ts';
import type { Plot } from './figure.ts';
import { drawUnitSquare } from './unit-square.ts';

/** Reliability diagram: how often slices with a given score do show liver. */
export function calibrationPlot(classification: ClassificationSummary): Plot | null {
  const { calibration, expectedCalibrationError: error } = classification;
  if (calibration.every(({ count }) => count === 0)) return null;
  return {
    key: 'calibration',
    title: 'Classifier: calibration',
    summary:
      `On the diagonal a score of 0.8 means that 8 slices in 10 show liver. Expected calibration ` +
      `error ${numberText(error, 3)}. Larger circles stand for more slices.`,
    svg: draw(classification),
    data: dataTable(
      'Calibration by score',
      ['Score', 'Slices', 'Mean score', 'Share with liver'],
      calibration.map((bin) => [
        `${numberText(bin.lower, 1)}–${numberText(bin.upper, 1)}`,
        bin.count,
        numberText(bin.meanScore, 3),
        numberText(bin.positiveShare, 3),
      ]),
    ),
  };
}

function draw({ calibration, slices }: ClassificationSummary) {
  const points = calibration.filter(({ count }) => count > 0);
  const sizePx = (count: number): number => 7 + 22 * Math.sqrt(count / Math.max(1, slices));
  return drawUnitSquare({
    key: 'cal',
    xName: 'mean score of the slices',
    yName: 'share of slices with liver',
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
