import { targetOf } from '../contract/bundle.ts';
import {
  type CaseReport,
  codesToReview,
  type FailedReport,
  organVolumeMl,
  type SegmentedReport,
  volumeDoubt,
} from '../contract/report.ts';
import { faultText } from '../errors.ts';
import { quantile } from '../metrics/quantile.ts';
import { plotGrid } from '../page/chart.ts';
import { COHORT_STYLE } from '../page/cohort-style.ts';
import {
  capital,
  counted,
  digestText,
  NONE,
  numberInsert,
  numberText,
  timeInsert,
  wordList,
} from '../page/format.ts';
import { html, type Insert, SafeHtml } from '../page/html.ts';
import { page } from '../page/page.ts';
import { caseFilters, rowFacts, SCRIPT } from '../page/table-script.ts';
import { SEVERITY } from '../page/words.ts';
import { methodsSection } from './methods.ts';
import { comparedMetric } from './numbers.ts';
import { volumePlot } from './volume-plot.ts';

/** A case of a run, as its folder holds it. */
export interface RunPageRow {
  readonly report: CaseReport;
  /** Where the run has several targets: which of them the row is of. */
  readonly target?: string;
  /** `thumbnail.png`; null for failed cases and those of before it was kept. */
  readonly thumbnailPng: Uint8Array | null;
  /** Of the case's `report.html`, relative to the page. */
  readonly reportHref: string;
  /** Wall clock; null where the case was kept from an earlier run. */
  readonly seconds: number | null;
}

export interface RunPageFacts {
  /** What the run is called: the name of its folder. */
  readonly name: string;
  readonly createdAt: string;
  readonly sammixVersion: string;
  /** One for each target. */
  readonly bundles: readonly {
    readonly name: string;
    readonly digest: string;
    readonly target?: string | undefined;
  }[];
  /** Cases of the run, those that are still to come among them. */
  readonly cases: number;
}

const CAUTION =
  'The masks are drawn by a model and\nhave not been checked by a person. Do not use them for diagnosis or treatment.';

/**
 * `index.html` of a run: one file over all of its cases, without font, image or request from outside;
 * it links to the cases' own reports. The same rows give the same bytes.
 */
export function runPage(rows: readonly RunPageRow[], facts: RunPageFacts): string {
  const targets = facts.bundles.map(targetOf);
  const firsts = targets.flatMap((target) => segmentedOf(rowsOf(rows, target))[0] ?? []);
  const plots = targets.flatMap(
    (target, at) => volumePlot(target, volumesOf(rowsOf(rows, target)), at) ?? [],
  );
  return page(
    `Run: ${facts.name}`,
    html`<a class="skip" href="#main">Skip to the content</a>
${header(rows, facts)}
<main id="main" tabindex="-1">
${failures(rows)}
${caseTable(rows, targets)}
${plots.length > 0 && html`<section aria-labelledby="volumes"><h2 id="volumes">Volumes</h2>${plotGrid(plots)}</section>`}
${firsts.length > 0 && methodsSection(firsts)}
</main>`,
    { caution: CAUTION, style: COHORT_STYLE + STYLE, script: SCRIPT },
  );
}

const STYLE = `
.thumbnail{display:inline-block;width:4.5rem;height:4.5rem;background:#000;border-radius:.25rem}
.tall table.data :is(td,th[scope=row]){vertical-align:middle}
.tall table.data .chip{margin:.1rem 0}
.none{display:inline-block;width:4.5rem;text-align:center;color:var(--soft)}
@media print{.thumbnail{width:14mm;height:14mm}}`;

const isSegmented = ({ report }: RunPageRow): boolean => report.status === 'segmented';

const segmentedOf = (rows: readonly RunPageRow[]): SegmentedReport[] =>
  rows.flatMap(({ report }) => (report.status === 'segmented' ? [report] : []));

/** Of one of the run's targets; all where it has one. */
const rowsOf = (rows: readonly RunPageRow[], target: string): readonly RunPageRow[] =>
  rows.filter((row) => row.target === undefined || row.target === target);

const caseCount = (rows: readonly RunPageRow[]): number =>
  new Set(rows.map(({ report }) => report.caseId)).size;

/** Of organs: a scan without an abdomen has none. */
const volumesOf = (rows: readonly RunPageRow[]): number[] =>
  segmentedOf(rows).flatMap((report) => organVolumeMl(report) ?? []);

const asksForALook = (report: CaseReport): boolean =>
  report.status === 'segmented' && codesToReview(report.flags).length > 0;

function header(rows: readonly RunPageRow[], facts: RunPageFacts): SafeHtml {
  const segmented = segmentedOf(rows);
  const failed = rows.length - segmented.length;
  const flagged = segmented.filter(asksForALook).length;
  const dice = segmented.flatMap((report) => {
    const value = comparedMetric(report, 'dice')?.value;
    return typeof value === 'number' ? [value] : [];
  });
  const missing = facts.cases - caseCount(rows);
  const targets = facts.bundles.map(targetOf);
  const tile = (value: Insert, name: string): SafeHtml =>
    html`<li><b>${value}</b><span>${name}</span></li>\n`;
  return html`<header>
<h1>${capital(wordList(targets))} segmentation: <bdi>${facts.name}</bdi></h1>
<p class="note">${facts.bundles.map(({ name, digest }) => html`Model <bdi>${name}</bdi>, digest <code title="${digest}">${digestText(digest)}</code> · `)}sammix ${facts.sammixVersion} · ${timeInsert(facts.createdAt)}</p>
<p class="counts">${counted(caseCount(rows), 'case')}${targets.length > 1 && `, ${counted(targets.length, 'target')} each`}: ${segmented.length} segmented, ${failed} failed${missing > 0 && `; ${missing} still to come`}.</p>
<p><strong>Research use only; not a medical device.</strong></p>
<ul class="facts">
${tile(flagged, `${targets.length > 1 ? (flagged === 1 ? 'mask has' : 'masks have') : flagged === 1 ? 'case has' : 'cases have'} flags to review`)}${tile(failed, `${failed === 1 ? 'case' : 'cases'} failed`)}${targets.map(
  (target) => {
    const volumes = volumesOf(rowsOf(rows, target));
    if (volumes.length === 0) return null;
    return tile(`${numberText(quantile(volumes, 0.5), 0)} ml`, `median ${target} volume`);
  },
)}${
  dice.length > 0 &&
  tile(
    numberText(dice.reduce((sum, value) => sum + value, 0) / dice.length, 3),
    `mean Dice of ${counted(dice.length, targets.length > 1 ? 'compared mask' : 'compared case')}`,
  )
}</ul>
</header>`;
}

/** Every failure with its remedy, above all numbers. */
function failures(rows: readonly RunPageRow[]): Insert {
  const failed = rows.flatMap((row) =>
    row.report.status === 'failed' ? [{ row, report: row.report }] : [],
  );
  if (failed.length === 0) return null;
  return html`<section aria-labelledby="failures"><h2 id="failures">Failed</h2>
<ul class="findings">${failed.map(
    ({
      row,
      report,
    }) => html`<li class="finding review"><span class="chip review">${report.stage}: ${report.fault.code}</span>
<b>${nameLink(row)}</b> <bdi>${faultText(report.fault)}</bdi>${otherProblems(report)}</li>
`,
  )}</ul></section>`;
}

function otherProblems({ problems = [], fault }: FailedReport): Insert {
  const others = problems.filter(({ code }) => code !== fault.code);
  if (others.length === 0) return null;
  return html` Also: ${others.map(({ message }) => message).join('; ')}.`;
}

const nameLink = ({ report, reportHref }: RunPageRow): SafeHtml =>
  html`<a href="${reportHref}"><bdi>${report.caseId}</bdi></a>`;

interface Column {
  readonly title: string;
  readonly sort: 'text' | 'number';
  readonly cell: (row: RunPageRow) => Insert;
}

const ofSegmented =
  (cell: (report: SegmentedReport) => Insert): Column['cell'] =>
  ({ report }) =>
    report.status === 'segmented' ? cell(report) : NONE;

const VOLUME = 'Volume, ml';

const columnsOf = (targets: readonly string[]): readonly Column[] => [
  ...(targets.length > 1
    ? [{ title: 'Target', sort: 'text', cell: ({ target }: RunPageRow) => target } as const]
    : []),
  { title: 'Status', sort: 'text', cell: (row) => statusCell(row) },
  {
    title: VOLUME,
    sort: 'number',
    cell: ofSegmented((report) => numberText(organVolumeMl(report), 0)),
  },
  {
    title: targets.length > 1 ? 'Slices with it' : `Slices with ${targets[0]}`,
    sort: 'number',
    cell: ofSegmented(({ voxelsPerSlice }) =>
      voxelsPerSlice ? voxelsPerSlice.filter((voxels) => voxels > 0).length : NONE,
    ),
  },
  {
    title: 'Slice spacing, mm',
    sort: 'number',
    cell: ofSegmented(({ geometry }) => numberText(geometry.grid.spacingMm.slice, 2)),
  },
  {
    title: 'Time, s',
    sort: 'number',
    cell: ({ seconds }) => (seconds === null ? 'kept' : numberText(seconds, 0)),
  },
];

const COMPARED: readonly Column[] = [
  {
    title: 'Dice',
    sort: 'number',
    cell: ofSegmented((report) => numberText(comparedMetric(report, 'dice')?.value, 3)),
  },
  {
    title: 'HD95, mm',
    sort: 'number',
    cell: ofSegmented((report) => numberInsert(comparedMetric(report, 'hd95Mm')?.value, 1)),
  },
];

const statusCell = (row: RunPageRow): Insert =>
  isSegmented(row) ? 'segmented' : html`<span class="chip review">failed</span>`;

function caseTable(rows: readonly RunPageRow[], targets: readonly string[]): SafeHtml {
  const compared = segmentedOf(rows).some(({ comparison }) => comparison !== null);
  const known = columnsOf(targets);
  const volumeAt = known.findIndex(({ title }) => title === VOLUME);
  const columns = compared ? known.toSpliced(volumeAt + 1, 0, ...COMPARED) : known;
  return html`<section class="sheet" aria-labelledby="cases"><h2 id="cases">All cases</h2>
<p>Select a case for its own report. ${NONE} stands for a number that is not defined.</p>
${filters(rows)}
<p class="shown" id="cases-shown" role="status">${rows.length} of ${rows.length} cases shown</p>
<div class="scroll tall" role="region" aria-label="Table of all cases" tabindex="0"><table class="data" id="cases-table">
<caption class="unseen">All cases of the run</caption>
<thead><tr><th scope="col" data-sort="text">Case</th>${columns.map(
    ({ title, sort }) => html`<th scope="col" data-sort="${sort}">${title}</th>`,
  )}<th scope="col">Picture</th><th scope="col" data-sort="text">Flags and reasons</th></tr></thead>
<tbody>
${rows.map((row) => caseRow(row, columns))}</tbody></table></div></section>`;
}

function caseRow(row: RunPageRow, columns: readonly Column[]): SafeHtml {
  const { report } = row;
  const flags = report.status === 'segmented' ? report.flags.map(({ code }) => code) : [];
  return html`<tr${rowFacts(report.status, flags, asksForALook(report))}><th scope="row">${nameLink(row)}</th>${columns.map(
    ({ cell }) => html`<td>${cell(row)}</td>`,
  )}<td>${thumbnail(row)}</td><td>${remarks(report)}</td></tr>
`;
}

function thumbnail({ report, thumbnailPng }: RunPageRow): Insert {
  if (thumbnailPng === null) return html`<span class="none">${NONE}</span>`;
  const png = new SafeHtml(Buffer.from(thumbnailPng).toString('base64'));
  const slice = report.status === 'segmented' ? report.pictures?.gallery.at(-1)?.slice : undefined;
  return html`<img class="thumbnail" loading="lazy" alt="Slice ${slice} of ${report.caseId} with the mask" src="data:image/png;base64,${png}">`;
}

function remarks(report: CaseReport): Insert {
  if (report.status === 'failed')
    return html`<bdi>${faultText(report.fault)}</bdi> <code>${report.fault.code}</code>`;
  const doubt = volumeDoubt(report.flags);
  return [
    doubt && html`<b>Volume ${doubt}.</b> `,
    report.flags.map(
      ({ code, severity }) =>
        html`<span class="chip ${severity}">${SEVERITY[severity]}: ${code}</span> `,
    ),
    report.comparisonFault && html`Not compared: <bdi>${faultText(report.comparisonFault)}</bdi>`,
  ];
}

function filters(rows: readonly RunPageRow[]): SafeHtml {
  const count = (status: CaseReport['status']): number =>
    rows.filter(({ report }) => report.status === status).length;
  return caseFilters(
    (['segmented', 'failed'] as const).map((status) => ({
      value: status,
      text: `${status} (${count(status)})`,
    })),
    segmentedOf(rows).flatMap((report) => report.flags.map(({ code }) => code)),
  );
}
