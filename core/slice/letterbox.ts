import type { Letterbox } from '../contract/manifest.ts';
import type { CroppedMask, Grid } from '../volume/grid.ts';

const roundHalfUp = (value: number): number => Math.floor(value + 0.5);

const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, value));

export function letterboxFor(
  grid: Pick<Grid, 'columns' | 'rows' | 'spacingMm'>,
  sizePx: number,
): Letterbox {
  const widthMm = grid.columns * grid.spacingMm.column;
  const heightMm = grid.rows * grid.spacingMm.row;
  const pixelMm = Math.max(widthMm, heightMm) / sizePx;
  const width = clamp(roundHalfUp(widthMm / pixelMm), 1, sizePx);
  const height = clamp(roundHalfUp(heightMm / pixelMm), 1, sizePx);
  return {
    sizePx,
    x0: Math.floor((sizePx - width) / 2),
    y0: Math.floor((sizePx - height) / 2),
    width,
    height,
  };
}

/**
 * Two resamplings, each separable and precomputed once per volume: the triangle filter that shrinks
 * a slice to the model's square, and the bilinear interpolation that takes logits back.
 */

/** Per output sample: the first input sample and `taps` weights, padded with zeros. */
export interface FilterBank {
  readonly outputs: number;
  readonly taps: number;
  readonly first: Int32Array;
  readonly weights: Float32Array;
}

/**
 * Triangle (linear) filter with the support scaled to the reduction, weights normalised inside the
 * image: Pillow's BILINEAR `resize`, and PyTorch's `interpolate(mode="bilinear", antialias=True)`.
 */
export function triangleFilter(inputs: number, outputs: number): FilterBank {
  const scale = inputs / outputs;
  const support = Math.max(1, scale);
  const rows = Array.from({ length: outputs }, (_, out) => {
    const centre = (out + 0.5) * scale;
    const from = Math.max(0, Math.floor(centre - support + 0.5));
    const to = Math.min(inputs, Math.floor(centre + support + 0.5));
    const weights = Array.from({ length: to - from }, (_, tap) =>
      Math.max(0, 1 - Math.abs((from + tap + 0.5 - centre) / support)),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { from, weights: weights.map((weight) => weight / sum) };
  });
  return filterBank(inputs, rows);
}

/** Bilinear interpolation with half-pixel centres and clamped edges; no low-pass when it shrinks. */
export function bilinearFilter(inputs: number, outputs: number): FilterBank {
  const scale = inputs / outputs;
  const rows = Array.from({ length: outputs }, (_, out) => {
    const at = Math.min(inputs - 1, Math.max(0, (out + 0.5) * scale - 0.5));
    const from = Math.min(Math.floor(at), Math.max(0, inputs - 2));
    return { from, weights: [1 - (at - from), at - from].slice(0, inputs) };
  });
  return filterBank(inputs, rows);
}

interface Weighted {
  /** The input sample of the first weight. */
  readonly from: number;
  readonly weights: readonly number[];
}

/** As few taps as the longest row needs; `first + taps` never passes the end of the input. */
function filterBank(inputs: number, rows: readonly Weighted[]): FilterBank {
  const lean = rows.map(({ from, weights }) => {
    const begin = weights.findIndex((weight) => weight !== 0);
    const end = weights.findLastIndex((weight) => weight !== 0) + 1;
    return { from: from + begin, weights: weights.slice(begin, end) };
  });
  const taps = Math.max(...lean.map(({ weights }) => weights.length));
  const first = new Int32Array(rows.length);
  const weights = new Float32Array(rows.length * taps);
  lean.forEach((row, out) => {
    const start = Math.min(row.from, inputs - taps);
    first[out] = start;
    weights.set(row.weights, out * taps + row.from - start);
  });
  return { outputs: rows.length, taps, first, weights };
}

/**
 * Filters the rows of `input` (rows x inputs, row-major) into `output` (rows x outputs).
 * `inputStride` and `outputStride` are the lengths of a row in memory.
 */
export function filterRows(
  bank: FilterBank,
  input: Float32Array,
  inputStride: number,
  rows: number,
  output: Float32Array,
  outputStride: number,
): void {
  const { outputs, taps, first, weights } = bank;
  for (let row = 0; row < rows; row++) {
    const source = row * inputStride;
    const target = row * outputStride;
    for (let out = 0; out < outputs; out++) {
      const from = source + first[out]!;
      let sum = 0;
      for (let tap = 0, at = out * taps; tap < taps; tap++, at++)
        sum += weights[at]! * input[from + tap]!;
      output[target + out] = sum;
    }
  }
}

/**
 * Filters the columns of `input` (inputs x columns, row-major, dense) into rows of `output`,
 * starting at `outputOffset`, one row every `outputStride`.
 */
export function filterColumns(
  bank: FilterBank,
  input: Float32Array,
  columns: number,
  output: Float32Array,
  outputOffset: number,
  outputStride: number,
): void {
  const { outputs, taps, first, weights } = bank;
  for (let out = 0; out < outputs; out++) {
    const target = outputOffset + out * outputStride;
    output.fill(0, target, target + columns);
    for (let tap = 0; tap < taps; tap++) {
      const weight = weights[out * taps + tap]!;
      if (weight === 0) continue;
      const source = (first[out]! + tap) * columns;
      for (let column = 0; column < columns; column++)
        output[target + column]! += weight * input[source + column]!;
    }
  }
}

/**
 * Turns axial slices in Hounsfield units into what the model sees: windowed to [0, 1], shrunk by
 * the triangle filter, letterboxed. One instance serves all slices of a volume. Images of a case go
 * through `SliceShrinker`, which does the same seven times as fast; this one takes masks, and is what
 * that one is held to.
 */
export class SlicePreprocessor {
  readonly letterbox: Letterbox;
  private readonly grid: Pick<Grid, 'columns' | 'rows'>;
  private readonly lowHu: number;
  private readonly scalePerHu: number;
  private readonly across: FilterBank;
  private readonly down: FilterBank;
  private readonly windowed: Float32Array;
  private readonly narrowed: Float32Array;

  constructor(
    grid: Pick<Grid, 'columns' | 'rows' | 'spacingMm'>,
    windowHu: readonly [number, number],
    sizePx: number,
  ) {
    this.grid = grid;
    this.letterbox = letterboxFor(grid, sizePx);
    this.lowHu = windowHu[0];
    this.scalePerHu = 1 / (windowHu[1] - windowHu[0]);
    this.across = triangleFilter(grid.columns, this.letterbox.width);
    this.down = triangleFilter(grid.rows, this.letterbox.height);
    this.windowed = new Float32Array(grid.columns * grid.rows);
    this.narrowed = new Float32Array(this.letterbox.width * grid.rows);
  }

  /**
   * @param hu rows x columns, canonical axial order; NaN counts as the lower end of the window
   * @param output sizePx x sizePx at `offset`, in [0, 1]; everything outside the letterbox is 0
   */
  apply(hu: ArrayLike<number>, output: Float32Array, offset = 0): void {
    const { letterbox, grid } = this;
    this.window(hu);
    filterRows(this.across, this.windowed, grid.columns, grid.rows, this.narrowed, letterbox.width);
    output.fill(0, offset, offset + letterbox.sizePx * letterbox.sizePx);
    filterColumns(
      this.down,
      this.narrowed,
      letterbox.width,
      output,
      offset + letterbox.y0 * letterbox.sizePx + letterbox.x0,
      letterbox.sizePx,
    );
  }

  private window(hu: ArrayLike<number>): void {
    const { windowed, lowHu, scalePerHu } = this;
    for (let at = 0; at < windowed.length; at++) {
      const value = (hu[at]! - lowHu) * scalePerHu;
      // NaN fails every comparison and so ends at 0, as air does.
      if (value >= 1) windowed[at] = 1;
      else if (value > 0) windowed[at] = value;
      else windowed[at] = 0;
    }
  }
}

/**
 * Takes slices of a mask to the model's square as the trainer takes labels there: letterboxed, triangle
 * filter, set where the share is at least one half.
 *
 * @param grid the canonical grid that the masks' boxes lie in
 * @returns slice k, which the box must hold, as sizePx x sizePx bytes, 0 or 1
 */
export function maskToSquare(
  grid: Grid,
  sizePx: number,
): (mask: CroppedMask, k: number) => Uint8Array {
  // A mask is an image whose window is [0, 1]: the model's own way to its square serves it as well.
  const preprocessor = new SlicePreprocessor(grid, [0, 1], sizePx);
  const native = new Uint8Array(grid.columns * grid.rows);
  const share = new Float32Array(sizePx ** 2);
  return (mask, k) => {
    paste(mask, k, grid.columns, native.fill(0));
    preprocessor.apply(native, share);
    return Uint8Array.from(share, (value) => (value >= 0.5 ? 1 : 0));
  };
}

function paste({ mask, box }: CroppedMask, k: number, columns: number, native: Uint8Array): void {
  const { columns: width, rows: height } = mask.grid;
  for (let j = 0; j < height; j++) {
    const from = ((k - box.sliceStart) * height + j) * width;
    const to = (box.rowStart + j) * columns + box.columnStart;
    native.set(mask.data.subarray(from, from + width), to);
  }
}
