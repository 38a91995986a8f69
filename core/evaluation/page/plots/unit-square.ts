import type { SafeHtml } from '../../../report/html.ts';
import { AXIS, drawChart, SOFT } from './chart.ts';

/** Shares against shares, over a dashed diagonal. */
export interface UnitSquare {
  /** Prefix of the ids inside the SVG, unique on the page. */
  readonly key: string;
  readonly xName: string;
  readonly yName: string;
  readonly series: readonly Readonly<Record<string, unknown>>[];
}

export const drawUnitSquare = ({ key, xName, yName, series }: UnitSquare): SafeHtml =>
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
