import type { Grid } from './grid.ts';

/** Minimum, maximum and percentiles 1, 50 and 99, in Hounsfield units. */
export interface HuSummary {
  readonly min: number;
  readonly max: number;
  readonly p01: number;
  readonly p50: number;
  readonly p99: number;
}

/** Counts per Hounsfield unit: bin n counts rounded values of `firstHu + n`. */
export interface HuHistogram {
  /** Values below go to the first bin, values above the last bin to the last. */
  readonly firstHu: number;
  readonly counts: Uint32Array;
  /** Sum of the counts: the voxels sampled. */
  readonly sampled: number;
}

export interface HuReport {
  /**
   * Minimum and maximum of all voxels; percentiles 1, 50 and 99 from the histogram of every eighth
   * row, to the nearest unit (outside the histogram's range: the nearer of its end and min or max).
   */
  readonly summary: HuSummary;
  readonly histogram: HuHistogram;
  /** Shares of the sampled voxels. */
  readonly shares: {
    /** Below -20 HU: air, lung, fat, padding. */
    readonly belowWater: number;
    /** From 20 to 120 HU: muscle, organs, blood, enhanced or not. */
    readonly softTissue: number;
  };
  /**
   * Indices of slices that equal the slice read before them in every eighth row, unless these rows
   * hold one value only.
   */
  readonly repeatedSlices: readonly number[];
}

export const HISTOGRAM_FIRST_HU = -2048;
const HISTOGRAM_BINS = 6144;
const ROW_STEP = 8;

/**
 * Gathers intensity statistics slice by slice. Every voxel is compared with the extremes; the
 * histogram takes every eighth row, shifted by one row from slice to slice.
 */
export class HuStatistics {
  private readonly columns: number;
  private readonly counts = new Uint32Array(HISTOGRAM_BINS);
  private min = Number.POSITIVE_INFINITY;
  private max = Number.NEGATIVE_INFINITY;
  private sampled = 0;
  private slices = 0;
  private previousHash = 0;
  private readonly repeated: number[] = [];

  constructor(grid: Pick<Grid, 'columns'>) {
    this.columns = grid.columns;
  }

  /**
   * @param hu finite values, rows x columns; only read.
   * @param index canonical slice index, named where the slice repeats the one before.
   */
  add(hu: Float32Array, index: number): void {
    const [low, high] = extremes(hu);
    this.min = Math.min(this.min, low);
    this.max = Math.max(this.max, high);
    this.sampleRows(hu);
    const hash = rowsHash(hu, this.columns);
    if (hash !== 0 && hash === this.previousHash) this.repeated.push(index);
    this.previousHash = hash;
    this.slices++;
  }

  finish(): HuReport {
    const { counts, sampled, min, max } = this;
    const histogram = { firstHu: HISTOGRAM_FIRST_HU, counts, sampled };
    const quantile = (q: number): number => Math.min(max, Math.max(min, quantileOf(histogram, q)));
    return {
      summary: { min, max, p01: quantile(0.01), p50: quantile(0.5), p99: quantile(0.99) },
      histogram,
      shares: {
        belowWater: shareBetween(histogram, Number.NEGATIVE_INFINITY, -21),
        softTissue: shareBetween(histogram, 20, 120),
      },
      repeatedSlices: this.repeated,
    };
  }

  private sampleRows(hu: Float32Array): void {
    const { columns, counts } = this;
    const rows = hu.length / columns;
    const last = HISTOGRAM_BINS - 1;
    for (let row = this.slices % Math.min(ROW_STEP, rows); row < rows; row += ROW_STEP) {
      const end = (row + 1) * columns;
      for (let n = row * columns; n < end; n++) {
        const value = hu[n]! - HISTOGRAM_FIRST_HU + 0.5;
        const bin = value < 0 ? 0 : value > last ? last : value | 0;
        counts[bin]!++;
      }
      this.sampled += columns;
    }
  }
}

/** Math.min compiles to a conditional move; a branch would be guessed wrong in noise. */
function extremes(values: Float32Array): [low: number, high: number] {
  let low = values[0]!;
  let high = low;
  for (let n = 1; n < values.length; n++) {
    const value = values[n]!;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** FNV-1a over the bits of every eighth row; 0 where these hold one value only. */
function rowsHash(values: Float32Array, columns: number): number {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const firstRow = Math.min(ROW_STEP / 2, bits.length / columns - 1);
  const first = bits[firstRow * columns]!;
  let hash = 0x811c9dc5 | 0;
  let variation = 0;
  for (let start = firstRow * columns; start < bits.length; start += ROW_STEP * columns) {
    for (let n = start; n < start + columns; n++) {
      const word = bits[n]!;
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
