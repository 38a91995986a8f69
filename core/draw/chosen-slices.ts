import {
  type Comparison,
  type GallerySlice,
  maskVoxelsPerSlice,
  type SegmentedReport,
} from '../contract/report.ts';

/** Slices shown in the montage: enough to see the organ, few enough for one page. */
export const MONTAGE_SLICES = 16;

/** What the choice looks at, so that a test need not build a whole report. */
export type MontageFacts = Pick<
  SegmentedReport,
  'slices' | 'voxelsPerSlice' | 'flags' | 'comparison'
>;

/**
 * The slices that a reader should see: those that a flag names (at most half of `count`, what needs
 * review first), the one with the worst Dice, and the rest evenly over the target's extent.
 *
 * @returns canonical slice indices, ascending, without repeats, at most `count`.
 */
export function chooseMontageSlices(report: MontageFacts, count: number): number[] {
  const extent = extentOf(report);
  const chosen = new Set<number>();
  const known = new Set(report.slices.map(({ index }) => index));
  for (const index of worthALook(report)) {
    if (chosen.size < Math.floor(count / 2) && known.has(index)) chosen.add(index);
  }
  const free = count - chosen.size;
  // The second and third round only fill what coincides with a flagged slice.
  for (const index of [...evenly(extent, free), ...evenly(extent, count), ...extent]) {
    if (chosen.size < count) chosen.add(index);
  }
  return [...chosen].sort((a, b) => a - b);
}

/**
 * Slices from the first to the last with a mask or a label. Where there is none, those that the gate let
 * through, which may be far more of them; else all.
 */
function extentOf(report: MontageFacts): number[] {
  const { slices, comparison } = report;
  const voxels = maskVoxelsPerSlice(report);
  const drawn = slices.filter(
    (slice, at) => voxels[at]! > 0 || typeof comparison?.panel.sliceDice[slice.index] === 'number',
  );
  const shows = drawn.length > 0 ? drawn : slices.filter((slice) => slice.camAreaPx !== null);
  const first = shows[0]?.index ?? Number.NEGATIVE_INFINITY;
  const last = shows.at(-1)?.index ?? Number.POSITIVE_INFINITY;
  return slices.map(({ index }) => index).filter((index) => index >= first && index <= last);
}

/** Flagged slices in turn from each flag, so that one long flag does not crowd out the others. */
function worthALook({ flags, comparison }: MontageFacts): number[] {
  const lists = [...flags]
    .sort((a, b) => Number(b.severity === 'review') - Number(a.severity === 'review'))
    .map(({ slices }) => evenly(slices, slices.length));
  const longest = Math.max(0, ...lists.map((list) => list.length));
  const inTurn = Array.from({ length: longest }, (_, n) => lists.map((list) => list[n])).flat();
  const worst = worstDice(comparison?.panel.sliceDice ?? []);
  return [worst, ...inTurn].filter((index) => index !== undefined);
}

function worstDice(sliceDice: readonly (number | null)[]): number | undefined {
  const scored = sliceDice.flatMap((dice, index) => (dice === null ? [] : [{ dice, index }]));
  if (scored.length === 0) return undefined;
  return scored.reduce((worst, slice) => (slice.dice < worst.dice ? slice : worst)).index;
}

/**
 * Up to `count` of the items, evenly spaced with both ends included, ordered so that every prefix
 * is spread out: the middle, the ends, then the halves between them.
 */
function evenly(items: readonly number[], count: number): number[] {
  const n = Math.min(count, items.length);
  const places = Array.from({ length: n }, (_, at) =>
    n === 1 ? Math.floor(items.length / 2) : Math.round((at * (items.length - 1)) / (n - 1)),
  );
  return spreadOrder(n).map((at) => items[places[at]!]!);
}

/** 0..n-1, breadth first through the halves of the range. */
function spreadOrder(n: number): number[] {
  const order: number[] = [];
  const ranges: [number, number][] = n > 0 ? [[0, n - 1]] : [];
  for (let range = ranges.shift(); range; range = ranges.shift()) {
    const [low, high] = range;
    const middle = Math.floor((low + high) / 2);
    order.push(middle);
    if (low < middle) ranges.push([low, middle - 1]);
    if (middle < high) ranges.push([middle + 1, high]);
  }
  return order;
}

/** What the choice for the gallery looks at. */
export interface GalleryFacts extends Pick<SegmentedReport, 'voxelsPerSlice'> {
  readonly slices: readonly { readonly maskVoxels: number }[];
  readonly comparison: Pick<Comparison, 'panel'> | null;
}

/**
 * The slices that stand for a case among others: the one with the largest error where there is a
 * label, then the one with the largest section, once where they are the same. Where there is nothing to
 * see, the middle one.
 */
export function chooseGallerySlices(report: GalleryFacts): GallerySlice[] {
  const sections = sectionVoxels(report);
  const largest = largestAt(sections) ?? Math.floor(report.slices.length / 2);
  const worst = report.comparison ? largestAt(errorVoxels(report.comparison.panel)) : undefined;
  if (worst === undefined) return [{ slice: largest, shows: ['largest-section'] }];
  if (worst === largest) return [{ slice: worst, shows: ['largest-error', 'largest-section'] }];
  return [
    { slice: worst, shows: ['largest-error'] },
    { slice: largest, shows: ['largest-section'] },
  ];
}

/** Of mask or label, whichever is larger. */
function sectionVoxels(report: GalleryFacts): number[] {
  const label = report.comparison?.panel.sliceVoxels?.label;
  return maskVoxelsPerSlice(report).map((voxels, slice) => Math.max(voxels, label?.[slice] ?? 0));
}

/** Voxels in one of mask and label only: |P| + |L| - 2 |P and L|, from the slice's Dice. */
const errorVoxels = ({ sliceDice, sliceVoxels }: Comparison['panel']): number[] =>
  sliceDice.map((dice, slice) => {
    const both = (sliceVoxels?.prediction[slice] ?? 0) + (sliceVoxels?.label[slice] ?? 0);
    return dice === null ? 0 : (1 - dice) * both;
  });

/** Where the first of the largest values stands; undefined where none is above 0. */
function largestAt(values: readonly number[]): number | undefined {
  const most = Math.max(0, ...values);
  return most === 0 ? undefined : values.indexOf(most);
}
