import type { HuStatistics, TargetMeasures } from '../contract/measures.ts';
import type { SegmentedReport } from '../contract/report.ts';
import { capital } from '../page/format.ts';
import { html, type Insert, type SafeHtml } from '../page/html.ts';

/** One table for each measured organ; nothing for reports of before they were measured. */
export const targetMeasuresTables = ({ measures, measuresFault }: SegmentedReport): Insert => [
  measuresFault
    ? html`<p class="note">The image inside the mask was not measured: expected ${measuresFault.expected}, found ${measuresFault.found}. ${measuresFault.remedy}</p>`
    : null,
  measures?.map(targetTable) ?? null,
];

function targetTable(measures: TargetMeasures): SafeHtml {
  const { inside, eroded } = measures;
  return html`<div class="scroll"><table>
<caption>${capital(measures.target)} in the image</caption>
<thead><tr><td></td><th scope="col">Whole mask</th><th scope="col">Without its outermost voxels</th></tr></thead>
${ROWS.map(
  ([name, of]) =>
    html`<tr><th scope="row">${name}</th><td class="value">${cell(inside, of)}</td><td class="value">${cell(eroded, of)}</td></tr>
`,
)}
<tr><th scope="row">Surface area</th><td class="value">${(measures.surfaceAreaMm2 / 100).toFixed(1)} cm²</td><td></td></tr>
<tr><th scope="row">Longest axial diameter</th><td class="value">${
    measures.longestAxialDiameterMm === null
      ? '–'
      : `${measures.longestAxialDiameterMm.toFixed(1)} mm`
  }</td><td></td></tr>
</table></div>
${cutNote(measures)}`;
}

const hounsfield = (value: number): string => `${value.toFixed(1).replace('-', '−')} HU`;

type Row = readonly [name: string, of: (statistics: HuStatistics) => string];

const ROWS: readonly Row[] = [
  ['Mean', ({ meanHu }) => hounsfield(meanHu)],
  ['Standard deviation', ({ sdHu }) => hounsfield(sdHu)],
  ['Median', ({ medianHu }) => hounsfield(medianHu)],
  ['Percentiles 10 and 90', ({ p10Hu, p90Hu }) => `${hounsfield(p10Hu)}, ${hounsfield(p90Hu)}`],
  ['Below 40 HU', ({ below40HuShare }) => `${(below40HuShare * 100).toFixed(1)} %`],
  ['Voxels', ({ voxels }) => String(voxels)],
];

const cell = (statistics: HuStatistics | null, of: Row[1]): string =>
  statistics === null ? '–' : of(statistics);

function cutNote({ target, cutByFieldOfView: { ends, sides } }: TargetMeasures): Insert {
  if (!ends && !sides) return null;
  return html`<p class="note">The mask reaches the border of the image: volume, area and diameter are those of
the part of the ${target} that was scanned.</p>`;
}
