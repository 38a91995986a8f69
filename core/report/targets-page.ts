import { codesToReview, organVolumeMl, type SegmentedReport } from '../contract/report.ts';
import type { LabelMap, LiverToSpleen, TargetOfCase, TargetsReport } from '../contract/targets.ts';
import { faultText } from '../errors.ts';
import { capital, counted, NONE, numberText, wordList } from '../page/format.ts';
import { html, type Insert, SafeHtml } from '../page/html.ts';
import { page, VIEWER_LINK } from '../page/page.ts';
import { dataTable } from '../page/table.ts';
import { comparedMetric, comparisonTable, measuresTable, perSliceTable } from './numbers.ts';
import { PAPER_STYLE, PRINT_ALL, paperNotes } from './paper.ts';
import { provenance } from './provenance.ts';
import { CAUTION, curves, flagList, headline } from './render.ts';
import { targetMeasuresTables } from './target-measures.ts';

/**
 * `report.html` of a case of several targets: a section for each of them, one file like all reports. On
 * paper two stand beside each other, so that two fit on a page.
 *
 * @param overlays `overlay.png` of each target, null where there is none
 */
export function renderTargetsReport(
  report: TargetsReport,
  overlays: readonly (Uint8Array | null)[],
): string {
  const { caseId, targets, pending, labelMap, liverToSpleen } = report;
  const names = wordList(targets.map(({ target }) => target));
  return page(
    `Report of ${names}: ${caseId}`,
    html`<header>
<h1>${capital(names)} segmentation: <bdi>${caseId}</bdi></h1>
<p class="note">${new SafeHtml(VIEWER_LINK)}</p>
<p><strong>Research use only; not a medical device.</strong></p>
${PRINT_ALL}
</header>
<main>
<section class="all-targets" aria-labelledby="targets"><h2 id="targets">Targets</h2>
${targetTable(targets)}
${pending && pendingNote(pending)}
${labelMap && labelMapNote(labelMap)}
${liverToSpleen && ratioNote(liverToSpleen)}
</section>
${targets.map((one, at) => targetSection(one, overlays[at] ?? null))}
</main>`,
    { caution: CAUTION, style: PAPER_STYLE + STYLE },
  );
}

const STYLE = `
.overlay{display:block;width:100%;max-width:64rem;height:auto;background:#000;border-radius:.25rem}
@media print{
body:not(:has(#print-all:checked)) main{display:grid;grid-template-columns:1fr 1fr;gap:0 6mm}
.all-targets{grid-column:1/-1}
.target{break-inside:avoid}
.target .facts{margin:0 0 .3rem}
.target .facts li{min-width:0}
.target .facts b{font-size:11pt}
.overlay{max-width:76mm;margin:.3rem 0}
}`;

const sectionId = (folder: string): string => `target-${folder}`;

const targetTable = (targets: readonly TargetOfCase[]): SafeHtml =>
  dataTable(
    'All targets of the case',
    ['Target', 'Volume, ml', 'Dice', 'Flags to review', 'Own report', 'Mask'],
    targets.map(({ target, folder, report }) => [
      html`<a href="#${sectionId(folder)}">${target}</a>`,
      ...(report.status === 'failed' ? ['failed', NONE, NONE] : facts(report)),
      html`<a href="${encodeURIComponent(folder)}/report.html">all slices and methods</a>`,
      report.status === 'failed' ? NONE : html`<code>${folder}/mask.nii.gz</code>`,
    ]),
  );

function facts(report: SegmentedReport): Insert[] {
  const dice = comparedMetric(report, 'dice')?.value;
  return [
    numberText(organVolumeMl(report), 1),
    typeof dice === 'number' ? numberText(dice, 3) : NONE,
    codesToReview(report.flags).length,
  ];
}

const pendingNote = (pending: readonly string[]): SafeHtml =>
  html`<p class="finding review">Not there yet: ${wordList(pending)}. This page is written again when a target ends.</p>`;

const labelMapNote = ({ file, classes, overlapVoxels }: LabelMap): SafeHtml =>
  html`<p><code>${file}</code> holds all of them: 0 none, ${wordList(classes.map(({ value, target }) => `${value} ${target}`))}.
${overlapVoxels === 0 ? 'The masks do not overlap.' : `${counted(overlapVoxels, 'voxel')} lay in more than one mask and went to the target with the lower number.`}</p>`;

const ratioNote = (found: LiverToSpleen): SafeHtml =>
  html`<p>Liver to spleen, both without their outermost voxels: ${numberText(found.liverMeanHu, 1)} HU to
${numberText(found.spleenMeanHu, 1)} HU, ratio <strong>${numberText(found.ratio, 2)}</strong>, difference ${numberText(found.differenceHu, 1)} HU.
Fat in the liver lowers both, but only a scan without contrast tells it.</p>`;

const NOTHING_SHOWN: ReadonlySet<number> = new Set();

function targetSection(
  { target, folder, report }: TargetOfCase,
  overlay: Uint8Array | null,
): SafeHtml {
  const id = sectionId(folder);
  return html`<section class="measures target" aria-labelledby="${id}"><h2 id="${id}">${capital(target)}</h2>
${report.status === 'failed' ? html`<p class="finding review">Not segmented: <bdi>${faultText(report.fault)}</bdi></p>` : segmented(target, folder, report, overlay)}
</section>
`;
}

const segmented = (
  target: string,
  folder: string,
  report: SegmentedReport,
  overlay: Uint8Array | null,
): SafeHtml => html`<p class="note off-paper">Model <bdi>${report.bundle.name}</bdi></p>
${headline(report)}
${flagList(report, NOTHING_SHOWN)}
${overlay && picture(target, overlay)}
${paperNotes(report)}
<div class="off-paper">
${curves(report, `${folder}-`)}
${perSliceTable(report, NOTHING_SHOWN)}
${measuresTable(report)}
${targetMeasuresTables(report)}
${comparisonTable(report)}
<details><summary>Where this comes from</summary>${provenance(report)}</details></div>`;

function picture(target: string, png: Uint8Array): SafeHtml {
  const base64 = new SafeHtml(Buffer.from(png).toString('base64'));
  return html`<p><img class="overlay" alt="Slices with the outlines of the ${target}" src="data:image/png;base64,${base64}"></p>`;
}
