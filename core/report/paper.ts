import { maskVoxelsPerSlice, type SegmentedReport } from '../contract/report.ts';
import { chooseMontageSlices } from '../draw/chosen-slices.ts';
import { digestText, numberText } from '../page/format.ts';
import { html, type Insert, type SafeHtml } from '../page/html.ts';

/**
 * What a case's report prints: one page for somebody who was not there. Volume, flags, key images, the
 * numbers of the organ and a line of provenance; the rest (`.off-paper`) only where it is asked for.
 */

/** Key images: two rows, or one where the flags need the room. */
const PAPER_PICTURES = { few: 4, many: 8, mostFlagsForMany: 4 } as const;

/** Of A4 and of Letter, whose pages are 297 and 279 mm high. */
export const PAPER_STYLE = `
.on-paper{display:none}
.print-all{display:block;color:var(--soft);margin:.25rem 0 0}
@media print{
@page{margin:11mm}
.print-all{display:none}
.on-paper{display:block}
body:not(:has(#print-all:checked)) .off-paper{display:none}
body:has(#print-all:checked) .on-paper{display:none}
.layers label:has(input:not(:checked)){display:none}
body:not(:has(#print-all:checked)){font-size:9pt;line-height:1.3}
body:not(:has(#print-all:checked)) :is(header,main,footer){padding-left:0;padding-right:0}
header{padding-top:0}
header p{margin:.2rem 0}
h2{font-size:11pt;margin:.6rem 0 .25rem}
.facts{margin-top:.4rem;gap:.5rem}
.facts li{padding:.25rem .7rem}
.facts b{font-size:14pt}
.findings{gap:.2rem}
.finding{padding:.15rem .6rem}
.chip,.meaning,table,dl,footer{font-size:inherit}
th,td{padding-top:.15rem;padding-bottom:.15rem}
.on-paper p{margin:.25rem 0}
.layers{padding:0;border:0}
.layers legend{display:none}
.montage{gap:.4rem}
figure:target{grid-column:auto}
figcaption{padding:.1rem .3rem;font-size:7.5pt}
}`;

/** Asks for all of the report on paper; without a script, as all of the page. */
export const PRINT_ALL = html`<label class="print-all on-screen"><input type="checkbox" id="print-all"> print the whole report, not the one page</label>`;

/** Slices whose pictures are printed, of those that are on the page. */
export function paperSlices(report: SegmentedReport, shown: ReadonlySet<number>): Set<number> {
  const { flags, comparison } = report;
  const voxels = maskVoxelsPerSlice(report);
  const kept = report.slices.flatMap((slice, at) =>
    shown.has(slice.index) ? [{ slice, voxels: voxels[at]! }] : [],
  );
  const facts = {
    slices: kept.map(({ slice }) => slice),
    voxelsPerSlice: kept.map((one) => one.voxels),
    flags: flags.filter(({ severity }) => severity === 'review'),
    comparison,
  };
  const { few, many, mostFlagsForMany } = PAPER_PICTURES;
  return new Set(chooseMontageSlices(facts, flags.length > mostFlagsForMany ? few : many));
}

/** The organ's numbers and where they come from, in two short paragraphs. */
export const paperNotes = (report: SegmentedReport): SafeHtml => html`<div class="on-paper">
${organLines(report)}
<p class="note">${originOf(report)}</p></div>`;

const organLines = ({ measures }: SegmentedReport): Insert =>
  measures?.map(
    ({ target, inside, eroded, longestAxialDiameterMm, surfaceAreaMm2 }) =>
      html`<p>${[
        inside &&
          `Inside the ${target}: mean ${hounsfield(inside.meanHu)}, standard deviation ${hounsfield(inside.sdHu)}, median ${hounsfield(inside.medianHu)}`,
        eroded && `without its outermost voxels mean ${hounsfield(eroded.meanHu)}`,
        inside && `${numberText(100 * inside.below40HuShare, 1)} % below 40 HU`,
        longestAxialDiameterMm &&
          `longest axial diameter ${numberText(longestAxialDiameterMm, 0)} mm`,
        `surface ${numberText(surfaceAreaMm2 / 100, 0)} cm²`,
      ]
        .filter(Boolean)
        .join('; ')}.</p>`,
  );

const hounsfield = (value: number): string => `${numberText(value, 0)} HU`;

function originOf(report: SegmentedReport): SafeHtml {
  const { input, inputSha256, bundle, provenance, runId, createdAt, geometry } = report;
  const { column, row, slice } = geometry.grid.spacingMm;
  return html`From <bdi>${input.name}</bdi> (SHA-256 ${digestText(inputSha256)}…; ${geometry.grid.slices} slices of
${numberText(column, 2)} × ${numberText(row, 2)} mm, ${numberText(slice, 2)} mm apart) by <bdi>${bundle.name}</bdi>
(SHA-256 ${digestText(bundle.digest)}…), sammix ${provenance.sammixVersion}, run ${runId}, ${createdAt.slice(0, 16).replace('T', ' ')} UTC.
Curves, all slices, definitions and methods are in report.html.`;
}
