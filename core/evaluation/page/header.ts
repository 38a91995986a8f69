import type { EstimateInterval, Evaluation, MetricSummary } from '../../contract/evaluation.ts';
import type { MetricName } from '../../contract/panel.ts';
import {
  counted,
  differenceText,
  digestText,
  digitsOf,
  numberText,
  pText,
  timeInsert,
  unitText,
} from '../../page/format.ts';
import { html, type Insert, type SafeHtml } from '../../page/html.ts';
import { STATUS } from '../../page/words.ts';
import type { CaseLink } from './cases.ts';
import { confidenceText, countsText, DRIFT_TITLES, directionOf } from './words.ts';

/** Links in the verdicts; the table has the rest. */
const MOST_LINKS = 12;

/** Dataset, model, counts and headline numbers, and what needs a look before the numbers do. */
export function header(evaluation: Evaluation): SafeHtml {
  const { bundle, dataset, createdAt } = evaluation;
  return html`<header>
<h1>Evaluation of <bdi>${dataset}</bdi></h1>
<p class="note">${
    bundle
      ? html`Model <bdi>${bundle.name}</bdi>, digest <code title="${bundle.digest}">${digestText(bundle.digest)}</code>`
      : 'Masks made elsewhere'
  } · ${timeInsert(createdAt)}</p>
<p class="counts">${countsText(evaluation)}.</p>
${purgedNote(evaluation)}
<p><strong>Research use only; not a medical device.</strong></p>
${headline(evaluation)}
</header>`;
}

const purgedNote = ({ purgedCases }: Evaluation): Insert =>
  purgedCases === undefined
    ? null
    : html`<p class="note">${counted(purgedCases, 'case')} that ${purgedCases === 1 ? 'was' : 'were'} measured here ${purgedCases === 1 ? 'has' : 'have'} been purged since; all numbers are without ${purgedCases === 1 ? 'it' : 'them'}.</p>`;

function headline(evaluation: Evaluation): SafeHtml {
  const metric = (name: MetricName) => evaluation.metrics.find((one) => one.name === name);
  const [dice, hd95, nsd] = [metric('dice'), metric('hd95Mm'), metric('nsd2Mm')];
  const interval = `${confidenceText(evaluation)} interval`;
  return html`<ul class="facts">
${dice && fact(dice.mean, 'Mean Dice of measured cases', `${interval} ${rangeText(dice.mean)}, ${counted(dice.count, 'case')}`)}
${
  dice &&
  fact(
    dice.meanWithWorst,
    'Mean Dice, failures as 0',
    `${interval} ${rangeText(dice.meanWithWorst)}, ${counted(dice.count + dice.leftOut, 'case')}`,
  )
}
${hd95 && html`<li><b>${medianText(hd95)}</b><span>Median HD95</span> <small>${quartilesText(hd95)}</small></li>`}
${nsd && fact(nsd.mean, 'Mean surface Dice at 2 mm', `${interval} ${rangeText(nsd.mean)}`)}
</ul>`;
}

const fact = (value: EstimateInterval, name: string, detail: string): SafeHtml =>
  html`<li><b>${numberText(value.estimate, 3)}</b><span>${name}</span> <small>${
    value.estimate === null ? 'no measured case' : detail
  }</small></li>`;

const rangeText = ({ lower, upper }: EstimateInterval): string =>
  `${numberText(lower, 3)} to ${numberText(upper, 3)}`;

const medianText = ({ quartiles, unit }: MetricSummary): string =>
  unitText(numberText(quartiles?.[1], 1), unit);

function quartilesText({ quartiles, unit }: MetricSummary): string {
  if (!quartiles) return 'no measured case';
  return `quartiles ${numberText(quartiles[0], digitsOf(unit))} to ${unitText(numberText(quartiles[2], digitsOf(unit)), unit)}`;
}

/** The findings that a reader should know before the tables. */
export function verdicts(evaluation: Evaluation, link: CaseLink): SafeHtml {
  return html`<section aria-labelledby="verdicts"><h2 id="verdicts">At a glance</h2>
<ul class="findings">
${failures(evaluation, link)}
${comparisonVerdict(evaluation)}
${driftVerdict(evaluation)}
</ul></section>`;
}

const finding = (kind: 'review' | 'info', chip: string, text: Insert): SafeHtml =>
  html`<li class="finding ${kind}"><span class="chip ${kind}">${chip}</span> ${text}</li>
`;

function failures(evaluation: Evaluation, link: CaseLink): SafeHtml {
  if (evaluation.cases.length === 0) {
    return finding(
      'review',
      'review: no cases',
      'The dataset holds no case: there is nothing to measure.',
    );
  }
  const bad = evaluation.cases.filter(({ status }) => STATUS[status].bad);
  if (bad.length === 0) {
    return finding('info', 'note: no failures', 'No case failed, was missed or was spurious.');
  }
  return finding(
    'review',
    'review: failures',
    html`${counted(bad.length, 'case')} failed, missed, spurious or not compared: ${bad
      .slice(0, MOST_LINKS)
      .map(
        (one, at) => html`${at > 0 && ', '}${link(one)} (${STATUS[one.status].name})`,
      )}${bad.length > MOST_LINKS && html` and ${bad.length - MOST_LINKS} more in <a href="#cases">the table</a>`}.`,
  );
}

function comparisonVerdict(evaluation: Evaluation): SafeHtml {
  const { comparison } = evaluation;
  if (!comparison) {
    return finding(
      'info',
      'note: no comparison',
      'There is no earlier evaluation to compare with.',
    );
  }
  const { diceDifference, patients, previous, wilcoxon, moved } = comparison;
  const direction = directionOf(diceDifference);
  const says = {
    higher: 'Dice is higher than before',
    lower: 'Dice is lower than before',
    undecided: 'Dice shows no clear difference to before',
  }[direction];
  return finding(
    direction === 'lower' ? 'review' : 'info',
    `${direction === 'lower' ? 'review' : 'note'}: comparison`,
    html`${says}: mean difference ${differenceText(diceDifference, 3)} over ${counted(patients, 'patient')}${
      wilcoxon && ` (Wilcoxon ${pText(wilcoxon.pValue)})`
    }, against the evaluation of ${timeInsert(previous.createdAt)}. <a href="#comparison">${counted(
      moved.length,
      'case',
    )} moved</a>.`,
  );
}

function driftVerdict({ drift, comparison }: Evaluation): Insert {
  if (!comparison && drift.length === 0) return null;
  const drifted = drift.filter((signal) => signal.drifted);
  if (drifted.length === 0) {
    return finding(
      'info',
      'note: inputs',
      `The inputs look like those of the earlier evaluation in ${counted(drift.length, 'check')}.`,
    );
  }
  return finding(
    'review',
    'review: input drift',
    html`The inputs differ from those of the earlier evaluation: ${drifted
      .map(({ of, pValue }) => `${DRIFT_TITLES[of]} (${pText(pValue)})`)
      .join(', ')}. <a href="#drift">All checks</a>.`,
  );
}
