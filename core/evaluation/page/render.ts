import type { Evaluation, History } from '../../contract/evaluation.ts';
import type { EvaluationPicture } from '../../draw/picture.ts';
import { type Plot, plotFigure, plotGrid } from '../../page/chart.ts';
import { COHORT_STYLE } from '../../page/cohort-style.ts';
import { html, type Insert, type SafeHtml } from '../../page/html.ts';
import { page } from '../../page/page.ts';
import { SCRIPT } from '../../page/table-script.ts';
import { blandAltmanPlot } from './bland-altman.ts';
import { caseLinks, caseSection, type ReportHref, reportBesidePage } from './cases.ts';
import { comparisonSection, driftSection } from './comparison.ts';
import { distributionPlot } from './distribution.ts';
import { strataPlot } from './forest.ts';
import { gallerySection } from './gallery.ts';
import { header, verdicts } from './header.ts';
import { classifierTable, metricsSection, paperSection, slicesTable } from './metrics-table.ts';
import { calibrationPlot, rocPlot } from './roc.ts';
import { confidenceText, methodsSection, organOf, provenanceSection } from './words.ts';

export type { EvaluationPicture } from '../../draw/picture.ts';
/**
 * The cohort report. Import this module lazily: it pulls in the charting library, which takes longer
 * to load than a short command runs.
 */
export { galleryPicture, predictionPicture } from './gallery.ts';

const CAUTION =
  'The masks are drawn by a model. Do\nnot use them, or these numbers, for diagnosis or treatment.';

/**
 * `evaluation.html`: one file without font or image from outside; it links to the cases' own reports.
 * Pure: the same evaluation gives the same bytes.
 *
 * @param history all evaluations of the dataset, oldest first, this one among them
 * @param pictures of the worst cases, in the order in which a case's pictures are to be shown
 * @param hrefOf where the cases' reports lie, seen from the page
 */
export function renderEvaluation(
  evaluation: Evaluation,
  history: History,
  pictures: readonly EvaluationPicture[],
  hrefOf: ReportHref = reportBesidePage,
): string {
  const link = caseLinks(evaluation, hrefOf);
  const sections = [
    verdicts(evaluation, link),
    metricsSection(evaluation),
    distributionSection(evaluation),
    strataSection(evaluation),
    gallerySection(evaluation, pictures, link),
    slicesSection(evaluation),
    comparisonSection(evaluation, history),
    driftSection(evaluation),
    caseSection(evaluation, link),
    paperSection(evaluation),
    methodsSection(evaluation),
    provenanceSection(evaluation),
  ].filter((section) => section !== null) as SafeHtml[];
  return page(
    `Evaluation: ${evaluation.dataset}`,
    html`<a class="skip" href="#main">Skip to the content</a>
${header(evaluation)}
${contents(sections)}
<main id="main" tabindex="-1">
${sections}
</main>`,
    { caution: CAUTION, style: COHORT_STYLE, script: SCRIPT },
  );
}

/** The page's own headings, so that the list cannot name one that is not there. */
function contents(sections: readonly SafeHtml[]): SafeHtml {
  const headings = sections.flatMap(({ markup }) => {
    const found = /<h2 id="([a-z]+)">([^<]+)<\/h2>/.exec(markup);
    return found ? [{ id: found[1]!, title: found[2]! }] : [];
  });
  return html`<nav aria-label="Contents"><ul>${headings.map(
    ({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`,
  )}</ul></nav>`;
}

const present = (plots: readonly (Plot | null)[]): Plot[] => plots.filter((plot) => plot !== null);

function distributionSection(evaluation: Evaluation): Insert {
  const plots = present([
    distributionPlot(evaluation, 'dice'),
    distributionPlot(evaluation, 'hd95Mm'),
    distributionPlot(evaluation, 'nsd2Mm'),
  ]);
  if (plots.length === 0) return null;
  return html`<section aria-labelledby="distributions"><h2 id="distributions">Distributions</h2>
${plotGrid(plots)}</section>`;
}

function strataSection(evaluation: Evaluation): Insert {
  const plots = present([blandAltmanPlot(evaluation), strataPlot(evaluation)]);
  if (plots.length === 0) return null;
  return html`<section aria-labelledby="strata"><h2 id="strata">Volumes and kinds of scan</h2>
${plotGrid(plots)}</section>`;
}

function slicesSection(evaluation: Evaluation): SafeHtml {
  const { classification } = evaluation;
  const plots = classification
    ? present([
        rocPlot(classification, organOf(evaluation), confidenceText(evaluation)),
        calibrationPlot(classification, organOf(evaluation)),
      ])
    : [];
  return html`<section aria-labelledby="slices"><h2 id="slices">Slices and classifier</h2>
${evaluation.scoredCases !== undefined && html`<p>The classifier’s numbers are those of ${evaluation.scoredCases} cases, drawn by their names.</p>`}
<div class="plots"><div class="plot">${slicesTable(evaluation)}
${classifierTable(evaluation)}</div>
${plots.map(plotFigure)}</div></section>`;
}
