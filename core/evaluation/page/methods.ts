import type { Evaluation } from '../../contract/evaluation.ts';
import { html, type Insert, type SafeHtml } from '../../report/html.ts';
import { METRIC_TITLES, signed } from '../../report/numbers.ts';
import { STATUS, statusesOf } from './words.ts';

type Entry = readonly [term: Insert, value: Insert];

const list = (entries: readonly Entry[]): SafeHtml => html`<dl>
${entries.map(
  ([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>
`,
)}</dl>`;

/** What the numbers mean and how they were made. */
export function methodsSection(evaluation: Evaluation): SafeHtml {
  const { draws, confidence, seed } = evaluation.bootstrap;
  const tail = Number((50 * (1 - confidence)).toFixed(3));
  return html`<section aria-labelledby="methods"><h2 id="methods">Definitions and methods</h2>
<h3>Metrics</h3>
<p>Tools print different numbers under one name; these definitions are the ones used here. P is the
predicted mask, L the label.</p>
${list(evaluation.metrics.map(({ name, definition }) => [METRIC_TITLES[name], definition]))}
<h3>Status of a case</h3>
${list(statusesOf(evaluation).map((status) => [STATUS[status].name, STATUS[status].meaning]))}
<h3>Statistics</h3>
${list([
  [
    'Intervals',
    `percentile bootstrap over patients: ${draws} draws with replacement, percentiles ${tail} and ${100 - tail}, seed ${seed}. All scans and slices of a drawn patient come together; slices are never drawn one by one.`,
  ],
  ['Means', 'mean over patients, each patient the mean of its cases'],
  [
    'Failures',
    'missed, spurious and failed cases and unusable labels stay in the counts; a mean that leaves them out stands beside one that puts the worst value in their place',
  ],
  [
    'Volumes',
    'Bland-Altman, mask minus label, over cases in which both hold liver; limits of agreement are the mean difference ± 1.96 standard deviations',
  ],
  [
    'Comparison',
    'cases with the same id and the same label in both evaluations, failures with Dice 0, differences by patient; Wilcoxon signed-rank test, two-sided',
  ],
  [
    'Classifier',
    'slices as items, patients resampled; expected calibration error over ten equal bins of the score, weighted by slices',
  ],
])}</section>`;
}

/** Which data, model and software the numbers come from. */
export function provenanceSection(evaluation: Evaluation): SafeHtml {
  const { bundle } = evaluation;
  return html`<section aria-labelledby="provenance"><h2 id="provenance">Where this comes from</h2>
${list([
  ['Dataset', html`<bdi>${evaluation.dataset}</bdi>`],
  ['Evaluation', html`<code>${evaluation.evaluationId}</code>`],
  ['Written', html`<time datetime="${evaluation.createdAt}">${evaluation.createdAt}</time>`],
  ['Software', `sammix ${evaluation.sammixVersion}`],
  ...bundleEntries(bundle),
])}</section>`;
}

function bundleEntries(bundle: Evaluation['bundle']): Entry[] {
  if (!bundle) return [['Model bundle', 'none: the masks were made elsewhere']];
  return [
    ['Model bundle', html`<bdi>${bundle.name}</bdi>`],
    ['Bundle digest', html`<code>${bundle.digest}</code>`],
    [
      'Model input',
      `${bundle.sliceSizePx} × ${bundle.sliceSizePx} px, window ${signed(bundle.windowHu[0], 0)} to ` +
        `${signed(bundle.windowHu[1], 0)} HU, gate at ${bundle.classifierThreshold}`,
    ],
    ['Licences', bundle.licences.join('; ') || 'none stated'],
  ];
}
