import { LIVER } from '../contract/bundle.ts';
import type { CaseManifest, SliceRecord } from '../contract/manifest.ts';
import type { QualityFlag } from '../contract/report.ts';
import {
  contentText,
  liesInAbdomen,
  type OrientationDoubt,
  showsAbdomen,
} from '../volume/abdomen.ts';

/** What the flags are computed from. Areas and slices are canonical. */
export interface QualityInput {
  /** Name of the organ. */
  readonly target: string;
  readonly slices: readonly SliceRecord[];
  /** Voxels of the final mask per canonical slice, after the clean-up. */
  readonly voxelsPerSlice: readonly number[];
  readonly sliceSpacingMm: number;
  /** Whether the final mask reaches the first or last slice, or the in-plane border. */
  readonly touches: { readonly ends: boolean; readonly sides: boolean };
  /** Share of the drawn voxels outside the largest component, before the clean-up. */
  readonly strayShare: number;
  readonly components: number;
  readonly problems: CaseManifest['problems'];
  /** What the scan shows; undefined in manifests of before it was looked at. */
  readonly content?: CaseManifest['content'];
  readonly orientationDoubts?: readonly OrientationDoubt[];
}

/**
 * Thresholds of the flags. They are review hints, not accept or reject decisions; docs/report.md
 * says how they were chosen.
 */
const QUALITY_LIMITS = {
  /** Allowed relative change of area between neighbours: a base and a share per mm between them. */
  jumpBase: 0.35,
  jumpPerMm: 0.06,
  /** Changes between slices smaller than this share of the largest slice are the organ's poles. */
  jumpIgnoreBelow: 0.25,
  camMaskIou: 0.15,
  predictedIou: 0.75,
  strayShare: 0.02,
} as const;

/** Flags in the order in which a reader should look at them. */
export function qualityFlags(input: QualityInput): QualityFlag[] {
  const noAbdomen = notAnAbdomen(input);
  const doubts = input.orientationDoubts ?? [];
  // An abdomen stored the wrong way round need not look like one: that may be why.
  const turned = doubts.filter((code) => code === 'not-axial' || code === 'front-to-back');
  // Of what is no abdomen, nothing can be said of the side on which an organ lies.
  const shown = noAbdomen ? turned : doubts;
  const flags = [
    noAbdomen,
    ...shown.map((code) => flag(code, 'review', DOUBTS[code])),
    nothingFound(input),
    ...input.problems.map(inputWarning),
    touchesBorder(input),
    sliceJumps(input),
    strayComponents(input),
    lowPredictedIou(input),
    camDisagreement(input),
    camEmpty(input),
  ];
  return flags.filter((flag) => flag !== undefined);
}

/** Said of the scan as a whole, or of the slices in which something was drawn. */
function notAnAbdomen({
  content,
  sliceSpacingMm,
  voxelsPerSlice,
}: QualityInput): QualityFlag | undefined {
  if (!content) return undefined;
  const shown = showsAbdomen(content, sliceSpacingMm);
  if (shown && liesInAbdomen(content, sliceSpacingMm, voxelsPerSlice)) return undefined;
  const drawn = content.filter((_, k) => voxelsPerSlice[k]! > 0);
  const what = contentText(drawn.length > 0 ? drawn : content);
  const where = shown
    ? 'The slices with a mask do not look like an abdomen'
    : 'The scan does not look like an abdomen';
  return flag(
    'not-an-abdomen',
    'review',
    `${where} (${what}): do not use the mask or its volume before you have looked at it.`,
  );
}

const DOUBTS: Readonly<Record<OrientationDoubt, string>> = {
  mirrored:
    'The liver lies on the left side: the scan is probably mirrored (or the patient has situs inversus). Check left and right in the header before using any side.',
  'front-to-back': 'The spine lies in front: front and back are probably exchanged in the header.',
  'upside-down':
    'Lungs lie below the mask and none above it: the scan is probably upside down, or what was drawn is no liver.',
  'not-axial':
    'The "axial" slices are cut another way (their ends are those of a body, not of a scan): axes are probably permuted. The mask is not to be trusted.',
};

function nothingFound({ target, voxelsPerSlice }: QualityInput): QualityFlag | undefined {
  if (voxelsPerSlice.some((voxels) => voxels > 0)) return undefined;
  const code = target === LIVER ? 'no-liver-found' : 'nothing-found';
  return flag(code, 'review', `No slice shows ${target}: the mask is empty.`);
}

function touchesBorder({ target, touches }: QualityInput): QualityFlag | undefined {
  if (!touches.ends && !touches.sides) return undefined;
  const where = [
    touches.ends && 'the first or last slice',
    touches.sides && 'the side of the image',
  ]
    .filter(Boolean)
    .join(' and ');
  return flag(
    'touches-border',
    'review',
    `The mask reaches ${where}: the ${target} may be cut off and its volume too small.`,
  );
}

function sliceJumps({ voxelsPerSlice, sliceSpacingMm }: QualityInput): QualityFlag | undefined {
  const allowed = Math.min(
    0.95,
    QUALITY_LIMITS.jumpBase + QUALITY_LIMITS.jumpPerMm * sliceSpacingMm,
  );
  const ignoreBelow = QUALITY_LIMITS.jumpIgnoreBelow * Math.max(...voxelsPerSlice);
  const jumps: number[] = [];
  for (let k = 0; k + 1 < voxelsPerSlice.length; k++) {
    const [a, b] = [voxelsPerSlice[k]!, voxelsPerSlice[k + 1]!];
    const larger = Math.max(a, b);
    if (larger > ignoreBelow && Math.abs(a - b) / larger > allowed) jumps.push(k);
  }
  if (jumps.length === 0) return undefined;
  return flag(
    'slice-jump',
    'review',
    `The area changes by more than ${Math.round(allowed * 100)} % from one slice to the next.`,
    jumps,
  );
}

function strayComponents({ strayShare, components }: QualityInput): QualityFlag | undefined {
  if (components < 2 || strayShare <= QUALITY_LIMITS.strayShare) return undefined;
  return flag(
    'several-components',
    'review',
    `${components} separate pieces were drawn; ${(strayShare * 100).toFixed(1)} % of the voxels lie outside the largest.`,
  );
}

function lowPredictedIou(input: QualityInput): QualityFlag | undefined {
  const limit = QUALITY_LIMITS.predictedIou;
  return flagSlices(
    'low-predicted-iou',
    input,
    (slice) => (slice.predictedIou ?? 1) < limit,
    (low) => `The decoder itself expects an IoU below ${limit} in ${low}.`,
  );
}

function camDisagreement(input: QualityInput): QualityFlag | undefined {
  const limit = QUALITY_LIMITS.camMaskIou;
  return flagSlices(
    'cam-disagreement',
    input,
    (slice) => (slice.camMaskIou ?? 1) < limit,
    (apart) => `Classifier map and mask lie apart (IoU below ${limit}) in ${apart}.`,
  );
}

function camEmpty(input: QualityInput): QualityFlag | undefined {
  return flagSlices(
    'cam-empty',
    input,
    (slice) => slice.camEmpty,
    (empty) => `The classifier map was empty in ${empty}; the centre of the image prompted SAM.`,
  );
}

const inputWarning = (problem: CaseManifest['problems'][number]): QualityFlag =>
  flag('input-warning', 'review', `${problem.message}. ${problem.remedy}`);

/**
 * A doubt about single slices: worth a look where it concerns more than a fifth of those with a mask, as
 * it comes up at the poles of most livers. Where the clean-up left nothing there is nothing to doubt.
 */
function flagSlices(
  code: QualityFlag['code'],
  { slices, voxelsPerSlice }: QualityInput,
  isDoubtful: (slice: SliceRecord) => boolean,
  message: (which: string) => string,
): QualityFlag | undefined {
  const shown = slices.filter((slice) => voxelsPerSlice[slice.index]! > 0);
  const doubtful = shown.filter(isDoubtful);
  if (doubtful.length === 0) return undefined;
  return flag(
    code,
    doubtful.length > shown.length / 5 ? 'review' : 'info',
    message(doubtful.length === 1 ? '1 slice' : `${doubtful.length} slices`),
    doubtful.map((slice) => slice.index),
  );
}

const flag = (
  code: QualityFlag['code'],
  severity: QualityFlag['severity'],
  message: string,
  slices: number[] = [],
): QualityFlag => ({ code, severity, message, slices });
