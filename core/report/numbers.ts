import { targetOf } from '../contract/bundle.ts';
import type { MetricName, PanelMetric } from '../contract/panel.ts';
import { isNoAbdomen, type SegmentedReport } from '../contract/report.ts';
import { capital, changeText, digitsOf, numberText, unitText } from '../page/format.ts';
import { html, type Insert, type SafeHtml } from '../page/html.ts';
import { METRIC_TITLES, STATUS } from '../page/words.ts';
import { maskAreasMm2 } from './curves.ts';
import { figureId } from './figures.ts';

/** A metric's value with its unit, as pages show it. */
export const formatMetric = ({ value, unit }: Pick<PanelMetric, 'value' | 'unit'>): string =>
  unitText(numberText(value, digitsOf(unit)), unit);

/** Of the comparison with a label; undefined where there is none. */
export const comparedMetric = (
  { comparison }: SegmentedReport,
  name: MetricName,
): PanelMetric | undefined => comparison?.panel.metrics.find((metric) => metric.name === name);

type Row = readonly [name: string, value: Insert, note?: Insert];

function rowsTable(caption: string, rows: readonly Row[]): SafeHtml {
  return html`<div class="scroll"><table>
<caption>${caption}</caption>
${rows.map(
  ([
    name,
    value,
    note,
  ]) => html`<tr><th scope="row">${name}</th><td class="value">${value}</td><td>${note}</td></tr>
`,
)}
</table></div>`;
}

export function measuresTable(report: SegmentedReport): SafeHtml {
  const removed = report.volumeMl - report.rawVolumeMl;
  return rowsTable('Result', [
    [
      isNoAbdomen(report.flags)
        ? `Volume of the mask, which is no ${targetOf(report.bundle)}`
        : `${capital(targetOf(report.bundle))} volume`,
      `${report.volumeMl.toFixed(1)} ml`,
      'voxels of mask.nii.gz times the voxel volume of the header’s spacing; vessels and lesions within the organ count',
    ],
    ['Change by clean-up', `${changeText(removed, 1)} ml`, cleanUpText(report)],
    ...(report.parameters.maskProbability === undefined
      ? []
      : [
          [
            'Drawn above',
            `p ${report.parameters.maskProbability}`,
            'the threshold of this run',
          ] as const,
        ]),
    ['Pieces before clean-up', report.components, '26-connected components of the drawn mask'],
    [
      `Slices with ${targetOf(report.bundle)}`,
      `${maskAreasMm2(report).filter((mm2) => mm2 > 0).length} of ${report.slices.length}`,
      'of mask.nii.gz',
    ],
  ]);
}

function cleanUpText({ parameters }: SegmentedReport): string {
  const steps = [
    parameters.largestComponent3d && 'largest component kept',
    parameters.fillHoles && 'enclosed holes filled',
  ].filter(Boolean);
  return steps.length > 0 ? steps.join(', ') : 'switched off';
}

export function comparisonTable(report: SegmentedReport): Insert {
  const { comparison, comparisonFault: fault } = report;
  if (fault) {
    return html`<div class="finding review"><b>The label could not be compared with.</b>
<bdi>${fault.subject}</bdi>: expected ${fault.expected}, found ${fault.found}. ${fault.remedy}</div>`;
  }
  if (!comparison) return null;
  const { panel, labelName, labelMeaning, labelPlacement } = comparison;
  return html`<p>Reference: <bdi>${labelName}</bdi>, ${panel.labelVolumeMl.toFixed(1)} ml.${labelMeaning !== undefined && ` Counted as ${targetOf(report.bundle)}: ${labelMeaning}.`}${labelPlacement && ` The label is ${labelPlacement}.`}
All slices, the input’s own grid. ${panel.status !== 'compared' && `${capital(STATUS[panel.status].name)}: ${STATUS[panel.status].meaning}.`}</p>
${rowsTable(
  'Agreement of mask (P) and label (L)',
  panel.metrics.map((metric) => [
    METRIC_TITLES[metric.name],
    formatMetric(metric),
    metric.definition,
  ]),
)}`;
}

/** `[3, 4, 5, 9]` as `3–5, 9`, each linked where its picture is on the page. */
export function sliceRanges(slices: readonly number[], shown: ReadonlySet<number>): Insert {
  const runs: [number, number][] = [];
  for (const slice of slices) {
    const last = runs.at(-1);
    if (last && slice === last[1] + 1) last[1] = slice;
    else runs.push([slice, slice]);
  }
  const link = (index: number): Insert =>
    shown.has(index) ? html`<a href="#${figureId(index)}">${index}</a>` : index;
  return runs.map(([from, to], n) => [
    n > 0 && ', ',
    link(from),
    to > from && [to > from + 1 ? '–' : ', ', link(to)],
  ]);
}

export function perSliceTable(report: SegmentedReport, shown: ReadonlySet<number>): SafeHtml {
  const areasMm2 = maskAreasMm2(report);
  const dice = report.comparison?.panel.sliceDice;
  const number = (value: number | null | undefined, digits: number): string =>
    value === null || value === undefined ? '' : value.toFixed(digits);
  return html`<details><summary>All numbers per slice</summary>
<div class="scroll"><table class="numbers">
<thead><tr><th scope="col">Slice</th><th scope="col">Probability</th><th scope="col">CAM area px</th>
<th scope="col">Box x0 y0 x1 y1</th><th scope="col">Predicted IoU</th><th scope="col">CAM–mask IoU</th>
<th scope="col">Mask mm²</th>${dice && html`<th scope="col">Dice</th>`}</tr></thead>
<tbody>
${report.slices.map(
  (
    slice,
  ) => html`<tr><th scope="row">${sliceRanges([slice.index], shown)}</th><td>${number(slice.probability, 4)}</td><td>${slice.camAreaPx}${slice.camEmpty && ' (empty map)'}</td><td>${slice.box?.join(' ')}</td><td>${number(slice.predictedIou, 3)}</td><td>${number(slice.camMaskIou, 3)}</td><td>${number(areasMm2[slice.index], 0)}</td>${dice && html`<td>${number(dice[slice.index], 4)}</td>`}</tr>
`,
)}
</tbody></table></div></details>`;
}
