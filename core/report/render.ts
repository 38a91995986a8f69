import { targetOf } from '../contract/bundle.ts';
import {
  codesToReview,
  type FailedReport,
  organVolumeMl,
  type SegmentedReport,
  volumeDoubt,
} from '../contract/report.ts';
import type { SlicePicture } from '../draw/picture.ts';
import { capital, numberText } from '../page/format.ts';
import { html, type Insert, SafeHtml } from '../page/html.ts';
import { page, VIEWER_LINK } from '../page/page.ts';
import { METRIC_TITLES, SEVERITY } from '../page/words.ts';
import { curveFigures } from './curves.ts';
import { montage } from './figures.ts';
import { methodsSection } from './methods.ts';
import {
  comparedMetric,
  comparisonTable,
  formatMetric,
  measuresTable,
  perSliceTable,
  sliceRanges,
} from './numbers.ts';
import { PAPER_STYLE, PRINT_ALL, paperNotes } from './paper.ts';
import { failureProvenance, provenance } from './provenance.ts';
import { targetMeasuresTables } from './target-measures.ts';

/**
 * The report's drawing side. Import this module lazily: it pulls in the charting library, which
 * takes longer to load than a short command runs.
 */
export { chooseGallerySlices, chooseMontageSlices, MONTAGE_SLICES } from '../draw/chosen-slices.ts';
export { renderGalleryPng, renderOverlayPng, renderThumbnailPng } from '../draw/overlay.ts';

export const CAUTION =
  'The mask is drawn by a model and\nhas not been checked by a person. Do not use it for diagnosis or treatment.';

/** `report.html` of a segmented case: one file without script, font, image or link from outside. */
export function renderCaseReport(
  report: SegmentedReport,
  pictures: readonly SlicePicture[],
): string {
  const shown = new Set(pictures.map(({ record }) => record.index));
  const title = capital(targetOf(report.bundle));
  return page(
    `${title} report: ${report.caseId}`,
    html`<header>
<h1>${title} segmentation: <bdi>${report.caseId}</bdi></h1>
<p class="note"><bdi>${report.input.name}</bdi> · model <bdi>${report.bundle.name}</bdi> · ${report.createdAt.slice(0, 10)} ${new SafeHtml(VIEWER_LINK)}</p>
<p><strong>Research use only; not a medical device.</strong></p>
${headline(report)}
${PRINT_ALL}
</header>
<main>
${flagSection(report, shown)}
<section aria-labelledby="slices"><h2 id="slices">Slices</h2>
${montage(report, pictures)}
${paperNotes(report)}
</section>
<div class="off-paper">
<section aria-labelledby="curves"><h2 id="curves">Curves over the slices</h2>
${curves(report)}
${perSliceTable(report, shown)}
</section>
<section class="measures" aria-labelledby="numbers"><h2 id="numbers">Numbers</h2>
${measuresTable(report)}
${targetMeasuresTables(report)}
${comparisonTable(report)}
</section>
<section aria-labelledby="provenance"><h2 id="provenance">Where this comes from</h2>
${provenance(report)}
</section>
${methodsSection([report])}
</div>
</main>`,
    { caution: CAUTION, style: PAPER_STYLE },
  );
}

/** @param of tells the curves of one report on a page from those of another */
export const curves = (report: SegmentedReport, of = ''): SafeHtml => html`<div class="curves">
${curveFigures(report, of).map(
  ({
    title,
    summary,
    svg,
  }) => html`<figure><h3>${title}</h3><div role="img" aria-label="${summary}">${svg}</div></figure>
`,
)}
</div>`;

/** `report.html` of a case that failed: what is wrong with it and what to do. */
export function renderFailureReport(report: FailedReport): string {
  const { fault } = report;
  return page(
    `Failed: ${report.caseId}`,
    html`<header>
<h1>Not segmented: <bdi>${report.caseId}</bdi></h1>
<p>The case stopped at the stage <b>${report.stage}</b>. No mask was written.</p>
</header>
<main>
<section aria-labelledby="reason"><h2 id="reason">Reason</h2>
<dl>
<div><dt>Input</dt><dd><bdi>${report.inputName}</bdi></dd></div>
<div><dt>At fault</dt><dd><bdi>${fault.subject}</bdi></dd></div>
<div><dt>Expected</dt><dd>${fault.expected}</dd></div>
<div><dt>Found</dt><dd>${fault.found}</dd></div>
<div><dt>Code</dt><dd><code>${fault.code}</code></dd></div>
</dl></section>
<section aria-labelledby="remedy"><h2 id="remedy">What to do</h2>
<p class="finding info">${fault.remedy}</p></section>
${allProblems(report)}
<section aria-labelledby="provenance"><h2 id="provenance">Where this comes from</h2>
${failureProvenance(report)}
</section>
</main>`,
    { caution: CAUTION },
  );
}

/** Of a refused input, where there is more to say than the reason. */
function allProblems({ problems = [] }: FailedReport): Insert {
  if (problems.length < 2) return null;
  return html`<section aria-labelledby="problems"><h2 id="problems">All that was found</h2>
<ul class="findings">${problems.map(
    ({ code, severity, message, remedy }) =>
      html`<li class="finding ${severity === 'error' ? 'review' : 'info'}"><span class="chip ${severity === 'error' ? 'review' : 'info'}">${severity}: ${code}</span>
${message}. ${remedy}</li>
`,
  )}</ul></section>`;
}

/** What a reader wants first: volume, agreement, and how many flags ask for a look. */
export function headline(report: SegmentedReport): SafeHtml {
  const review = codesToReview(report.flags).length;
  const shownMetrics = ['dice', 'hd95Mm'] as const;
  const metrics = shownMetrics.flatMap((name) => {
    const metric = comparedMetric(report, name);
    return metric ? [{ title: METRIC_TITLES[name], text: formatMetric(metric) }] : [];
  });
  return html`<ul class="facts">
<li>${volumeFact(report)}</li>
${metrics.map(({ title, text }) => html`<li><b>${text}</b>${title} against the label</li>`)}
<li><b>${review === 0 ? 'none' : review}</b>${review === 1 ? 'flag' : 'flags'} to review</li>
</ul>`;
}

function volumeFact(report: SegmentedReport): SafeHtml {
  const volumeMl = organVolumeMl(report);
  if (volumeMl !== null)
    return html`<b>${numberText(volumeMl, 0)} ml</b>${targetOf(report.bundle)} volume${report.maskEdited && html` <span class="chip info">corrected by hand</span>`}${volumeRange(report)}`;
  return html`<b>no abdomen</b>${targetOf(report.bundle)} volume <span class="chip review">${volumeDoubt(report.flags)}</span>
<span class="note">the mask has ${numberText(report.volumeMl, 0)} ml</span>`;
}

/** What keeps the number from being taken as it stands: a flag, and what the bundle's validation allows. */
function volumeRange({ volumeMl, flags, bundle: { volumeLimits } }: SegmentedReport): Insert {
  const doubt = volumeDoubt(flags);
  const label = (percent: number): string => numberText(volumeMl / (1 + percent / 100), 0);
  return [
    doubt && html` <span class="chip review">${doubt}</span>`,
    volumeLimits &&
      html` <span class="note">validation: 95 % of labels between ${label(volumeLimits.upperPercent)} and ${label(volumeLimits.lowerPercent)} ml
(${volumeLimits.scans} scans of <bdi>${volumeLimits.dataset}</bdi>)</span>`,
  ];
}

const flagSection = (report: SegmentedReport, shown: ReadonlySet<number>): SafeHtml =>
  html`<section aria-labelledby="flags"><h2 id="flags">Flags</h2>
${flagList(report, shown)}</section>`;

/** @param shown slices whose pictures are on the page: they are linked */
export const flagList = ({ flags }: SegmentedReport, shown: ReadonlySet<number>): SafeHtml =>
  flags.length === 0
    ? html`<p class="finding">No automatic check raised a flag. The checks are hints, not a clearance.</p>`
    : html`<ul class="findings">${flags.map(
        ({
          code,
          severity,
          message,
          slices,
        }) => html`<li class="finding ${severity}"><span class="chip ${severity}">${SEVERITY[severity]}: ${code}</span>
${message}${slices.length > 0 && html` ${slices.length === 1 ? 'Slice' : 'Slices'} ${sliceRanges(slices, shown)}.`}</li>
`,
      )}</ul>`;
