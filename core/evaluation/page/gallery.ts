import type { EvaluatedCase, Evaluation } from '../../contract/evaluation.ts';
import { faultText } from '../../errors.ts';
import { html, type Insert, SafeHtml } from '../../report/html.ts';
import { hexOf, LAYERS, type Layer } from '../../report/layers.ts';
import type { CaseLink } from './case-link.ts';
import { metricOf, numberText, unitText } from './format.ts';
import type { EvaluationPicture } from './picture.ts';
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
