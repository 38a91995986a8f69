// One prebuilt file: it loads in 0.1 s, the several hundred modules behind `echarts/core` in 1 s.
import * as echarts from 'echarts/dist/echarts.esm.min.mjs';
import { SafeHtml, UNPRINTABLE } from '../../../report/html.ts';

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
export const RULE = placeholderOf('rule');
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
