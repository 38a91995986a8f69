import type { EvaluatedCase } from '../../contract/evaluated-case.ts';
import type { Evaluation } from '../../contract/evaluation.ts';
import { fromExtended } from '../../contract/panel.ts';
import { faultText } from '../../errors.ts';
import { metricOf, NONE, numberInsert, numberText, percentText } from '../../page/format.ts';
import { html, type Insert, type SafeHtml } from '../../page/html.ts';
import { caseFilters, rowFacts } from '../../page/table-script.ts';
import { STATUS } from '../../page/words.ts';
import { statusesOf } from './words.ts';

interface Column {
  readonly title: string;
  readonly sort: 'text' | 'number';
  readonly cell: (one: EvaluatedCase, evaluation: Evaluation) => Insert;
}

/** Between the case's name and what was found about it. */
const COLUMNS: readonly Column[] = [
  { title: 'Status', sort: 'text', cell: ({ status }) => statusCell(status) },
  number('Dice', (one) => numberText(metricOf(one, 'dice'), 3)),
  number('HD95, mm', (one) => numberInsert(metricOf(one, 'hd95Mm'), 1)),
  number('ASSD, mm', (one) => numberInsert(metricOf(one, 'assdMm'), 2)),
  number('NSD 2 mm', (one) => numberText(metricOf(one, 'nsd2Mm'), 3)),
  number('Volume error, ml', (one) => numberText(metricOf(one, 'volumeErrorMl'), 0)),
  number('Label, ml', (one) => numberText(one.labelVolumeMl, 0)),
  number('Slices found', (one) => percentText(one.liverSliceRecall, 0)),
  number('Slice spacing, mm', (one) => numberText(one.scan?.spacingMm.slice, 2)),
  number('Time, s', (one) => numberText(one.seconds, 0)),
];

function number(title: string, cell: Column['cell']): Column {
  return { title, sort: 'number', cell };
}

const statusCell = (status: EvaluatedCase['status']): Insert =>
  STATUS[status].bad
    ? html`<span class="chip review">${STATUS[status].name}</span>`
    : STATUS[status].name;

/** A page with more rows is slow to open; `cases.csv` has them all. */
const MOST_ROWS = 2000;

/** All cases, or the worst of them where they are many: failed ones first, then by Dice. */
function listedCases({ cases }: Evaluation): readonly EvaluatedCase[] {
  if (cases.length <= MOST_ROWS) return cases;
  const badness = (one: EvaluatedCase): number => fromExtended(metricOf(one, 'dice') ?? -1);
  const worst = new Set([...cases].sort((a, b) => badness(a) - badness(b)).slice(0, MOST_ROWS));
  return cases.filter((one) => worst.has(one));
}

/** Every case in one table; script makes it sort and filter, without it the table is whole. */
export function caseSection(evaluation: Evaluation, link: CaseLink): SafeHtml {
  const cases = listedCases(evaluation);
  const areAll = cases.length === evaluation.cases.length;
  return html`<section class="sheet" aria-labelledby="cases"><h2 id="cases">${areAll ? 'All cases' : 'The worst cases'}</h2>
${!areAll && html`<p>The ${cases.length} worst of ${evaluation.cases.length} cases; cases.csv has all.</p>`}
<p>Protocol “volume”. ∞ stands for a distance that is infinite because one of mask and label is empty;
${NONE} for a number that is not defined. ${evaluation.bundle === null ? 'Look at the cases with sammix view.' : 'Select a case for its own report.'}</p>
${filters(evaluation)}
<p class="shown" id="cases-shown" role="status">${cases.length} of ${cases.length} cases shown</p>
<div class="scroll tall" role="region" aria-label="Table of all cases" tabindex="0"><table class="data${hasPatients(evaluation) && ' by-patient'}" id="cases-table">
<caption class="unseen">All cases, protocol “volume”</caption>
<thead><tr>${headings(evaluation).map(
    ({ title, sort }) => html`<th scope="col" data-sort="${sort}">${title}</th>`,
  )}</tr></thead>
<tbody>
${cases.map((one) => caseRow(one, evaluation, link))}</tbody></table></div></section>`;
}

const PATIENT = { title: 'Patient', sort: 'text' as const };

/** Where every case is its own patient a column of patients would say everything twice. */
const hasPatients = ({ cases }: Evaluation): boolean =>
  cases.some(({ caseId, patientId }) => caseId !== patientId);

const headings = (evaluation: Evaluation): Pick<Column, 'title' | 'sort'>[] => [
  { title: 'Case', sort: 'text' },
  ...(hasPatients(evaluation) ? [PATIENT] : []),
  ...COLUMNS,
  { title: 'Flags and reasons', sort: 'text' },
];

const caseRow = (one: EvaluatedCase, evaluation: Evaluation, link: CaseLink): SafeHtml =>
  html`<tr${rowFacts(one.status, one.flags, toReview(one).length > 0)}><th scope="row">${link(one)}</th>${
    hasPatients(evaluation) && html`<td><bdi>${one.patientId}</bdi></td>`
  }${COLUMNS.map(({ cell }) => html`<td>${cell(one, evaluation)}</td>`)}<td>${remarks(one)}</td></tr>
`;

/** Of evaluations that did not keep them apart, all. */
export const toReview = ({ flags, reviewFlags }: EvaluatedCase): readonly string[] =>
  reviewFlags ?? flags;

function remarks({ fault, flags }: EvaluatedCase): Insert {
  const reason = fault && html`<bdi>${faultText(fault)}</bdi> <code>${fault.code}</code>`;
  return [reason, reason && flags.length > 0 && ' · ', flags.join(', ')];
}

/** Where a case's own report lies, relative to the page; null where it has none. */
export type ReportHref = (one: Pick<EvaluatedCase, 'caseId' | 'runId'>) => string | null;

/** As `sammix evaluate` lays its folder out. */
export const reportBesidePage: ReportHref = ({ caseId }) =>
  `cases/${encodeURIComponent(caseId)}/report.html`;

/** A case's name, with a link to its report where there is one. */
export type CaseLink = (one: Pick<EvaluatedCase, 'caseId' | 'runId'>) => SafeHtml;

/** Masks made elsewhere have no report of ours. */
export const caseLinks =
  ({ bundle }: Evaluation, hrefOf: ReportHref): CaseLink =>
  (one) => {
    const href = bundle === null ? null : hrefOf(one);
    const name = html`<bdi>${one.caseId}</bdi>`;
    return href === null ? name : html`<a href="${href}">${name}</a>`;
  };

const filters = (evaluation: Evaluation): SafeHtml =>
  caseFilters(
    statusesOf(evaluation).map((status) => ({
      value: status,
      text: `${STATUS[status].name} (${evaluation.counts[status]})`,
    })),
    evaluation.cases.flatMap((one) => one.flags),
  );
