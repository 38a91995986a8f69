import type { Letterbox } from '../contract/manifest.ts';
import { bilinearFilter, type FilterBank } from './letterbox.ts';

/**
 * Takes mask logits from the model's square back to the slice's own grid: the letterbox cut out,
 * bilinear with half-pixel centres, thresholded after the interpolation so that edges stay smooth.
 */
export class NativeGridMapper {
  private readonly letterbox: Letterbox;
  private readonly rows: number;
  private readonly columns: number;
  private readonly across: FilterBank;
  private readonly down: FilterBank;
  private readonly widened: Float32Array;

  constructor(letterbox: Letterbox, rows: number, columns: number) {
    this.letterbox = letterbox;
    this.rows = rows;
    this.columns = columns;
    this.across = bilinearFilter(letterbox.width, columns);
    this.down = bilinearFilter(letterbox.height, rows);
    this.widened = new Float32Array(columns * letterbox.height);
  }

  /**
   * @param logits sizePx x sizePx of the chosen mask
   * @returns rows x columns, 0 or 1
   */
  mask(logits: Float32Array, thresholdLogit: number): Uint8Array {
    const { across, down, widened, columns } = this;
    const mask = new Uint8Array(this.rows * columns);
    const box = boxAbove(logits, thresholdLogit, this.letterbox);
    if (!box) return mask;
    // Between logits at or below the threshold none is above it: only what touches the box can be.
    const [columnStart, columnEnd] = touching(across, box.x0, box.x1);
    const [rowStart, rowEnd] = touching(down, box.y0, box.y1);
    this.widen(logits, rowStart, rowEnd, columnStart, columnEnd);
    for (let row = rowStart; row < rowEnd; row++) {
      const upper = down.first[row]! * columns;
      const lower = upper + (down.taps - 1) * columns;
      const upperWeight = down.weights[row * down.taps]!;
      const lowerWeight = down.taps > 1 ? down.weights[row * down.taps + 1]! : 0;
      for (let column = columnStart; column < columnEnd; column++) {
        const logit =
          upperWeight * widened[upper + column]! + lowerWeight * widened[lower + column]!;
        if (logit > thresholdLogit) mask[row * columns + column] = 1;
      }
    }
    return mask;
  }

  /**
   * @param logits sizePx x sizePx of the chosen mask
   * @returns rows x columns, the probability times 255, rounded
   */
  probabilities(logits: Float32Array): Uint8Array {
    const { down, widened, columns, rows } = this;
    this.widen(logits, 0, rows, 0, columns);
    const out = new Uint8Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const upper = down.first[row]! * columns;
      const lower = upper + (down.taps - 1) * columns;
      const upperWeight = down.weights[row * down.taps]!;
      const lowerWeight = down.taps > 1 ? down.weights[row * down.taps + 1]! : 0;
      for (let column = 0; column < columns; column++) {
        const logit =
          upperWeight * widened[upper + column]! + lowerWeight * widened[lower + column]!;
        out[row * columns + column] = Math.round(255 / (1 + Math.exp(-logit)));
      }
    }
    return out;
  }

  /** The letterbox's rows that the rows from `rowStart` to `rowEnd` need, at the slice's width. */
  private widen(
    logits: Float32Array,
    rowStart: number,
    rowEnd: number,
    columnStart: number,
    columnEnd: number,
  ): void {
    const { across, down, widened, columns, letterbox } = this;
    const end = down.first[rowEnd - 1]! + down.taps;
    for (let y = down.first[rowStart]!; y < end; y++) {
      const from = (letterbox.y0 + y) * letterbox.sizePx + letterbox.x0;
      for (let column = columnStart; column < columnEnd; column++) {
        const left = from + across.first[column]!;
        const at = column * across.taps;
        const rest = across.taps > 1 ? across.weights[at + 1]! * logits[left + 1]! : 0;
        widened[y * columns + column] = across.weights[at]! * logits[left]! + rest;
      }
    }
  }
}

/** Half-open, in pixels of the letterbox. */
interface PixelBox {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

function boxAbove(
  logits: Float32Array,
  threshold: number,
  { sizePx, x0, y0, width, height }: Letterbox,
): PixelBox | undefined {
  let [left, right, top, bottom] = [width, 0, height, 0];
  for (let y = 0; y < height; y++) {
    const row = (y0 + y) * sizePx + x0;
    let first = 0;
    while (first < width && !(logits[row + first]! > threshold)) first++;
    if (first === width) continue;
    let last = width - 1;
    while (!(logits[row + last]! > threshold)) last--;
    left = Math.min(left, first);
    right = Math.max(right, last + 1);
    top = Math.min(top, y);
    bottom = y + 1;
  }
  return right === 0 ? undefined : { x0: left, y0: top, x1: right, y1: bottom };
}

/** The outputs, half-open, whose taps reach into the inputs from `start` to `end`. */
function touching({ first, taps, outputs }: FilterBank, start: number, end: number) {
  let [from, to] = [0, outputs];
  while (first[from]! + taps <= start) from++;
  while (first[to - 1]! >= end) to--;
  return [from, to] as const;
}
