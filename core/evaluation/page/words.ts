import { targetOf } from '../../contract/bundle.ts';
import type { EvaluatedStatus } from '../../contract/evaluated-case.ts';
import type {
  DriftSignal,
  EstimateInterval,
  Evaluation,
  Stratum,
} from '../../contract/evaluation.ts';
import { counted, numberText, signed } from '../../page/format.ts';
import { html, type SafeHtml } from '../../page/html.ts';
import { definitionList, type Entry } from '../../page/table.ts';
import { METRIC_TITLES, STATUS, STATUSES } from '../../page/words.ts';

/** What label and mask are of. */
export const organOf = (evaluation: Evaluation): string =>
  targetOf(evaluation.bundle ?? evaluation);

/** Statuses that the evaluation has, in the order of the table above. */
export const statusesOf = ({ counts }: Evaluation): EvaluatedStatus[] =>
  STATUSES.filter((status) => counts[status] > 0);

/** `12 cases of 11 patients: 10 compared, 1 missed, 1 failed`. */
export function countsText(evaluation: Evaluation): string {
  const { counts, cases, patients } = evaluation;
  const parts = statusesOf(evaluation).map(
    (status) => `${counts[status]} ${STATUS[status].counted}`,
  );
  const all = `${counted(cases.length, 'case')} of ${counted(patients, 'patient')}`;
  return parts.length === 0 ? all : `${all}: ${parts.join(', ')}`;
}

const STRATUM_KIND: Readonly<Record<Stratum['by'], string>> = {
  'slice-spacing': 'Slice spacing',
  orientation: 'Orientation',
  description: 'Description',
};

export const stratumKind = (by: Stratum['by']): string => STRATUM_KIND[by];

export const stratumValue = (value: string): string =>
  value.replace(/^<= /, '≤ ').replace(/^(\d+(?:\.\d+)?)-(?=\d)/, '$1–');

/** As plots have room for. */
export function stratumShort({ by, value }: Pick<Stratum, 'by' | 'value'>): string {
  if (by === 'slice-spacing') return `Slices ${stratumValue(value)}`;
  if (by === 'orientation') return `Axes ${value}`;
  if (value === 'unknown') return 'Description unknown';
  if (value === 'none') return 'No description';
  return value === 'other' ? 'Other descriptions' : value;
}

export const DRIFT_TITLES: Readonly<Record<DriftSignal['of'], string>> = {
  'hu-p01': 'HU, 1st percentile',
  'hu-p50': 'HU, median',
  'hu-p99': 'HU, 99th percentile',
  'slice-spacing': 'Slice spacing',
  'pixel-spacing': 'Pixel spacing',
  'classifier-score': 'Classifier score',
};

/** What an interval of differences says; `undecided` where it holds 0 or there is none. */
export function directionOf({ lower, upper }: EstimateInterval): 'higher' | 'lower' | 'undecided' {
  if (lower !== null && lower > 0) return 'higher';
  return upper !== null && upper < 0 ? 'lower' : 'undecided';
}

export const confidenceText = ({ bootstrap }: Evaluation): string =>
  `${Number((100 * bootstrap.confidence).toFixed(2))} %`;

/** What the numbers mean and how they were made. */
export function methodsSection(evaluation: Evaluation): SafeHtml {
  const { draws, confidence, seed } = evaluation.bootstrap;
  const tail = Number((50 * (1 - confidence)).toFixed(3));
  return html`<section aria-labelledby="methods"><h2 id="methods">Definitions and methods</h2>
<h3>Metrics</h3>
<p>Tools print different numbers under one name; these definitions are the ones used here. P is the
predicted mask, L the label.</p>
${definitionList(evaluation.metrics.map(({ name, definition }) => [METRIC_TITLES[name], definition]))}
<h3>Status of a case</h3>
${definitionList(statusesOf(evaluation).map((status) => [STATUS[status].name, STATUS[status].meaning]))}
<h3>Statistics</h3>
${definitionList([
  [
    'Intervals',
    `percentile bootstrap over patients: ${draws} draws with replacement, percentiles ${tail} and ${100 - tail}, seed ${seed}. All scans and slices of a drawn patient come together; slices are never drawn one by one.`,
  ],
  ['Means', 'mean over patients, each patient the mean of its cases'],
  [
    'Failures',
    'missed, spurious and failed cases stay in the counts; a mean that leaves them out stands beside one that puts the worst value in their place. Cases whose label could not be used are counted apart and are in no mean',
  ],
  [
    'Volumes',
    'Bland-Altman, mask minus label, over cases in which neither is empty; limits of agreement are the mean difference ± 1.96 standard deviations',
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
${definitionList([
  ['Dataset', html`<bdi>${evaluation.dataset}</bdi>`],
  ['Target', html`<bdi>${organOf(evaluation)}</bdi>`],
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
        `${signed(bundle.windowHu[1], 0)} HU, gate at ${numberText(bundle.classifierThreshold, 3)}`,
    ],
    ['Licences', bundle.licences.join('; ') || 'none stated'],
  ];
}
