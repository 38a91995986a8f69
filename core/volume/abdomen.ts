import type { SliceContent } from '../contract/manifest.ts';
import type { CroppedMask, Grid } from './grid.ts';

/**
 * Whether a scan shows an abdomen, and the right way round, by what its slices are made of. The model
 * was never shown limbs or heads and draws livers into them with full confidence; Hounsfield units and
 * sizes tell them apart. docs/inputs.md says on which scans the limits were set and on which they were
 * only checked.
 */

/** What speaks against a slice being an adult's abdomen; from `ENOUGH` points on it is none. */
const ENOUGH = 3;

function pointsAgainst(slice: SliceContent): number {
  const { widthMm, bone, fat, air, boneAhead } = slice;
  return (
    // Abdomens are 260 to 480 mm wide; limbs, necks and heads less than 200.
    (widthMm < 200 ? 3 : widthMm < 220 ? 2 : widthMm < 250 ? 1 : 0) +
    // The spine lies behind the middle; a limb's bone does not.
    (bone === 0 ? 0 : boneAhead > 0.05 ? 2 : boneAhead > -0.04 ? 1 : 0) +
    // A skull is a tenth of the head and more, a phantom has no bone at all.
    (bone >= 0.1 ? 2 : bone >= 0.07 ? 1 : bone < LEAST_BONE ? 2 : 0) +
    bonesAside(slice) +
    // Lungs fill a third of the chest; where the liver begins they give way.
    (air > LUNGS_ONLY ? 3 : 0) +
    (fat < 0.02 ? 1 : 0)
  );
}

/** With less the spine cannot be told from its absence: thick slices of an osteoporotic patient. */
const LEAST_BONE = 0.002;
const LUNGS_ONLY = 0.35;

/** Only between chest and pelvis is the spine alone but for ribs; hips and shoulders outweigh it. */
function bonesAside({ bone, spine }: SliceContent): number {
  if (spine === undefined || bone < LEAST_BONE) return 0;
  return spine < 0.25 ? 3 : spine < 0.35 ? 2 : 0;
}

/** Slices are judged by the median of what lies this near: one odd slice decides nothing. */
const NEIGHBOURHOOD_MM = 15;
/** A run of slices shorter than this shows no liver that could be measured. */
const LEAST_RUN_MM = 15;

/** Per canonical slice, whether it may be one of an abdomen. */
function abdominalSlices(content: readonly SliceContent[], sliceSpacingMm: number): boolean[] {
  const reach = Math.floor(NEIGHBOURHOOD_MM / 2 / sliceSpacingMm);
  return content.map((slice, k) => {
    if (slice.areaCm2 === 0) return false;
    const near = content.slice(Math.max(0, k - reach), k + reach + 1);
    return median(near.map(pointsAgainst)) < ENOUGH;
  });
}

/** By the scan alone: whether a run of its slices may be an abdomen's. */
export function showsAbdomen(content: readonly SliceContent[], sliceSpacingMm: number): boolean {
  let run = 0;
  for (const abdominal of abdominalSlices(content, sliceSpacingMm)) {
    run = abdominal ? run + 1 : 0;
    if (run * sliceSpacingMm >= LEAST_RUN_MM) return true;
  }
  // A few thick or far slices: none may speak against it.
  return run > 0 && run === content.length;
}

/**
 * The same of a mask: a liver lies in slices that may be an abdomen's.
 *
 * @param voxelsPerSlice of the mask, by canonical slice
 */
export function liesInAbdomen(
  content: readonly SliceContent[],
  sliceSpacingMm: number,
  voxelsPerSlice: readonly number[],
): boolean {
  const abdominal = abdominalSlices(content, sliceSpacingMm);
  let [inside, all] = [0, 0];
  voxelsPerSlice.forEach((voxels, k) => {
    all += voxels;
    if (abdominal[k]) inside += voxels;
  });
  return all === 0 || inside >= all / 2;
}

/** In words, what the slices are that show no abdomen. */
export function contentText(content: readonly SliceContent[]): string {
  const seen = content.filter(({ areaCm2 }) => areaCm2 > 0);
  if (seen.length === 0) return 'nothing but air';
  const typical = (of: (slice: SliceContent) => number): number => median(seen.map(of));
  const bone = typical((slice) => slice.bone);
  const parts = [
    `a body ${typical((slice) => slice.widthMm).toFixed(0)} mm wide`,
    `${(bone * 100).toFixed(1)} % bone${bone === 0 ? '' : whereText(typical((slice) => slice.boneAhead))}`,
    bone >= LEAST_BONE && `${(typical(({ spine = 1 }) => spine) * 100).toFixed(0)} % of it spine`,
    `${(typical((slice) => slice.air) * 100).toFixed(0)} % air`,
    `${(typical((slice) => slice.fat) * 100).toFixed(0)} % fat`,
  ];
  return parts.filter(Boolean).join(', ');
}

const whereText = (ahead: number): string =>
  ahead > 0.05
    ? ' in front of the middle'
    : ahead > -0.04
      ? ' about the middle'
      : ' behind the middle';

/** What a mask shows of the way round in which a scan lies. */
export type OrientationDoubt = 'mirrored' | 'front-to-back' | 'upside-down' | 'not-axial';

/** Least share of a mask in the patient's right half: in the abdomens above it is 0.75 and more. */
const LEAST_RIGHT_SHARE = 0.6;
/** Where the soft tissue, too, lies on the left. */
const LEAST_RIGHT_SHARE_IF_SOFT_LEFT = 0.7;
const SPINE_IN_FRONT = 0.08;
const LUNG_SHARE = 0.15;
const NO_LUNG_SHARE = 0.08;
const END_MM = 20;

/** Doubts about the orientation, from the scan and the mask that was drawn in it. */
export function orientationDoubts(
  content: readonly SliceContent[],
  grid: Grid,
  mask: CroppedMask | undefined,
): OrientationDoubt[] {
  if (isNotAxial(content)) return ['not-axial'];
  const spacing = grid.spacingMm.slice;
  const abdominal = abdominalSlices(content, spacing);
  const found: OrientationDoubt[] = [];
  const right = mask && rightShare(content, grid, mask);
  if (right !== undefined) {
    const limit = softTissueLeft(content, abdominal, spacing)
      ? LEAST_RIGHT_SHARE_IF_SOFT_LEFT
      : LEAST_RIGHT_SHARE;
    if (right < limit) found.push('mirrored');
  }
  const wide = content.filter(({ widthMm, bone }) => widthMm >= 220 && bone >= 0.002);
  if (wide.length > 0 && median(wide.map((slice) => slice.boneAhead)) > SPINE_IN_FRONT)
    found.push('front-to-back');
  if (mask && lungsBelow(content, spacing, mask)) found.push('upside-down');
  return found;
}

/** Cut by the image on two sides, and ending as a body does where slices begin and end. */
function isNotAxial(content: readonly SliceContent[]): boolean {
  const largest = Math.max(...content.map(({ areaCm2 }) => areaCm2), 0);
  const ends = [content[0]?.areaCm2 ?? 0, content.at(-1)?.areaCm2 ?? 0];
  const cut = content.filter(({ cutAcross }) => cutAcross).length / Math.max(1, content.length);
  return (
    content.length >= 16 &&
    largest > 250 &&
    ends.every((area) => area < 0.25 * largest) &&
    cut > 0.5
  );
}

/** Share of the mask's voxels right of the body's middle. */
function rightShare(
  content: readonly SliceContent[],
  grid: Grid,
  { mask, box }: CroppedMask,
): number | undefined {
  const { columns, rows, slices } = mask.grid;
  let [right, all] = [0, 0];
  for (let k = 0; k < slices; k++) {
    const middle = (content[box.sliceStart + k]?.middle ?? 0.5) * grid.columns - box.columnStart;
    for (let at = k * rows * columns; at < (k + 1) * rows * columns; at++) {
      if (mask.data[at] === 0) continue;
      all++;
      if ((at % columns) + 0.5 < middle) right++;
    }
  }
  return all === 0 ? undefined : right / all;
}

/** Whether soft tissue leans to the left more than it ever does to the right, below the lungs. */
function softTissueLeft(
  content: readonly SliceContent[],
  abdominal: readonly boolean[],
  spacingMm: number,
): boolean {
  const reach = Math.max(1, Math.round(NEIGHBOURHOOD_MM / spacingMm));
  const leaning = content.flatMap((slice, k) => {
    if (!abdominal[k] || slice.air > LUNG_SHARE) return [];
    const near = content.slice(Math.max(0, k - reach), k + reach + 1);
    return [median(near.map(({ softRight }) => softRight))];
  });
  return leaning.length > 0 && -Math.min(...leaning) > Math.max(...leaning) + 0.05;
}

/** Lungs at the lower end, and none where the scan goes on above the mask. */
function lungsBelow(
  content: readonly SliceContent[],
  spacingMm: number,
  { box }: CroppedMask,
): boolean {
  const count = Math.max(1, Math.round(END_MM / spacingMm));
  if (content.length < 3 * count || box.sliceStart < count) return false;
  const air = (slices: readonly SliceContent[]): number => median(slices.map((slice) => slice.air));
  const below = content.slice(0, box.sliceStart);
  const above = content.slice(box.sliceEnd);
  const most = Math.max(...runs(below, count).map(air), 0);
  const top = air(above.length >= count ? above.slice(-count) : content.slice(-count));
  return most > LUNG_SHARE && top < NO_LUNG_SHARE;
}

const runs = (slices: readonly SliceContent[], count: number): SliceContent[][] =>
  Array.from({ length: Math.floor(slices.length / count) }, (_, n) =>
    slices.slice(n * count, (n + 1) * count),
  );

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
