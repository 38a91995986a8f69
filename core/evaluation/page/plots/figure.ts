import { html, type SafeHtml } from '../../../report/html.ts';

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
