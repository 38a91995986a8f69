import type { SegmentedReport } from '../contract/report.ts';
import type { ExtendedNumber, PanelMetric } from '../metrics/panel.ts';
import { html, type Insert, type SafeHtml } from '../page/html.ts';
import { maskAreasMm2 } from './curves.ts';
import { figureId } from './figures.ts';

/** What readers call the metrics; the definition stands beside each. */
export const METRIC_TITLES: Readonly<Record<PanelMetric['name'], string>> = {
  dice: 'Dice',
  iou: 'IoU (Jaccard)',
  volumeErrorMl: 'Volume error',
  volumeErrorPercent: 'Relative volume error',
  hdMm: 'Hausdorff distance',
  hd95Mm: 'HD95',
  assdMm: 'ASSD',
  labelToPredictionMm: 'Distance, label to mask',
  predictionToLabelMm: 'Distance, mask to label',
  nsd1Mm: 'Surface Dice (NSD) at 1 mm',
  nsd2Mm: 'Surface Dice (NSD) at 2 mm',
  nsd3Mm: 'Surface Dice (NSD) at 3 mm',
  monaiHdMm: 'Hausdorff distance (MONAI)',
  monaiHd95Mm: 'HD95 (MONAI)',
};

const STATUS_TEXT = {
  'both-empty': 'Mask and label are both empty: a true negative.',
  missed: 'The label holds liver, the mask does not: missed. It counts with the worst values.',
  spurious: 'The mask holds liver, the label does not: spurious. It counts with the worst values.',
  compared: '',
} as const;

/** Digits by unit: Dice to four places, millimetres to two, volumes to one. */
const DIGITS = { '': 4, mm: 2, ml: 1, '%': 1 } as const;

export function formatMetric({ value, unit }: Pick<PanelMetric, 'value' | 'unit'>): string {
  const number = formatExtended(value, DIGITS[unit]);
  return unit === '' ? number : `${number} ${unit}`;
}

const formatExtended = (value: ExtendedNumber, digits: number): string =>
  typeof value === 'number' ? signed(value, digits) : value === 'inf' ? '∞' : '−∞';

/** With a true minus sign, and without the one of a negative zero. */
export function signed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}

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
      'Liver volume',
      `${report.volumeMl.toFixed(1)} ml`,
      'voxels of mask.nii.gz times the voxel volume of the header’s spacing; vessels and lesions within the liver count',
    ],
    [
      'Change by clean-up',
      `${removed > 0 ? '+' : ''}${signed(removed, 1)} ml`,
      cleanUpText(report),
    ],
    ['Pieces before clean-up', report.components, '26-connected components of the drawn mask'],
    [
      'Slices with liver',
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
  const { panel, labelName } = comparison;
  return html`<p>Reference: <bdi>${labelName}</bdi>, ${panel.labelVolumeMl.toFixed(1)} ml.
All slices, the input’s own grid. ${STATUS_TEXT[panel.status]}</p>
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
