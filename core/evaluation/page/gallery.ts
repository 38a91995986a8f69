import type { EvaluatedCase } from '../../contract/evaluated-case.ts';
import type { Evaluation } from '../../contract/evaluation.ts';
import {
  type GallerySlice,
  maskVoxelsPerSlice,
  type SegmentedReport,
  type ShownSlice,
} from '../../contract/report.ts';
import { LAYERS, type Layer } from '../../draw/layers.ts';
import type { EvaluationPicture } from '../../draw/picture.ts';
import { faultText } from '../../errors.ts';
import { metricOf, numberText, unitText } from '../../page/format.ts';
import { html, type Insert, SafeHtml } from '../../page/html.ts';
import { swatch } from '../../page/page.ts';
import { STATUS } from '../../page/words.ts';
import { type CaseLink, toReview } from './cases.ts';

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
${pictures.length > 0 && legend(evaluation.bundle === null)}
<ol class="gallery">
${worst.map((one) => caseCard(one, link, pictures))}
</ol></section>`;
}

/** @param elsewhere where the masks were made elsewhere there is no prompt to show */
const legend = (
  elsewhere: boolean,
): SafeHtml => html`<ul class="legend" aria-label="Lines in the pictures">
${LAYERS.filter(({ key }) => !elsewhere || key === 'mask' || key === 'label').map(legendEntry)}
</ul>`;

const legendEntry = (layer: Layer): SafeHtml => html`<li>${swatch(layer)}
<span><b>${layer.name}</b>, ${lineText(layer)}: <span class="meaning">${layer.meaning}</span></span></li>
`;

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
  const own = pictures.find(({ caseId }) => caseId === one.caseId);
  return html`<li class="card">
<h3>${link(one)} ${
    STATUS[one.status].bad && html`<span class="chip review">${STATUS[one.status].name}</span>`
  }</h3>
<p class="values">${valuesOf(one)}</p>
${one.flags.length > 0 && html`<p class="values">${one.flags.map((flag) => html`<span class="chip ${toReview(one).includes(flag) ? 'review' : 'info'}">${flag}</span> `)}</p>`}
${one.fault && html`<p><bdi>${faultText(one.fault)}</bdi></p>`}
${
  own
    ? pictureFigure(own)
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

function pictureFigure({ slices, alt, png }: EvaluationPicture): SafeHtml {
  const data = new SafeHtml(Buffer.from(png).toString('base64'));
  return html`<figure class="pictures${slices.length === 1 && ' one'}"><img loading="lazy" alt="${alt}" src="data:image/png;base64,${data}">
<figcaption>${slices.map(
    ({ slice, caption }) => html`<span><b>Slice ${slice}</b> ${caption}</span>
`,
  )}</figcaption></figure>
`;
}

/**
 * The gallery's picture of a case from what its folder holds: `gallery.png`, on which CAM, box, mask and
 * label are drawn, and `report.json`, which says which slices it shows.
 *
 * @returns nothing for reports of before that was kept
 */
export function galleryPicture(
  report: SegmentedReport,
  galleryPng: Uint8Array,
): EvaluationPicture | undefined {
  const { pictures, caseId } = report;
  if (!pictures) return undefined;
  return {
    caseId,
    slices: pictures.gallery.map((one) => ({
      slice: one.slice,
      caption: captionOf(report, one),
    })),
    alt: pictures.gallery.map(({ slice }) => altOf(report, slice)).join(' '),
    png: galleryPng,
  };
}

/** Of a mask that was made elsewhere: it has no report. */
export const predictionPicture = (
  caseId: string,
  shown: readonly ShownSlice[],
  galleryPng: Uint8Array,
): EvaluationPicture => ({
  caseId,
  slices: shown.map((one) => ({ slice: one.slice, caption: captionText(one, one.dice) })),
  alt: shown
    .map(({ slice }) => `Axial CT slice ${slice} of ${caseId} with the outlines of mask and label.`)
    .join(' '),
  png: galleryPng,
});

const SHOWS: Readonly<Record<GallerySlice['shows'][number], string>> = {
  'largest-error': 'largest error',
  'largest-section': 'largest section',
};

const captionOf = ({ comparison }: SegmentedReport, one: GallerySlice): string =>
  captionText(one, comparison?.panel.sliceDice[one.slice]);

function captionText({ shows }: GallerySlice, dice: number | null | undefined): string {
  const why = shows.map((what) => SHOWS[what]).join(' and ');
  return typeof dice === 'number' ? `${why}, Dice ${numberText(dice, 3)}` : why;
}

function altOf(report: SegmentedReport, slice: number): string {
  const drawn = [
    report.slices[slice]?.box ? 'CAM and its box' : 'no CAM: the gate left the slice out',
    maskVoxelsPerSlice(report)[slice] ? 'mask outline' : 'no mask',
    report.comparison?.panel.sliceVoxels?.label[slice] && 'label outline',
  ].filter(Boolean);
  return `Axial CT slice ${slice} of ${report.caseId}: ${drawn.join(', ')}.`;
}
