import { html, type Insert, type SafeHtml } from './html.ts';

/**
 * A table in a box of its own that scrolls sideways, also by keyboard; the first column names the
 * row. Texts are escaped where they are not markup already.
 */
export function dataTable(
  caption: string,
  columns: readonly string[],
  rows: readonly (readonly Insert[])[],
): SafeHtml {
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table class="data">
<caption>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>
${rows.map(
  ([name, ...values]) => html`<tr><th scope="row">${name}</th>${values.map(
    (value) => html`<td>${value}</td>`,
  )}</tr>
`,
)}</tbody></table></div>`;
}

/** A term and what it stands for; entries whose value is null are left out. */
export type Entry = readonly [term: Insert, value: Insert];

export const definitionList = (entries: readonly Entry[]): SafeHtml => html`<dl>
${entries
  .filter(([, value]) => value !== null)
  .map(
    ([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>
`,
  )}</dl>`;
