import type { EvaluatedCase } from '../../contract/evaluated-case.ts';
import type { Evaluation } from '../../contract/evaluation.ts';
import {
  AXIS,
  BAD,
  CURVE,
  drawChart,
  INK,
  type Plot,
  type Scale,
  scaleAround,
  TEXT,
} from '../../page/chart.ts';
import { changeText, counted, numberText, shortened } from '../../page/format.ts';
import { html, type SafeHtml } from '../../page/html.ts';
import { dataTable } from '../../page/table.ts';
import { STATUS } from '../../page/words.ts';

/** Names are drawn beside as many points; more would run into each other. */
const MOST_NAMES = 4;

interface Point {
  readonly one: EvaluatedCase;
  readonly meanMl: number;
  readonly differenceMl: number;
}

/** Bland and Altman's plot of the volumes of mask and label. */
export function blandAltmanPlot(evaluation: Evaluation): Plot | null {
  const { biasMl, lowerLimitMl, upperLimitMl } = evaluation.volumes;
  const points = evaluation.cases.flatMap(pointOf);
  if (points.length === 0 || biasMl === null) return null;
  const outside = points
    .filter(({ differenceMl: d }) => d < (lowerLimitMl ?? d) || d > (upperLimitMl ?? d))
    .sort((a, b) => Math.abs(b.differenceMl - biasMl) - Math.abs(a.differenceMl - biasMl));
  const limits =
    lowerLimitMl === null || upperLimitMl === null
      ? ''
      : ` 95 % limits of agreement ${changeText(lowerLimitMl, 1)} to ${changeText(upperLimitMl, 1)} ml; ` +
        `${counted(outside.length, 'case lies', 'cases lie')} outside.`;
  const { y } = axesOf(points, evaluation);
  const beyond = points.filter((point) => isBeyond(point, y)).length;
  return {
    key: 'bland-altman',
    title: 'Volumes: Bland-Altman',
    summary:
      `Each point is a case (${points.length}): how much larger the mask is than the label. ` +
      `Mean difference ${changeText(biasMl, 1)} ml.${limits}` +
      (beyond === 0
        ? ''
        : ` ${counted(beyond, 'triangle')} at the edge: differences beyond the axis, see the numbers.`),
    svg: draw(points, outside.slice(0, MOST_NAMES), evaluation),
    data: html`${dataTable(
      'Limits of agreement, ml',
      ['', 'Mask minus label'],
      [
        ['Mean difference', changeText(biasMl, 1)],
        ['Lower limit', lowerLimitMl === null ? '–' : changeText(lowerLimitMl, 1)],
        ['Upper limit', upperLimitMl === null ? '–' : changeText(upperLimitMl, 1)],
      ],
    )}${
      outside.length > 0 &&
      dataTable(
        'Cases outside the limits, ml',
        ['Case', 'Mask', 'Label', 'Difference', 'Status'],
        outside.map(({ one, differenceMl }) => [
          html`<bdi>${one.caseId}</bdi>`,
          numberText(one.predictionVolumeMl, 1),
          numberText(one.labelVolumeMl, 1),
          changeText(differenceMl, 1),
          STATUS[one.status].name,
        ]),
      )
    }`,
  };
}

function pointOf(one: EvaluatedCase): Point[] {
  const { metrics, predictionVolumeMl: mask, labelVolumeMl: label } = one;
  if (metrics === null || mask === null || label === null) return [];
  return [{ one, meanMl: (mask + label) / 2, differenceMl: mask - label }];
}

/** The axes hold the compared cases and the limits; a liver missed as a whole would squeeze both. */
function axesOf(points: readonly Point[], { volumes }: Evaluation): { x: Scale; y: Scale } {
  const compared = points.filter(({ one }) => !STATUS[one.status].bad);
  const held = compared.length > 0 ? compared : points;
  const { biasMl, lowerLimitMl, upperLimitMl } = volumes;
  const differences = [
    ...held.map(({ differenceMl }) => differenceMl),
    ...[biasMl, lowerLimitMl, upperLimitMl].filter((value) => value !== null),
    0,
  ];
  const means = held.map(({ meanMl }) => meanMl);
  return {
    x: scaleAround(Math.min(...means), Math.max(...means)),
    y: scaleAround(Math.min(...differences), Math.max(...differences)),
  };
}

const isBeyond = ({ differenceMl }: Point, { min, max }: Scale): boolean =>
  differenceMl < min || differenceMl > max;

const whole = (value: number): string => numberText(value, 0);

function draw(points: readonly Point[], named: readonly Point[], evaluation: Evaluation): SafeHtml {
  const { x, y } = axesOf(points, evaluation);
  const within = (value: number, { min, max }: Scale): number =>
    Math.max(min, Math.min(max, value));
  const datum = (point: Point) => ({
    value: [within(point.meanMl, x), within(point.differenceMl, y)],
    ...(isBeyond(point, y) && {
      symbol: 'triangle',
      symbolRotate: point.differenceMl < y.min ? 180 : 0,
    }),
    ...(named.includes(point) && !isBeyond(point, y) && { label: nameOf(point, x) }),
  });
  const size = points.length > 200 ? 4 : 7;
  return drawChart(
    {
      grid: { left: 66, right: 56, top: 16, bottom: 44 },
      xAxis: {
        type: 'value',
        name: 'mean of mask and label, ml',
        nameGap: 28,
        ...x,
        ...AXIS,
        axisLabel: { ...TEXT, hideOverlap: true, formatter: whole },
      },
      yAxis: {
        type: 'value',
        name: 'mask − label, ml',
        nameGap: 48,
        ...y,
        ...AXIS,
        axisLabel: { ...TEXT, formatter: whole },
      },
      series: [
        {
          type: 'scatter',
          data: points.filter(({ one }) => !STATUS[one.status].bad).map(datum),
          symbolSize: size,
          itemStyle: { color: CURVE, opacity: 0.75 },
          labelLayout: { hideOverlap: true },
          markLine: limitLines(evaluation),
        },
        {
          type: 'scatter',
          symbol: 'diamond',
          symbolSize: size + 5,
          itemStyle: { color: BAD, opacity: 1 },
          labelLayout: { hideOverlap: true },
          data: points.filter(({ one }) => STATUS[one.status].bad).map(datum),
        },
      ],
    },
    { key: 'ba', heightPx: 300 },
  );
}

/** Beside the point, on the side that has room. */
const nameOf = ({ one, meanMl }: Point, { min, max }: Scale) => ({
  show: true,
  opacity: 1,
  formatter: shortened(one.caseId, 18),
  position: meanMl < (min + max) / 2 ? ('right' as const) : ('left' as const),
  ...TEXT,
});

function limitLines({ volumes }: Evaluation) {
  const { biasMl, lowerLimitMl, upperLimitMl } = volumes;
  const levels = [
    { at: biasMl, name: 'mean', type: 'solid' as const },
    { at: upperLimitMl, name: 'upper', type: 'dashed' as const },
    { at: lowerLimitMl, name: 'lower', type: 'dashed' as const },
  ];
  return {
    silent: true,
    symbol: 'none',
    lineStyle: { color: INK, width: 1.2 },
    label: { position: 'end' as const, color: INK, fontSize: 12 },
    data: levels.flatMap(({ at, name, type }) =>
      at === null
        ? []
        : [
            {
              yAxis: at,
              lineStyle: { type },
              label: { formatter: `${name}\n${changeText(at, 0)}` },
            },
          ],
    ),
  };
}
