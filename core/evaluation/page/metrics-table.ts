import type { Evaluation, MetricSummary } from '../../contract/evaluation.ts';
import {
  digitsOf,
  estimateText,
  NONE,
  numberInsert,
  numberText,
  percentText,
} from '../../page/format.ts';
import { html, type Insert, type SafeHtml } from '../../page/html.ts';
import { dataTable } from '../../page/table.ts';
import { METRIC_TITLES } from '../../page/words.ts';
import { confidenceText, organOf } from './words.ts';

const COLUMNS = [
  'Metric',
  'Unit',
  'Mean [interval]',
  'Cases',
  'Left out',
  'Mean with worst [interval]',
  'Worst',
  'Median [quartiles]',
  'Range',
];

/** Every metric of the protocol `volume` over the labelled cases. */
export function metricsSection(evaluation: Evaluation): SafeHtml {
  const confidence = confidenceText(evaluation);
  return html`<section aria-labelledby="metrics"><h2 id="metrics">Metrics, protocol “volume”</h2>
<p>All slices at the scan’s own resolution, distances in millimetres. Brackets after a mean hold its
${confidence} interval over patients. “Left out” counts the cases that have no finite value; the mean
with worst puts the worst value in their place, so that a missed organ never improves a number. Select
a metric’s name for its definition.</p>
${dataTable('Metrics over cases, protocol “volume”', COLUMNS, evaluation.metrics.map(metricRow))}
</section>`;
}

function metricRow(metric: MetricSummary): Insert[] {
  const { name, unit, definition, mean, count, leftOut, meanWithWorst, worst } = metric;
  const digits = digitsOf(unit);
  return [
    html`<details class="definition"><summary>${METRIC_TITLES[name]}</summary><p>${definition}</p></details>`,
    unit,
    estimateText(mean, digits),
    count,
    leftOut,
    worst === null ? 'no worst value' : estimateText(meanWithWorst, digits),
    worst === null ? NONE : numberText(worst, 0),
    quartilesInsert(metric, digits),
    html`${numberInsert(metric.min, digits)} to ${numberInsert(metric.max, digits)}`,
  ];
}

const quartilesInsert = ({ quartiles }: MetricSummary, digits: number): Insert =>
  quartiles
    ? html`${numberInsert(quartiles[1], digits)} [${numberInsert(quartiles[0], digits)}, ${numberInsert(quartiles[2], digits)}]`
    : NONE;

/** Slices found and left alone: what the gate and the prompts lose as whole slices. */
export function slicesTable(evaluation: Evaluation): SafeHtml {
  const { liverSliceRecall, liverFreeSliceSpecificity } = evaluation;
  const organ = organOf(evaluation);
  return dataTable(
    'Slices reached by the mask, means over patients',
    ['Measure', 'Mean [interval]'],
    [
      [`Slices with ${organ} in which the mask has any voxel`, estimateText(liverSliceRecall, 3)],
      [
        `Slices without ${organ} that the mask leaves alone`,
        estimateText(liverFreeSliceSpecificity, 3),
      ],
    ],
  );
}

/** The protocol `paper`, never in one table with the other. */
export function paperSection(evaluation: Evaluation): Insert {
  const { paper, cases } = evaluation;
  if (!paper) return null;
  const measured = cases.filter((one) => one.paper !== null);
  return html`<section aria-labelledby="paper"><h2 id="paper">Protocol “paper”</h2>
<p>Means over ${paper.slices} slices: the middle slices of each scan only, at the model’s resolution,
Hausdorff distance in pixels, as the method’s authors measured. These numbers must not be set beside
those of the protocol “volume”. ${paper.leftOut} of the labelled cases have no such value.</p>
${dataTable(
  'Protocol “paper”, means over slices',
  ['Metric', 'Unit', 'Mean [interval]'],
  [
    ['Dice', '', estimateText(paper.dice, 3)],
    ['Hausdorff distance', 'px', estimateText(paper.hausdorffPx, 2)],
  ],
)}
<details><summary>Protocol “paper” by case</summary>
${dataTable(
  'Protocol “paper” by case',
  ['Case', 'Slices', 'Dice', 'Hausdorff distance, px'],
  measured.map(({ caseId, paper: one }) => [
    html`<bdi>${caseId}</bdi>`,
    one!.slices,
    numberText(one!.dice, 3),
    numberInsert(one!.hausdorffPx, 2),
  ]),
)}</details></section>`;
}

/** How well the gate tells slices apart, at its threshold. */
export function classifierTable(evaluation: Evaluation): Insert {
  const { classification } = evaluation;
  if (!classification) return null;
  const { auc, accuracy, sensitivity, specificity, threshold } = classification;
  return dataTable(
    `Classifier at its threshold ${numberText(threshold, 3)}, slices as items, patients resampled`,
    ['Measure', 'Value [interval]'],
    [
      ['Area under the ROC curve', estimateText(auc, 3)],
      ['Accuracy', estimateText(accuracy, 3)],
      ['Sensitivity', estimateText(sensitivity, 3)],
      ['Specificity', estimateText(specificity, 3)],
      ['Expected calibration error', numberText(classification.expectedCalibrationError, 3)],
      [
        `Slices with ${organOf(evaluation)}`,
        percentText(classification.positives / Math.max(1, classification.slices)),
      ],
    ],
  );
}
