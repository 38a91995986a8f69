// One prebuilt file: it loads in 0.1 s, the several hundred modules behind `echarts/core` in 1 s.

import type { CustomSeriesRenderItem } from 'echarts';
import * as echarts from 'echarts/dist/echarts.esm.min.mjs';
import { html, SafeHtml, UNPRINTABLE } from './html.ts';

export const WIDTH_PX = 440;

/**
 * Colours that follow the page's light or dark style. The chart library parses colours and would
 * refuse `var(...)`, so it is given rare greys which are exchanged in the finished SVG.
 */
const THEME = {
  ink: { placeholder: '#0a0b0c', css: 'var(--ink)' },
  soft: { placeholder: '#0b0c0e', css: 'var(--soft)' },
  rule: { placeholder: '#0d0e0f', css: 'var(--rule)' },
  curve: { placeholder: '#0a0c0e', css: 'var(--curve)' },
  bad: { placeholder: '#0c0a0b', css: 'var(--review)' },
  card: { placeholder: '#0e0c0a', css: 'var(--card)' },
} as const;

const placeholderOf = (name: keyof typeof THEME): string => THEME[name].placeholder;

export const INK = placeholderOf('ink');
export const SOFT = placeholderOf('soft');
const RULE = placeholderOf('rule');
export const CURVE = placeholderOf('curve');
export const BAD = placeholderOf('bad');
export const CARD = placeholderOf('card');

const FONT_PX = 13;
export const TEXT = { color: INK, fontSize: FONT_PX };

/** What every axis has: the page's ink, faint lines, a name along its middle. */
export const AXIS = {
  axisLabel: { ...TEXT, hideOverlap: true },
  nameTextStyle: TEXT,
  nameLocation: 'middle',
  axisLine: { show: true, onZero: false, lineStyle: { color: INK } },
  axisTick: { lineStyle: { color: INK } },
  splitLine: { lineStyle: { color: RULE } },
} as const;

/** No line, tick or text: only a scale. */
export const HIDDEN_AXIS = { show: false } as const;

export interface ChartFrame {
  /** Prefix of the ids inside the SVG, unique on the page. */
  readonly key: string;
  readonly heightPx: number;
}

/** A chart as SVG that scales with its column; the same options give the same text every time. */
export function drawChart(option: echarts.EChartsOption, { key, heightPx }: ChartFrame): SafeHtml {
  const chart = echarts.init(null, null, {
    renderer: 'svg',
    ssr: true,
    width: WIDTH_PX,
    height: heightPx,
  });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    ...option,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return new SafeHtml(tidySvg(svg, key));
}

const CIRCLE =
  /<path d="M1 0A1 1 0 1 1 1 -0\.1A1 1 0 0 1 1 0" transform="matrix\(([\d.]+),0,0,[\d.]+,(-?[\d.]+),(-?[\d.]+)\)"([^>]*)><\/path>/g;

/**
 * The library numbers its charts and their hover classes, and those numbers end up in the markup;
 * what only its own script would read goes too.
 */
function tidySvg(svg: string, key: string): string {
  const tidied = svg
    .replace(/<style\s*>.*?<\/style>/gs, '')
    .replace(
      /\s(?:class|ecmeta_[a-z_]+|xml:space|baseProfile|version|xmlns(?::xlink)?)="[^"]*"/g,
      '',
    )
    .replace(/ pointer-events="visible"/g, '')
    .replace(/zr\d+-/g, `${key}-`)
    .replace(CIRCLE, (_path, radius, x, y, rest) => circle(Number(radius), x, y, rest))
    .replace(/ width="\d+" height="\d+"/, ' aria-hidden="true"')
    .replace(UNPRINTABLE, '\ufffd');
  return Object.values(THEME).reduce(
    (text, { placeholder, css }) => text.replaceAll(placeholder, css),
    tidied,
  );
}

/** A symbol is a unit circle blown up, its line with it: the plain element is half as long. */
function circle(radius: number, x: string, y: string, rest: string): string {
  const plain = rest.replace(
    /stroke-width="([\d.]+)"/,
    (_attribute, width) => `stroke-width="${Number((Number(width) * radius).toFixed(3))}"`,
  );
  return `<circle r="${radius}" cx="${x}" cy="${y}"${plain}/>`;
}

/** A drawn plot with the same facts as text and as a table. */
export interface Plot {
  /** Unique on the page, kebab-case. */
  readonly key: string;
  readonly title: string;
  /** How to read it and what it shows, in words. */
  readonly summary: string;
  readonly svg: SafeHtml;
  readonly data: SafeHtml;
}

export const plotFigure = ({ key, title, summary, svg, data }: Plot): SafeHtml => html`
<figure class="plot" id="plot-${key}">
<h3 id="plot-${key}-title">${title}</h3>
<div role="img" aria-labelledby="plot-${key}-title" aria-describedby="plot-${key}-text">${svg}</div>
<figcaption><p id="plot-${key}-text">${summary}</p>
<details><summary>Numbers<span class="unseen"> of the plot ${title}</span></summary>${data}</details></figcaption>
</figure>`;

export const plotGrid = (plots: readonly Plot[]): SafeHtml => html`<div class="plots">
${plots.map(plotFigure)}
</div>`;

/** An axis with whole steps. */
export interface Scale {
  readonly min: number;
  readonly max: number;
  readonly interval: number;
}

export interface ScaleOptions {
  readonly mostSteps?: number;
  /** What the axis spans at least, so that values that hardly differ are not blown up. */
  readonly leastSpan?: number;
  readonly from?: number;
  readonly to?: number;
}

const MANY_STEPS = 6;
/** For axes that have room for few numbers. */
export const FEW_STEPS = 4;
/** Smaller differences of Dice mean nothing. */
export const LEAST_DICE_SPAN = 0.02;

/** The smallest axis of whole steps that holds both values; within `from` and `to`. */
export function scaleAround(low: number, high: number, options: ScaleOptions = {}): Scale {
  const { mostSteps = MANY_STEPS, leastSpan = 1 } = options;
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = options;
  const missing = Math.max(0, leastSpan - (high - low)) / 2;
  const [start, end] = [Math.max(from, low - missing), Math.min(to, high + missing)];
  const span = end - start;
  const power = 10 ** Math.floor(Math.log10(span / mostSteps));
  for (const factor of [1, 2, 5, 10, 20]) {
    const interval = factor * power;
    const first = Math.floor(start / interval + 1e-9);
    const last = Math.ceil(end / interval - 1e-9);
    if (last - first > mostSteps) continue;
    // 3 * 0.1 is 0.30000000000000004, and would be printed so.
    const tidy = (steps: number): number => Number((steps * interval).toPrecision(12));
    return { min: tidy(first), max: tidy(last), interval: tidy(1) };
  }
  return { min: start, max: end, interval: span };
}

/** For shares and Dice: between 0 and 1. */
export const ratioScale = (low: number, high: number, mostSteps = MANY_STEPS): Scale =>
  scaleAround(low, high, { mostSteps, leastSpan: LEAST_DICE_SPAN, from: 0, to: 1 });

const CAP_PX = 4;

/** Draws data `[from, to, place]` as a line with caps; horizontal where the values run along x. */
export const whisker =
  (along: 'x' | 'y', colour: string): CustomSeriesRenderItem =>
  (_parameters, api) => {
    const point = (value: string | number | Date | null | undefined): [number, number] => {
      const at = [value, api.value(2)];
      const [x, y] = api.coord(along === 'x' ? at : at.reverse());
      return [x!, y!];
    };
    const [x1, y1] = point(api.value(0));
    const [x2, y2] = point(api.value(1));
    const style = { stroke: colour, lineWidth: 1.5 };
    const [capX, capY] = along === 'x' ? [0, CAP_PX] : [CAP_PX, 0];
    const line = (ax: number, ay: number, bx: number, by: number) => ({
      type: 'line' as const,
      shape: { x1: ax, y1: ay, x2: bx, y2: by },
      style,
    });
    return {
      type: 'group',
      children: [
        line(x1, y1, x2, y2),
        line(x1 - capX, y1 - capY, x1 + capX, y1 + capY),
        line(x2 - capX, y2 - capY, x2 + capX, y2 + capY),
      ],
    };
  };
