import type { HuSummary, SliceContent } from '../contract/manifest.ts';
import type { Grid } from './grid.ts';
import { type Scaling, UNSCALED } from './scaling.ts';
import { ScanContent, type SliceOrder } from './scan-content.ts';
import { NON_FINITE_HU } from './slice-kernel.ts';

/** Counts per Hounsfield unit: bin n counts rounded values of `firstHu + n`. */
export interface HuHistogram {
  /** Values below go to the first bin, above the last bin to the last; NaN and infinities to none. */
  readonly firstHu: number;
  readonly counts: Uint32Array;
  /** Sum of the counts: the voxels sampled. */
  readonly sampled: number;
}

export interface HuReport {
  /**
   * Minimum and maximum of all finite voxels; percentiles 1, 50 and 99 from the histogram of every
   * eighth row, to the nearest unit (outside the histogram's range: min or max).
   */
  readonly summary: HuSummary;
  readonly histogram: HuHistogram;
  /**
   * Shares of the sampled voxels above -1000 HU. What lies below is air, or the fill that scanners and
   * tools put where they measured nothing (-1024, -2000, -3024): it says nothing of what is filled.
   */
  readonly shares: {
    /** Of all finite ones: how many these are. */
    readonly above: number;
    /** Below -20 HU: air, lung, fat; without the most frequent value there, which may be another fill. */
    readonly belowWater: number;
    /** From 20 to 120 HU: muscle, organs, blood, enhanced or not. */
    readonly softTissue: number;
    /** From -200 to 200 HU, of those above -500: where all tissue but bone and lung lies. */
    readonly tissue: number;
  };
  /** Percentiles 1 and 99 of the voxels above -1000 HU. */
  readonly filledRange: readonly [p01: number, p99: number];
  /** The most frequent value above -300 HU, to 20 HU. */
  readonly peakHu: number;
  /** What each canonical slice shows. */
  readonly content: readonly SliceContent[];
  /**
   * Indices of slices that equal the slice read before them in every eighth row, unless these rows
   * hold one value only.
   */
  readonly repeatedSlices: readonly number[];
}

const HISTOGRAM_FIRST_HU = -2048;
const HISTOGRAM_BINS = 6144;
const ROW_STEP = 8;

/** A slice as it lies in the file. */
export interface StoredSlice {
  /** Unscaled; stored rows are canonical rows, columns may run either way. */
  readonly voxels: Int16Array;
  readonly least: number;
  readonly greatest: number;
}

/**
 * Gathers intensity statistics slice by slice. Every voxel is compared with the extremes; the
 * histogram takes every eighth row, shifted by one row from slice to slice. A volume's slices are
 * added either all scaled or all as stored: the report is the same.
 */
export class HuStatistics {
  private readonly columns: number;
  private readonly scaling: Scaling;
  private readonly rowsFlipped: boolean;
  private readonly content: ScanContent;
  private readonly counts = new Uint32Array(HISTOGRAM_BINS);
  /** Of stored values, by their 16 bits. */
  private readonly storedCounts = new Uint32Array(2 ** 16);
  private min = Number.POSITIVE_INFINITY;
  private max = Number.NEGATIVE_INFINITY;
  private sampled = 0;
  private slices = 0;
  private previousHash = 0;
  private readonly repeated: number[] = [];

  /**
   * @param scaling of the voxels that `addStored` takes
   * @param order of their columns and rows
   */
  constructor(grid: Grid, scaling: Scaling = UNSCALED, order?: SliceOrder) {
    this.columns = grid.columns;
    this.scaling = scaling;
    this.rowsFlipped = order?.rowsFlipped ?? false;
    this.content = new ScanContent(grid, order);
  }

  /**
   * @param hu rows x columns, `NON_FINITE_HU` where there is no number; only read.
   * @param index canonical slice index, named where the slice repeats the one before.
   */
  add(hu: Float32Array, index: number): void {
    const { columns, counts } = this;
    const [low, high] = extremes(hu);
    const hasGaps = low === NON_FINITE_HU || high === NON_FINITE_HU;
    this.widen(...(hasGaps ? finiteExtremes(hu) : ([low, high] as const)));
    const last = HISTOGRAM_BINS - 1;
    for (const row of this.sampledRows(hu.length, false)) {
      for (let n = row; n < row + columns; n++) {
        if (hu[n] === NON_FINITE_HU) {
          this.sampled--;
          continue;
        }
        const value = hu[n]! - HISTOGRAM_FIRST_HU + 0.5;
        const bin = value < 0 ? 0 : value > last ? last : value | 0;
        counts[bin]!++;
      }
    }
    this.compare(new Int32Array(hu.buffer, hu.byteOffset, hu.length), this.columns, index);
    this.content.add(hu, index);
  }

  addStored({ voxels, least, greatest }: StoredSlice, index: number): void {
    const { columns, storedCounts } = this;
    this.widen(this.scaled(least), this.scaled(greatest));
    for (const row of this.sampledRows(voxels.length, this.rowsFlipped)) {
      for (let n = row; n < row + columns; n++) storedCounts[voxels[n]! & 0xffff]!++;
    }
    const pairs = new Int32Array(voxels.buffer, voxels.byteOffset, voxels.length >> 1);
    this.compare(pairs, columns / 2, index);
    this.content.add(voxels, index, this.scaling);
  }

  finish(): HuReport {
    const { sampled } = this;
    // Without one finite voxel there is nothing to say: 0 keeps what is written a number.
    const [min, max] = this.min > this.max ? [0, 0] : [this.min, this.max];
    const histogram = { firstHu: HISTOGRAM_FIRST_HU, counts: this.allCounts(), sampled };
    const quantile = (q: number): number => quantileWithin(histogram, q, [min, max]);
    const filled = aboveHu(histogram, FILL_UP_TO_HU + 1);
    return {
      summary: { min, max, p01: quantile(0.01), p50: quantile(0.5), p99: quantile(0.99) },
      histogram,
      shares: {
        above: filled.sampled / Math.max(1, sampled),
        belowWater: shareBetween(withoutPeak(filled, -21), Number.NEGATIVE_INFINITY, -21),
        softTissue: shareBetween(filled, 20, 120),
        tissue: shareBetween(aboveHu(histogram, -500), -200, 200),
      },
      filledRange: [
        quantileWithin(filled, 0.01, [min, max]),
        quantileWithin(filled, 0.99, [min, max]),
      ],
      peakHu: peakOf(histogram),
      content: this.content.slices(),
      repeatedSlices: this.repeated,
    };
  }

  private scaled(stored: number): number {
    return Math.fround(stored * this.scaling.slope + this.scaling.inter);
  }

  private allCounts(): Uint32Array {
    const counts = this.counts.slice();
    this.storedCounts.forEach((count, bits) => {
      if (count === 0) return;
      const value = Math.floor(this.scaled((bits << 16) >> 16) - HISTOGRAM_FIRST_HU + 0.5);
      counts[Math.min(HISTOGRAM_BINS - 1, Math.max(0, value))]! += count;
    });
    return counts;
  }

  /** With a negative slope the least stored value is the greatest one. */
  private widen(a: number, b: number): void {
    if (!Number.isFinite(a)) return; // A slice without a number.
    this.min = Math.min(this.min, a, b);
    this.max = Math.max(this.max, a, b);
  }

  /** Where the sampled rows of the next slice begin. */
  private sampledRows(voxels: number, rowsFlipped: boolean): number[] {
    const rows = voxels / this.columns;
    const starts: number[] = [];
    for (let row = this.slices % Math.min(ROW_STEP, rows); row < rows; row += ROW_STEP)
      starts.push((rowsFlipped ? rows - 1 - row : row) * this.columns);
    this.sampled += starts.length * this.columns;
    return starts;
  }

  private compare(words: Int32Array, wordsPerRow: number, index: number): void {
    const hash = rowsHash(words, wordsPerRow);
    if (hash !== 0 && hash === this.previousHash) this.repeated.push(index);
    this.previousHash = hash;
    this.slices++;
  }
}

/** Math.min compiles to a conditional move; a branch would be guessed wrong in noise. */
function extremes(values: Float32Array): readonly [low: number, high: number] {
  let low = values[0]!;
  let high = low;
  for (let n = 1; n < values.length; n++) {
    const value = values[n]!;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** For slices that hold `NON_FINITE_HU`. */
function finiteExtremes(values: Float32Array): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value === NON_FINITE_HU) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** Air is no lower; what is lower was put there. */
const FILL_UP_TO_HU = -1000;

/** The part of a histogram from one value on. */
function aboveHu({ firstHu, counts }: HuHistogram, fromHu: number): HuHistogram {
  const above = counts.slice();
  above.fill(0, 0, Math.max(0, fromHu - firstHu));
  return { firstHu, counts: above, sampled: above.reduce((sum, count) => sum + count, 0) };
}

/** MR and masks have a background of one value; air, lung and fat have many. */
function withoutPeak(histogram: HuHistogram, toHu: number): HuHistogram {
  const counts = histogram.counts.slice();
  const below = counts.subarray(0, toHu - histogram.firstHu + 1);
  let most = 0;
  for (let bin = 0; bin < below.length; bin++) if (below[bin]! > below[most]!) most = bin;
  below[most] = 0;
  return { ...histogram, counts };
}

const PEAK_FROM_HU = -300;
const PEAK_WIDTH_HU = 20;

function peakOf({ firstHu, counts }: HuHistogram): number {
  let [best, bestHu] = [-1, 0];
  for (let at = PEAK_FROM_HU - firstHu; at + PEAK_WIDTH_HU <= counts.length; at += PEAK_WIDTH_HU) {
    let sum = 0;
    for (let n = at; n < at + PEAK_WIDTH_HU; n++) sum += counts[n]!;
    if (sum > best) [best, bestHu] = [sum, firstHu + at + PEAK_WIDTH_HU / 2];
  }
  return bestHu;
}

/** The first and last bin hold all that lies beyond them: there the extremes are nearer the truth. */
function quantileWithin(
  histogram: HuHistogram,
  q: number,
  [min, max]: readonly [number, number],
): number {
  const value = quantileOf(histogram, q);
  if (value <= histogram.firstHu) return Math.min(min, value);
  if (value >= histogram.firstHu + histogram.counts.length - 1) return Math.max(max, value);
  return Math.min(max, Math.max(min, value));
}

/** FNV-1a over the words of every eighth row; 0 where these hold one value only. */
function rowsHash(words: Int32Array, wordsPerRow: number): number {
  const firstRow = Math.min(ROW_STEP / 2, Math.ceil(words.length / wordsPerRow) - 1);
  const first = words[Math.floor(firstRow * wordsPerRow)]!;
  let hash = 0x811c9dc5 | 0;
  let variation = 0;
  for (let row = firstRow; row * wordsPerRow < words.length; row += ROW_STEP) {
    const start = Math.floor(row * wordsPerRow);
    const end = Math.min(words.length, start + Math.ceil(wordsPerRow));
    for (let n = start; n < end; n++) {
      const word = words[n]!;
      variation |= word ^ first;
      hash = Math.imul(hash ^ word, 0x01000193);
    }
  }
  return variation === 0 ? 0 : hash;
}

/** The unit at which the share `q` of the sampled voxels is reached. */
function quantileOf({ firstHu, counts, sampled }: HuHistogram, q: number): number {
  const wanted = q * (sampled - 1);
  let below = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    below += counts[bin]!;
    if (below > wanted) return firstHu + bin;
  }
  return firstHu + counts.length - 1;
}

function shareBetween(histogram: HuHistogram, fromHu: number, toHu: number): number {
  const { firstHu, counts, sampled } = histogram;
  const from = Math.max(0, fromHu - firstHu);
  const inside = counts.subarray(from, Math.max(from, toHu - firstHu + 1));
  return inside.reduce((sum, count) => sum + count, 0) / Math.max(1, sampled);
}
