import { createHash } from 'node:crypto';
import { hexOf, LAYERS, type Layer } from '../draw/layers.ts';
import { html, SafeHtml } from './html.ts';

/** Lines keep their width in CSS pixels when a slice is enlarged. */
const layerRules = LAYERS.map(
  (layer) => `
.layer.${layer.key}{stroke:${hexOf(layer)};stroke-width:${layer.widthPx + 0.3}px;stroke-dasharray:${
    layer.dashPx.join(' ') || 'none'
  };${layer.fill > 0 ? `fill:${hexOf(layer)};fill-opacity:${layer.fill}` : 'fill:none'}}
body:has(#show-${layer.key}:not(:checked)) .layer.${layer.key}{display:none}`,
).join('');

/** A layer's line as legends show it. */
export function swatch(layer: Layer): SafeHtml {
  const dash = layer.dashPx.map((length) => length * 1.5).join(' ');
  return html`<svg class="swatch" viewBox="0 0 44 12" aria-hidden="true"><rect width="44" height="12" rx="2"/>
<path d="M2 6H42" stroke="${hexOf(layer)}" stroke-width="${layer.widthPx * 2}" stroke-dasharray="${dash}"/></svg>`;
}

/** The page's style sheet: light and dark, phone to desktop, and paper. No external file or font. */
const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--card:#f6f8fa;--rule:#d0d7de;
--link:#0550ae;--curve:#0072b2;--review:#8a3b00;--review-bg:#fff1e5;--info:#0b4a8f;--info-bg:#e7f1fc}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa5b1;--paper:#0d1117;--card:#161b22;
--rule:#30363d;--link:#79b8ff;--curve:#56b4e9;--review:#ffb77c;--review-bg:#35200c;--info:#9ecbff;--info-bg:#10263f}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
header,main,footer{max-width:84rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.5rem}
h1{font-size:1.5rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.25rem 0 .6rem}
h3{font-size:1rem;margin:0 0 .25rem}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
code,dd,bdi{overflow-wrap:anywhere}
code{font-size:.85em}
.note,.meaning,footer{color:var(--soft)}
header .note{margin:.25rem 0 0}
.facts{display:flex;flex-wrap:wrap;gap:.75rem;margin:1rem 0 0;padding:0;list-style:none}
.facts li{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;padding:.5rem .9rem;min-width:8rem}
.facts b{display:block;font-size:1.45rem;line-height:1.25;font-variant-numeric:tabular-nums}
.findings{list-style:none;margin:0;padding:0;display:grid;gap:.5rem}
.finding{border-left:4px solid var(--rule);background:var(--card);padding:.5rem .8rem;border-radius:.25rem;overflow-wrap:anywhere}
.finding.review{border-color:var(--review)}
.finding.info{border-color:var(--info)}
.chip{display:inline-block;border-radius:1rem;padding:0 .55rem;font-size:.8rem;white-space:nowrap}
.facts .chip{white-space:normal}
.chip.review{color:var(--review);background:var(--review-bg)}
.chip.info{color:var(--info);background:var(--info-bg)}
.layers{display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;border:1px solid var(--rule);border-radius:.5rem;margin:0;padding:.5rem .9rem .7rem}
.layers label{display:flex;align-items:center;gap:.45rem;cursor:pointer}
.layers input{flex:none;width:1.1rem;height:1.1rem;margin:0}
.swatch{width:2.75rem;height:.75rem;flex:none}
.swatch rect{fill:#30363d}
.meaning{font-size:.9rem}
.montage{display:grid;gap:.75rem;grid-template-columns:repeat(auto-fill,minmax(min(15.5rem,100%),1fr))}
figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:.5rem;overflow:hidden}
figure.flagged{border-color:var(--review)}
figure:target{grid-column:1/-1;max-width:min(100%,90vh);width:100%}
figcaption{padding:.4rem .6rem .55rem;font-size:.87rem;font-variant-numeric:tabular-nums}
.enlarge{position:relative}
.enlarge a{position:absolute;inset:0}
.enlarge a:focus-visible{outline:3px solid #f0e442;outline-offset:-3px}
.enlarge svg{display:block;width:100%;height:auto;background:#000}
.enlarge text{fill:#fff;font:bold 20px system-ui,sans-serif;stroke:#000;stroke-width:3px;paint-order:stroke}
.shrink{display:none}
figure:target .shrink{display:inline}
figure:target text{font-size:13px}
.layer{vector-effect:non-scaling-stroke;stroke-linejoin:round;stroke-linecap:butt;fill-rule:evenodd}${layerRules}
.curves{display:grid;gap:.75rem;grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr))}
.curves figure{padding:.6rem .6rem 0}
.curves svg{display:block;width:100%;height:auto}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.93rem}
caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{border-top:1px solid var(--rule);padding:.35rem .7rem .35rem 0;text-align:left;vertical-align:top}
th{font-weight:500}
.measures th{width:14rem}
.measures td.value{width:8rem}
td.value{white-space:nowrap;font-variant-numeric:tabular-nums;font-weight:600}
td:last-child{color:var(--soft)}
.numbers td,.numbers td:last-child,.numbers th{text-align:right;white-space:nowrap;color:inherit;font-variant-numeric:tabular-nums}
summary{cursor:pointer;padding:.5rem 0}
dl{margin:0;font-size:.93rem}
dl div{display:grid;grid-template-columns:minmax(8rem,12rem) 1fr;border-top:1px solid var(--rule);padding:.3rem 0}
dt{color:var(--soft)}
blockquote{margin:0;padding:.5rem 1rem;border-left:3px solid var(--rule);overflow-wrap:anywhere}
dd{margin:0}
footer{margin-top:2.5rem;padding-top:1rem;padding-bottom:2rem;border-top:1px solid var(--rule);font-size:.93rem}
@media (max-width:40rem){
h1{font-size:1.25rem}
.measures tr{display:block;border-top:1px solid var(--rule);padding:.35rem 0}
.measures th,.measures td,.measures td.value{display:block;border:0;padding:0;width:auto;white-space:normal}
dl div{grid-template-columns:1fr}
.montage{grid-template-columns:repeat(auto-fill,minmax(min(9.5rem,100%),1fr));gap:.5rem}
.facts{gap:.5rem}
.facts li{flex:1 1 40%}
.facts b{font-size:1.2rem}
}
@media print{
:root{--ink:#000;--soft:#333;--paper:#fff;--card:#fff;--rule:#ccc;--link:#000;--curve:#0072b2;--review:#000;--review-bg:#fff;--info:#000;--info-bg:#fff}
body{font-size:10pt}
.montage{grid-template-columns:repeat(4,1fr)}
.curves{grid-template-columns:repeat(2,1fr)}
figure,tr,.finding,.facts li{break-inside:avoid}
.layers input,details,.shrink,.on-screen{display:none!important}
h2,h3{break-after:avoid}
h2{margin-top:1.2rem}
footer{margin-top:.6rem;padding:.4rem 0 0;break-before:avoid}
dl div:last-child,main>section:last-child{break-after:avoid}
.chip{border:1px solid #000}
a{text-decoration:none}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}`;

/** Where a server of reports may put a link to the viewer. */
export const VIEWER_LINK = '<!--viewer-->';

export interface PageParts {
  /** What the foot of the page warns of, after the notice of research use. */
  readonly caution: string;
  /** Added to the style that all pages share. */
  readonly style?: string;
  readonly script?: string;
}

/** A whole page around the given content. */
export function page(title: string, content: SafeHtml, parts: PageParts): string {
  const { caution, style = '', script } = parts;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy(script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new SafeHtml(STYLE + style)}</style>
</head>
<body>
${content}
<footer><strong>Research use only; not a medical device.</strong> ${caution}</footer>
${script !== undefined && html`<script>${new SafeHtml(script)}</script>\n`}</body>
</html>
`.markup;
}

/**
 * Forbids everything that is not in the file itself: no request, no form, and no script but the one
 * whose digest is named. A hostile name that got past the escaping still could not run.
 */
function contentPolicy(script: string | undefined): string {
  return [
    "default-src 'none'",
    'img-src data:',
    "style-src 'unsafe-inline'",
    ...(script === undefined ? [] : [`script-src 'sha256-${digestOf(script)}'`]),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

const digestOf = (script: string): string => createHash('sha256').update(script).digest('base64');
