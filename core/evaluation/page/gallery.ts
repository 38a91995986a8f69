import { PNG } from 'pngjs';
import type { EvaluatedCase, Evaluation } from '../../contract/evaluation.ts';
import type { SegmentedReport } from '../../contract/report.ts';
import { hexOf, LAYERS, type Layer } from '../../draw/layers.ts';
import { chooseMontageSlices, MONTAGE_SLICES } from '../../draw/montage-choice.ts';
import { GAP_PX } from '../../draw/overlay.ts';
import type { EvaluationPicture } from '../../draw/picture.ts';
import { encodePng } from '../../draw/png.ts';
import { faultText } from '../../errors.ts';
import { metricOf, numberText, unitText } from '../../page/format.ts';
import { html, type Insert, SafeHtml } from '../../page/html.ts';
import type { CaseLink } from './cases.ts';
import { STATUS } from './words.ts';

/** The worst cases with their pictures, the worst first. */
export function gallerySection(
  evaluation: Evaluation,
  pictures: readonly EvaluationPicture[],
  link: CaseLink,
): Insert {
  const worst = evaluation.worst.flatMap((id) =>
    evaluation.cases.filter((one) => one.caseId === id),
  );
  if (worst.length === 0) return null;
  return html`<section aria-labelledby="worst"><h2 id="worst">Worst cases</h2>
<p>Failed, missed and spurious cases first, then by Dice. The left of an image is the patient’s right
(R).</p>
${pictures.length > 0 && legend()}
<ol class="gallery">
${worst.map((one) => caseCard(one, link, pictures))}
</ol></section>`;
}

const legend = (): SafeHtml => html`<ul class="legend" aria-label="Lines in the pictures">
${LAYERS.map(legendEntry)}
</ul>`;

function legendEntry(layer: Layer): SafeHtml {
  const dash = layer.dashPx.map((length) => length * 1.5).join(' ');
  return html`<li><svg class="swatch" viewBox="0 0 44 12" aria-hidden="true"><rect width="44" height="12" rx="2"/>
<path d="M2 6H42" stroke="${hexOf(layer)}" stroke-width="${layer.widthPx * 2}" stroke-dasharray="${dash}"/></svg>
<span><b>${layer.name}</b>, ${lineText(layer)}: <span class="meaning">${layer.meaning}</span></span></li>
`;
}

/** The line's look in words, for readers who cannot tell the colours apart. */
const LINE_TEXT: Readonly<Record<Layer['key'], string>> = {
  cam: 'dotted, tinted area',
  box: 'dashes and dots',
  mask: 'whole line',
  label: 'dashed',
};

const lineText = ({ key }: Layer): string => LINE_TEXT[key];

function caseCard(
  one: EvaluatedCase,
  link: CaseLink,
  pictures: readonly EvaluationPicture[],
): SafeHtml {
  const own = pictures.filter(({ caseId }) => caseId === one.caseId);
  return html`<li class="card">
<h3>${link(one)} ${
    STATUS[one.status].bad && html`<span class="chip review">${STATUS[one.status].name}</span>`
  }</h3>
<p class="values">${valuesOf(one)}</p>
${one.flags.length > 0 && html`<p class="values">${one.flags.map((flag) => html`<span class="chip info">${flag}</span> `)}</p>`}
${one.fault && html`<p><bdi>${faultText(one.fault)}</bdi></p>`}
${
  own.length > 0
    ? html`<div class="pictures">${own.map(pictureFigure)}</div>`
    : one.fault === null && html`<p class="note">No picture is stored for this case.</p>`
}
</li>
`;
}

function valuesOf(one: EvaluatedCase): string {
  if (one.metrics === null) return STATUS[one.status].meaning;
  const distance = numberText(metricOf(one, 'hd95Mm'), 1);
  return [
    `Dice ${numberText(metricOf(one, 'dice'), 3)}`,
    distance === '∞' ? 'HD95 infinite' : `HD95 ${unitText(distance, 'mm')}`,
    `NSD 2 mm ${numberText(metricOf(one, 'nsd2Mm'), 3)}`,
    `volume error ${unitText(numberText(metricOf(one, 'volumeErrorMl'), 0), 'ml')}`,
  ].join(' · ');
}

function pictureFigure({ slice, caption, alt, png }: EvaluationPicture): SafeHtml {
  const data = new SafeHtml(Buffer.from(png).toString('base64'));
  return html`<figure><img loading="lazy" alt="${alt}" src="data:image/png;base64,${data}">
<figcaption><b>Slice ${slice}</b> ${caption}</figcaption></figure>
`;
}

/**
 * Gallery pictures of a case from what its folder holds: `report.json`, and the tiles of
 * `overlay.png`, on which CAM, box, mask and label are drawn already. The slice with the largest
 * error comes first where there is a label, then the one with the largest section if that is another.
 *
 * @param overlayPng the case's `overlay.png`
 * @returns nothing where the file is not the montage of this report, e.g. of another version
 */
export function galleryPictures(
  report: SegmentedReport,
  overlayPng: Uint8Array,
): EvaluationPicture[] {
  const slices = chooseMontageSlices(report, MONTAGE_SLICES);
  const montage = readMontage(overlayPng, report.bundle.sliceSizePx, slices.length);
  if (!montage) return [];
  const worst = report.comparison
    ? largestBy(slices, (slice) => errorOf(report, slice))
    : undefined;
  const largest = largestBy(slices, (slice) => sectionOf(report, slice));
  const chosen = new Map([
    [largest, 'largest section'],
    [worst, worst === largest ? 'largest section and largest error' : 'largest error'],
  ]);
  return [...chosen]
    .reverse()
    .flatMap(([slice, why]) =>
      slice === undefined
        ? []
        : [pictureOf(report, slice, why, cutTile(montage, slices.indexOf(slice)))],
    );
}

interface Montage {
  readonly image: PNG;
  readonly tilePx: number;
  readonly columns: number;
}

function readMontage(bytes: Uint8Array, tilePx: number, tiles: number): Montage | undefined {
  const image = PNG.sync.read(Buffer.from(bytes));
  const columns = Math.max(1, Math.ceil(Math.sqrt(tiles)));
  const rows = Math.ceil(tiles / columns);
  const fits =
    image.width === columns * (tilePx + GAP_PX) - GAP_PX &&
    image.height >= rows * (tilePx + GAP_PX) - GAP_PX;
  return fits && tiles > 0 ? { image, tilePx, columns } : undefined;
}

function cutTile({ image, tilePx, columns }: Montage, at: number): Uint8Array {
  const left = (at % columns) * (tilePx + GAP_PX);
  const top = Math.floor(at / columns) * (tilePx + GAP_PX);
  const rgb = new Uint8Array(tilePx * tilePx * 3);
  for (let y = 0; y < tilePx; y++) {
    for (let x = 0; x < tilePx; x++) {
      const from = ((top + y) * image.width + left + x) * 4;
      const to = (y * tilePx + x) * 3;
      for (let channel = 0; channel < 3; channel++) rgb[to + channel] = image.data[from + channel]!;
    }
  }
  return encodePng(rgb, tilePx, tilePx, 'rgb');
}

/** Voxels of mask and label in a slice, 0 where the report does not say. */
function voxelsOf(report: SegmentedReport, slice: number): { mask: number; label: number } {
  const counts = report.comparison?.panel.sliceVoxels;
  return {
    mask: counts?.prediction[slice] ?? report.slices[slice]?.maskVoxels ?? 0,
    label: counts?.label[slice] ?? 0,
  };
}

/** Voxels in one of mask and label only: |P| + |L| - 2 |P and L|, from the slice's Dice. */
function errorOf(report: SegmentedReport, slice: number): number {
  const dice = report.comparison?.panel.sliceDice[slice];
  const { mask, label } = voxelsOf(report, slice);
  return typeof dice === 'number' ? (1 - dice) * (mask + label) : 0;
}

function sectionOf(report: SegmentedReport, slice: number): number {
  const { mask, label } = voxelsOf(report, slice);
  return Math.max(mask, label);
}

/** The first of those with the largest value; the middle one where all are 0. */
function largestBy(
  slices: readonly number[],
  value: (slice: number) => number,
): number | undefined {
  const most = Math.max(0, ...slices.map(value));
  return most === 0
    ? slices[Math.floor(slices.length / 2)]
    : slices.find((slice) => value(slice) === most);
}

function pictureOf(
  report: SegmentedReport,
  slice: number,
  why: string,
  png: Uint8Array,
): EvaluationPicture {
  const dice = report.comparison?.panel.sliceDice[slice];
  const record = report.slices.find(({ index }) => index === slice);
  const { mask, label } = voxelsOf(report, slice);
  const drawn = [
    record?.box ? 'CAM and its box' : 'no CAM: the gate left the slice out',
    mask > 0 ? 'mask outline' : 'no mask',
    label > 0 && 'label outline',
  ].filter(Boolean);
  return {
    caseId: report.caseId,
    slice,
    caption: typeof dice === 'number' ? `${why}, Dice ${dice.toFixed(3)}` : why,
    alt: `Axial CT slice ${slice} of ${report.caseId}: ${drawn.join(', ')}.`,
    png,
  };
}
