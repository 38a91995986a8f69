import type { SliceRecord } from '../contract/manifest.ts';
import type { SegmentedReport } from '../contract/report.ts';
import { svgPath } from '../draw/contour.ts';
import { LAYERS, type Layer } from '../draw/layers.ts';
import { layerContours } from '../draw/overlay.ts';
import type { SlicePicture } from '../draw/picture.ts';
import { encodePng } from '../draw/png.ts';
import { numberText } from '../page/format.ts';
import { html, type Insert, SafeHtml } from '../page/html.ts';
import { swatch } from '../page/page.ts';
import { maskAreasMm2 } from './curves.ts';
import { paperSlices } from './paper.ts';

export const figureId = (index: number): string => `slice-${index}`;

/** The montage: one figure per picture, the layers of all of them switched by the checkboxes. */
export function montage(report: SegmentedReport, pictures: readonly SlicePicture[]): SafeHtml {
  const printed = paperSlices(report, new Set(pictures.map(({ record }) => record.index)));
  const layers = LAYERS.filter(({ key }) => key !== 'label' || report.comparison !== null);
  return html`
<fieldset class="layers">
<legend>Layers</legend>
${layers.map(layerSwitch)}
</fieldset>
<p class="note">Slices run from inferior to superior and are counted from 0, whatever the order in the file. The left of an image is the patient’s right
(R). Grey values are the model’s, ${numberText(report.bundle.windowHu[0], 0)} to ${numberText(report.bundle.windowHu[1], 0)} HU. <span class="on-screen">Select an image to enlarge it.</span></p>
<div class="montage">
${pictures.map((picture) => sliceFigure(report, picture, printed))}
</div>`;
}

const layerSwitch = (layer: Layer): SafeHtml =>
  html`<label><input type="checkbox" id="show-${layer.key}"${(layer.key === 'mask' || layer.key === 'label') && new SafeHtml(' checked')}>
${swatch(layer)}
<span><b>${layer.name}</b> <span class="meaning">${layer.meaning}</span></span></label>
`;

function sliceFigure(
  report: SegmentedReport,
  picture: SlicePicture,
  printed: ReadonlySet<number>,
): SafeHtml {
  const { record } = picture;
  const flags = report.flags.filter(({ slices }) => slices.includes(record.index));
  const id = figureId(record.index);
  const classes = [
    flags.some(({ severity }) => severity === 'review') && 'flagged',
    !printed.has(record.index) && 'off-paper',
  ].filter(Boolean);
  return html`<figure id="${id}"${classes.length > 0 && html` class="${classes.join(' ')}"`}>
<div class="enlarge">${sliceSvg(picture)}<a href="#${id}" aria-label="Enlarge slice ${record.index}"></a></div>
<figcaption><b>Slice ${record.index}</b> ${factsOf(report, record)}
${flags.map(({ code, severity }) => html`<span class="chip ${severity}">${code}</span> `)}
<a class="shrink" href="#slices">smaller</a></figcaption>
</figure>
`;
}

function factsOf(report: SegmentedReport, record: SliceRecord): string {
  const areaMm2 = maskAreasMm2(report)[record.index]!;
  const dice = report.comparison?.panel.sliceDice[record.index];
  return [
    `p ${record.probability.toFixed(3)}`,
    areaMm2 > 0 && `${(areaMm2 / 100).toFixed(1)} cm²`,
    record.predictedIou !== null && `predicted IoU ${record.predictedIou.toFixed(2)}`,
    typeof dice === 'number' && `Dice ${dice.toFixed(3)}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** The grey slice with its contours; two units of the viewBox are one pixel. */
function sliceSvg(picture: SlicePicture): SafeHtml {
  const { sizePx, image, record } = picture;
  const side = sizePx * 2;
  const png = Buffer.from(encodePng(image, sizePx, sizePx, 'grey')).toString('base64');
  return html`<svg viewBox="0 0 ${side} ${side}" role="img" aria-label="${altText(picture)}">
<image width="${side}" height="${side}" href="data:image/png;base64,${new SafeHtml(png)}"/>
${LAYERS.map((layer) => layerPath(picture, layer))}
<g aria-hidden="true"><text x="10" y="${sizePx}">R</text><text x="${side - 10}" y="${sizePx}" text-anchor="end">L</text>
<text class="index" x="10" y="30">${record.index}</text></g></svg>`;
}

function layerPath(picture: SlicePicture, layer: Layer): Insert {
  const contours = layerContours(picture, layer.key);
  if (contours === undefined) return null;
  return html`<path class="layer ${layer.key}" d="${svgPath(contours)}"/>
`;
}

function altText({ record, cam, mask, label }: SlicePicture): string {
  const parts = [
    record.box &&
      `CAM box from ${record.box[0]}, ${record.box[1]} to ${record.box[2]}, ${record.box[3]}`,
    cam?.includes(1) && 'CAM outline',
    mask.includes(1) ? 'mask outline' : 'no mask',
    label?.includes(1) && 'label outline',
  ].filter(Boolean);
  return `Axial CT slice ${record.index}: ${parts.join(', ')}.`;
}
