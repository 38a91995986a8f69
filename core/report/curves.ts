import { maskVoxelsPerSlice, type SegmentedReport } from '../contract/report.ts';
import { hexOf, LAYERS } from '../draw/layers.ts';
import { AXIS, CURVE, drawChart, INK, TEXT } from '../page/chart.ts';
import { numberText } from '../page/format.ts';
import type { SafeHtml } from '../page/html.ts';

/** Area of the final mask in each canonical slice, in mm²; as drawn in reports of before. */
export function maskAreasMm2(report: SegmentedReport): number[] {
  const { column, row } = report.geometry.grid.spacingMm;
  return maskVoxelsPerSlice(report).map((count) => count * column * row);
}

const HEIGHT_PX = 250;
/** Above this number of slices points would run into each other and only the line is drawn. */
const MOST_POINTS = 90;

interface Curve {
  readonly name: string;
  /** One value per slice in canonical order; null leaves a gap. */
  readonly values: readonly (number | null)[];
  readonly colour: string;
  readonly dash: 'solid' | 'dashed' | 'dotted';
  readonly symbol: 'circle' | 'rect' | 'triangle';
}

interface Panel {
  readonly title: string;
  readonly summary: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
  readonly range: { readonly min: 0; readonly max: 1 } | undefined;
  readonly threshold: number | undefined;
}

export interface CurveFigure {
  readonly title: string;
  /** What the figure shows, for readers who do not see it. */
  readonly summary: string;
  readonly svg: SafeHtml;
}

/**
 * The curves over the slices, from inferior (left) to superior (right).
 *
 * @param of tells the curves of one report on a page from those of another
 */
export function curveFigures(report: SegmentedReport, of = ''): CurveFigure[] {
  return [gatePanel(report), areaPanel(report), agreementPanel(report)].map((panel, n) => ({
    title: panel.title,
    summary: panel.summary,
    svg: drawPanel(panel, report.slices.length, `${of}c${n}`),
  }));
}

const colourOf = (key: string): string => hexOf(LAYERS.find((layer) => layer.key === key)!);

function gatePanel({ slices, bundle }: SegmentedReport): Panel {
  const passed = slices.filter(({ probability }) => probability >= bundle.classifierThreshold);
  return {
    title: 'Classifier probability',
    summary:
      `Probability per slice; ${passed.length} of ${slices.length} slices reach the threshold ` +
      `${numberText(bundle.classifierThreshold, 3)}.`,
    unit: '',
    range: { min: 0, max: 1 },
    threshold: bundle.classifierThreshold,
    curves: [
      {
        name: 'probability',
        values: slices.map(({ probability }) => probability),
        colour: CURVE,
        dash: 'solid',
        symbol: 'circle',
      },
    ],
  };
}

function areaPanel(report: SegmentedReport): Panel {
  const { slices, geometry, bundle } = report;
  const { grid } = geometry;
  const { column, row } = grid.spacingMm;
  const squareMm = Math.max(grid.columns * column, grid.rows * row);
  const pixelCm2 = (squareMm / bundle.sliceSizePx) ** 2 / 100;
  const maskCm2 = maskAreasMm2(report).map((mm2) => mm2 / 100);
  const largest = maskCm2.indexOf(Math.max(...maskCm2));
  return {
    title: 'Area of CAM and mask',
    summary: `Areas per slice in square centimetres; ${
      maskCm2[largest]
        ? `the mask is largest in slice ${largest}, ${maskCm2[largest].toFixed(0)} square centimetres`
        : 'no slice has a mask'
    }.`,
    unit: 'cm²',
    range: undefined,
    threshold: undefined,
    curves: [
      {
        name: 'mask',
        values: maskCm2,
        colour: colourOf('mask'),
        dash: 'solid',
        symbol: 'circle',
      },
      {
        name: 'CAM',
        values: slices.map(({ camAreaPx }) => (camAreaPx === null ? null : camAreaPx * pixelCm2)),
        colour: colourOf('cam'),
        dash: 'dotted',
        symbol: 'rect',
      },
    ],
  };
}

function agreementPanel({ slices, comparison }: SegmentedReport): Panel {
  const dice: Curve[] = comparison
    ? [
        {
          name: 'Dice',
          values: slices.map(({ index }) => comparison.panel.sliceDice[index] ?? null),
          colour: colourOf('label'),
          dash: 'dashed',
          symbol: 'triangle',
        },
      ]
    : [];
  return {
    title: comparison ? 'Scores and Dice' : 'Scores',
    summary: `Predicted IoU and overlap of CAM and mask per slice${comparison ? ', and Dice against the label' : ''}.`,
    unit: '',
    range: { min: 0, max: 1 },
    threshold: undefined,
    curves: [
      {
        name: 'predicted IoU',
        values: slices.map(({ predictedIou }) => predictedIou),
        colour: colourOf('mask'),
        dash: 'solid',
        symbol: 'circle',
      },
      {
        name: 'CAM–mask IoU',
        values: slices.map(({ camMaskIou }) => camMaskIou),
        colour: colourOf('cam'),
        dash: 'dotted',
        symbol: 'rect',
      },
      ...dice,
    ],
  };
}

function drawPanel(panel: Panel, slices: number, key: string): SafeHtml {
  return drawChart(
    {
      legend: {
        top: 0,
        left: 'center',
        textStyle: TEXT,
        itemWidth: 26,
        itemGap: 18,
        show: panel.curves.length > 1,
      },
      grid: { left: 46, right: 16, top: 32, bottom: 42 },
      xAxis: {
        type: 'value',
        min: 0,
        max: Math.max(1, slices - 1),
        name: 'slice, inferior → superior',
        nameGap: 26,
        minInterval: 1,
        ...AXIS,
        splitLine: { show: false },
      },
      yAxis: { type: 'value', name: panel.unit, ...panel.range, ...AXIS, nameLocation: 'end' },
      series: panel.curves.map((curve, n) => ({
        type: 'line',
        name: curve.name,
        data: curve.values.map((value, index) => [index, value]),
        showSymbol: slices <= MOST_POINTS,
        symbol: curve.symbol,
        symbolSize: 4,
        lineStyle: { color: curve.colour, type: curve.dash, width: 2 },
        itemStyle: { color: curve.colour },
        ...(n === 0 && panel.threshold !== undefined ? thresholdLine(panel.threshold) : {}),
      })),
    },
    { key, heightPx: HEIGHT_PX },
  );
}

const thresholdLine = (threshold: number) => ({
  markLine: {
    silent: true,
    symbol: 'none',
    data: [{ yAxis: threshold }],
    lineStyle: { color: INK, type: 'dashed' as const, width: 1 },
    label: {
      formatter: `threshold ${numberText(threshold, 3)}`,
      position: 'insideEndTop' as const,
      ...TEXT,
    },
  },
});
