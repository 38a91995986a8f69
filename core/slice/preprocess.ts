import type { Grid } from '../volume/grid.ts';
import { type Letterbox, letterboxFor } from './letterbox.ts';
import { type FilterBank, filterColumns, filterRows, triangleFilter } from './resample.ts';

/**
 * Turns axial slices in Hounsfield units into what the model sees: windowed to [0, 1], shrunk by
 * the triangle filter, letterboxed. One instance serves all slices of a volume.
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
