import type { Letterbox } from './letterbox.ts';
import { bilinearFilter, type FilterBank, filterColumns, filterRows } from './resample.ts';

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
  private readonly boxed: Float32Array;
  private readonly widened: Float32Array;
  private readonly logits: Float32Array;

  constructor(letterbox: Letterbox, rows: number, columns: number) {
    this.letterbox = letterbox;
    this.rows = rows;
    this.columns = columns;
    this.across = bilinearFilter(letterbox.width, columns);
    this.down = bilinearFilter(letterbox.height, rows);
    this.boxed = new Float32Array(letterbox.width * letterbox.height);
    this.widened = new Float32Array(columns * letterbox.height);
    this.logits = new Float32Array(rows * columns);
  }

  /**
   * @param logits sizePx x sizePx of the chosen mask
   * @returns rows x columns, 0 or 1
   */
  mask(logits: Float32Array, thresholdLogit: number): Uint8Array {
    const { letterbox, rows, columns } = this;
    for (let y = 0; y < letterbox.height; y++) {
      const from = (letterbox.y0 + y) * letterbox.sizePx + letterbox.x0;
      this.boxed.set(logits.subarray(from, from + letterbox.width), y * letterbox.width);
    }
    filterRows(this.across, this.boxed, letterbox.width, letterbox.height, this.widened, columns);
    filterColumns(this.down, this.widened, columns, this.logits, 0, columns);
    const mask = new Uint8Array(rows * columns);
    for (let at = 0; at < mask.length; at++) mask[at] = this.logits[at]! > thresholdLogit ? 1 : 0;
    return mask;
  }
}
