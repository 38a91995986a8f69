import { AXIS, CURVE, drawChart, type Plot, scaleAround } from '../page/chart.ts';
import { capital, numberText } from '../page/format.ts';
import type { SafeHtml } from '../page/html.ts';
import { dataTable } from '../page/table.ts';

/** Bins of the volumes' histogram, about. */
const BINS = 12;

/**
 * How many cases have which volume.
 *
 * @param at tells the plots of a page's targets from each other
 */
export function volumePlot(target: string, volumes: readonly number[], at = 0): Plot | null {
  if (volumes.length < 2) return null;
  const [least, most] = [Math.min(...volumes), Math.max(...volumes)];
  const axis = scaleAround(least, most, { mostSteps: BINS, from: 0 });
  const counts = Array.from({ length: Math.round((axis.max - axis.min) / axis.interval) }, () => 0);
  for (const volume of volumes) {
    const bin = Math.floor((volume - axis.min) / axis.interval);
    counts[Math.min(counts.length - 1, bin)]!++;
  }
  const from = (bin: number): number => axis.min + bin * axis.interval;
  return {
    key: at === 0 ? 'volumes' : `volumes-${at}`,
    title: `${capital(target)} volumes`,
    summary: `Cases by ${target} volume, from ${numberText(least, 0)} to ${numberText(most, 0)} ml, in steps of ${numberText(axis.interval, 0)} ml.`,
    svg: drawHistogram(
      target,
      axis.interval,
      counts.map((count, bin) => [from(bin), count] as const),
      at === 0 ? 'vol' : `vol${at}`,
    ),
    data: dataTable(
      `Cases by ${target} volume, ml`,
      ['Volume', 'Cases'],
      counts.map((count, bin) => [
        `${numberText(from(bin), 0)}–${numberText(from(bin + 1), 0)}`,
        count,
      ]),
    ),
  };
}

function drawHistogram(
  target: string,
  stepMl: number,
  bins: readonly (readonly [fromMl: number, cases: number])[],
  key: string,
): SafeHtml {
  return drawChart(
    {
      grid: { left: 52, right: 20, top: 14, bottom: 46 },
      xAxis: {
        type: 'category',
        data: bins.map(([fromMl]) => numberText(fromMl + stepMl / 2, 0)),
        name: `${target} volume, ml (middle of the step)`,
        nameGap: 28,
        ...AXIS,
      },
      yAxis: { type: 'value', name: 'cases', nameGap: 32, minInterval: 1, ...AXIS },
      series: [
        {
          type: 'bar',
          data: bins.map(([, cases]) => cases),
          barCategoryGap: '6%',
          itemStyle: { color: CURVE },
        },
      ],
    },
    { key, heightPx: 260 },
  );
}
