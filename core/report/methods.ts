import { targetOf } from '../contract/bundle.ts';
import type { SegmentedReport } from '../contract/report.ts';
import { numberText } from '../page/format.ts';
import { html, type SafeHtml } from '../page/html.ts';

const REFERENCES = [
  'Ward T, Imran A. Annotation-Efficient Task Guidance for Medical Segment Anything. IEEE International Symposium on Biomedical Imaging (ISBI), 2025.',
  'Kirillov A, et al. Segment Anything. IEEE/CVF International Conference on Computer Vision (ICCV), 2023.',
] as const;

/** How the masks of a run were made, for the methods section of a paper: what ran, with which settings. */
export function methodsText(report: SegmentedReport): string {
  const { bundle, provenance, parameters, comparison } = report;
  const organ = targetOf(bundle);
  const [low, high] = bundle.windowHu;
  const size = bundle.sliceSizePx;
  const backend = provenance.backend;
  const sentences = [
    `The ${organ} was segmented with sammix ${provenance.sammixVersion} (SAM-Mix [1]) and the model ${bundle.name} (SHA-256 ${bundle.digest}).`,
    `Axial slices were windowed to ${low} to ${high} HU, fitted into ${size} × ${size} pixels by their longer side in millimetres, and classified; those with a probability of ${organ} below ${numberText(bundle.classifierThreshold, 3)} were left empty.`,
    'In the others the classifier’s class activation map gave a mask prompt and a box prompt, from which the decoder of a Segment Anything model [2] drew the mask; its logits were interpolated to the grid of the image.',
    parameters.maskProbability !== undefined &&
      `Voxels above a probability of ${parameters.maskProbability} were drawn.`,
    cleanUp(parameters),
    backend &&
      `The model ran in ONNX Runtime ${backend.onnxRuntimeVersion} on ${backend.provider === 'cuda' ? 'a GPU (CUDA)' : 'the CPU'}.`,
    comparison &&
      'Masks were compared with reference labels on the grid of the image, in millimetres, by the Dice coefficient and by surface distances as defined in the package surface-distance.',
    report.maskEdited ? 'The mask was corrected by hand.' : 'Masks were not corrected by hand.',
  ];
  return sentences.filter(Boolean).join(' ');
}

function cleanUp({ largestComponent3d, fillHoles }: SegmentedReport['parameters']): string | false {
  const steps = [
    largestComponent3d && 'the largest 26-connected component was kept',
    fillHoles && 'cavities were filled',
  ].filter(Boolean);
  return steps.length > 0 && `Of the volume ${steps.join(' and ')}.`;
}

/** The same with its references, as a section of a page; a paragraph for each of several targets. */
export const methodsSection = (reports: readonly SegmentedReport[]): SafeHtml =>
  html`<section aria-labelledby="methods"><h2 id="methods">Methods, to copy</h2>
<blockquote class="methods">${reports.map(
    (report) => html`<p>${methodsText(report)}</p>
`,
  )}<p>${REFERENCES.map((text, at) => html`[${at + 1}] ${text}<br>`)}</p></blockquote>
<p class="note">Leave out or correct what does not hold, the last sentence above all. Licences of the training data: ${[...new Set(reports.flatMap(({ bundle }) => bundle.licences))].join('; ') || 'none stated'}.</p>
</section>`;
