import { html, type SafeHtml } from './html.ts';

/**
 * The page's only script: the table of cases sorts and filters. Its digest stands in the page's
 * content policy, so that nothing else can run. Rows are never removed, only hidden, and the style
 * sheet shows all of them in print.
 */
export const SCRIPT = `
(() => {
  const table = document.getElementById('cases-table');
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row, at) => ({
    row, at, text: row.textContent.toLowerCase(),
    flags: (row.dataset.f || '').split(' ').filter(Boolean),
  }));
  const heads = Array.from(table.tHead.rows[0].cells);
  const byText = new Intl.Collator('en', { numeric: true });

  const numberOf = (text) => {
    const plain = text.replace('\\u2212', '-').replace('\\u221e', 'Infinity').replace('%', '').trim();
    return plain === '' || Number.isNaN(Number(plain)) ? null : Number(plain);
  };
  const valueOf = (row, column, kind) => {
    const text = row.cells[column].textContent.trim();
    return kind === 'number' ? numberOf(text) : text || null;
  };

  const sortBy = (head, column) => {
    const kind = head.dataset.sort;
    const falling = head.getAttribute('aria-sort') === 'ascending';
    for (const other of heads) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', falling ? 'descending' : 'ascending');
    const keyed = rows.map((entry) => ({ entry, value: valueOf(entry.row, column, kind) }));
    keyed.sort((a, b) => {
      if (a.value === null || b.value === null) {
        return (a.value === null) - (b.value === null) || a.entry.at - b.entry.at;
      }
      const order = kind === 'number'
        ? (a.value > b.value) - (a.value < b.value) : byText.compare(a.value, b.value);
      return (falling ? -order : order) || a.entry.at - b.entry.at;
    });
    body.append(...keyed.map(({ entry }) => entry.row));
  };

  heads.forEach((head, column) => {
    if (!head.dataset.sort) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    button.addEventListener('click', () => sortBy(head, column));
    head.append(button);
  });

  const field = (name) => document.getElementById('filter-' + name);
  const text = field('text'), status = field('status'), flag = field('flag');
  const shown = document.getElementById('cases-shown');
  const filter = () => {
    const words = text.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let count = 0;
    for (const entry of rows) {
      const fits = words.every((word) => entry.text.includes(word)) &&
        (!status.value || entry.row.dataset.s === status.value) &&
        (!flag.value || (flag.value === '*' ? entry.flags.length > 0
          : flag.value === '!' ? 'r' in entry.row.dataset : entry.flags.includes(flag.value)));
      entry.row.hidden = !fits;
      if (fits) count += 1;
    }
    shown.textContent = count + ' of ' + rows.length + ' cases shown';
  };
  for (const control of [text, status, flag]) control.addEventListener('input', filter);
  field('reset').addEventListener('click', () => {
    text.value = status.value = flag.value = '';
    filter();
    text.focus();
  });
  document.getElementById('cases-filters').hidden = false;
  filter();
})();
`;

/**
 * What the script filters a row by.
 *
 * @param status one of those given to `caseFilters`
 * @param flags codes of all flags
 * @param toReview whether one of them asks for a look
 */
export const rowFacts = (status: string, flags: readonly string[], toReview: boolean): SafeHtml =>
  html` data-s="${status}"${flags.length > 0 && html` data-f="${flags.join(' ')}"`}${toReview && html` data-r`}`;

/**
 * The controls that the script filters by; hidden until it has run.
 *
 * @param statuses of the rows, with what the reader sees for them
 * @param flags of all rows, each once or more often
 */
export const caseFilters = (
  statuses: readonly { readonly value: string; readonly text: string }[],
  flags: readonly string[],
): SafeHtml => html`<div class="filters" id="cases-filters" role="search" aria-label="Cases" hidden>
<label>Text <input type="search" id="filter-text" autocomplete="off" spellcheck="false"></label>
<label>Status <select id="filter-status"><option value="">all</option>${statuses.map(
  ({ value, text }) => html`<option value="${value}">${text}</option>`,
)}</select></label>
<label>Flag <select id="filter-flag"><option value="">all</option><option value="*">any flag</option><option value="!">any to review</option>${[
  ...new Set(flags),
]
  .sort()
  .map((flag) => html`<option value="${flag}">${flag}</option>`)}</select></label>
<button type="button" id="filter-reset">Show all</button>
</div>`;
