import type { Evaluation, EvaluationComparison, History } from '../../contract/evaluation.ts';
import { plotGrid } from '../../page/chart.ts';
import {
  counted,
  differenceText,
  digestText,
  numberText,
  pText,
  timeInsert,
} from '../../page/format.ts';
import { html, type Insert, type SafeHtml } from '../../page/html.ts';
import { dataTable } from '../../page/table.ts';
import { differencesPlot, movedPlot, trendPlot } from './moved.ts';
import { confidenceText, DRIFT_TITLES } from './words.ts';

/** Against the earlier evaluation, and the trend over all of them. */
export function comparisonSection(evaluation: Evaluation, history: History): Insert {
  const { comparison } = evaluation;
  const plots = [
    comparison && differencesPlot(comparison),
    comparison && movedPlot(comparison),
    trendPlot(evaluation, history),
  ].filter((plot) => plot !== null);
  if (!comparison && plots.length === 0) return null;
  return html`<section aria-labelledby="comparison"><h2 id="comparison">Comparison with the previous run</h2>
${comparison && pairedText(evaluation, comparison)}
${plots.length > 0 && plotGrid(plots)}
${comparison && unpaired(comparison)}
</section>`;
}

function pairedText(evaluation: Evaluation, comparison: EvaluationComparison): SafeHtml {
  const { previous, patients, diceDifference, wilcoxon, moved } = comparison;
  return html`<p>Against the evaluation of ${timeInsert(previous.createdAt)}${
    previous.bundleDigest !== null &&
    html`, bundle <code>${digestText(previous.bundleDigest)}</code>`
  }, over the ${counted(patients, 'patient')} that both have under the same label, failures as 0: mean
Dice difference ${differenceText(diceDifference, 3)} (${confidenceText(evaluation)} interval)${
    wilcoxon &&
    `; Wilcoxon signed-rank ${pText(wilcoxon.pValue)}, W = ${numberText(wilcoxon.statistic, 1)}, ${counted(wilcoxon.pairs, 'pair')} that differ`
  }.${moved.length === 0 && ' No case changed its status, nor its Dice enough to be listed.'}</p>`;
}

function unpaired(comparison: EvaluationComparison): Insert {
  const groups = [
    { title: 'Only in this evaluation', ids: comparison.onlyHere },
    { title: 'Only in the earlier evaluation', ids: comparison.onlyThere },
    { title: 'With another label than before', ids: comparison.relabelled },
  ].filter(({ ids }) => ids.length > 0);
  return groups.map(
    ({ title, ids }) => html`<details><summary>${title}: ${counted(ids.length, 'case')}</summary>
<ul class="ids">${ids.map((id) => html`<li><bdi>${id}</bdi></li>`)}</ul></details>
`,
  );
}

/** Whether the inputs still look like those of the earlier evaluation. */
export function driftSection({ drift }: Evaluation): Insert {
  if (drift.length === 0) return null;
  return html`<section aria-labelledby="drift"><h2 id="drift">Input drift</h2>
<p>Two-sample Kolmogorov-Smirnov tests over cases. The statistic is the largest gap between the two
distributions, from 0 (alike) to 1 (apart). Drift does not say that masks are worse; it says that the
scans, or what the classifier makes of them, are not those that the model was judged on.</p>
${dataTable(
  'Inputs now and before',
  ['Input', 'Statistic', 'p-value', 'Verdict'],
  drift.map(({ of, statistic, pValue, drifted }) => [
    DRIFT_TITLES[of],
    numberText(statistic, 3),
    pText(pValue).replace(/^p\u00a0(?:=\u00a0)?/, ''),
    verdict(drifted),
  ]),
)}</section>`;
}

const verdict = (drifted: boolean): SafeHtml =>
  drifted ? html`<span class="chip review">drifted</span>` : html`alike`;
