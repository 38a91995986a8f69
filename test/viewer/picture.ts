import type { Page } from 'playwright-core';
import { PNG } from 'pngjs';
import type { Grid } from '../../core/volume/grid.ts';

export type Rgb = readonly [number, number, number];

/** The canvas as a reader sees it, after what was asked for has been drawn. */
export class CanvasPicture {
  private readonly png: PNG;

  private constructor(png: PNG) {
    this.png = png;
  }

  static async of(page: Page): Promise<CanvasPicture> {
    // Two frames: the page draws in the next one after a change.
    await page.evaluate(
      'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))',
    );
    return new CanvasPicture(PNG.sync.read(await page.locator('#canvas').screenshot()));
  }

  /**
   * The pixel over a voxel of the axial view: the slice fills the canvas, centred and undistorted,
   * patient right on the left and anterior on top.
   */
  overAxial(grid: Grid, column: number, row: number): Rgb {
    const { x, y } = this.placeOf(grid, column, row);
    return this.at(x, y);
  }

  /** Where that is, in pixels of the canvas. */
  placeOf(grid: Grid, column: number, row: number): { x: number; y: number } {
    const { width, height } = this.png;
    const { spacingMm } = grid;
    const [wideMm, highMm] = [grid.columns * spacingMm.column, grid.rows * spacingMm.row];
    const pxPerMm = Math.min(width / wideMm, height / highMm);
    const x = width / 2 + ((column + 0.5) * spacingMm.column - wideMm / 2) * pxPerMm;
    const y = height / 2 + ((row + 0.5) * spacingMm.row - highMm / 2) * pxPerMm;
    return { x: Math.round(x), y: Math.round(y) };
  }

  /** How many pixels are nearly of this colour. */
  count(colour: Rgb): number {
    let found = 0;
    for (let at = 0; at < this.png.data.length; at += 4)
      if (near([...this.png.data.subarray(at, at + 3)] as unknown as Rgb, colour)) found += 1;
    return found;
  }

  /** The middle of all pixels that are nearly of this colour. */
  middleOf(colour: Rgb): { x: number; y: number } {
    const { width, data } = this.png;
    let [x, y, found] = [0, 0, 0];
    for (let at = 0; at < data.length / 4; at++) {
      if (!near([...data.subarray(at * 4, at * 4 + 3)] as unknown as Rgb, colour)) continue;
      x += at % width;
      y += Math.floor(at / width);
      found += 1;
    }
    return { x: x / found, y: y / found };
  }

  sameAs(other: CanvasPicture): boolean {
    return Buffer.compare(this.png.data, other.png.data) === 0;
  }

  at(x: number, y: number): Rgb {
    const at = (y * this.png.width + x) * 4;
    const [r, g, b] = this.png.data.subarray(at, at + 3);
    return [r!, g!, b!];
  }
}

export const near = (a: Rgb, b: Rgb): boolean =>
  a.every((value, n) => Math.abs(value - b[n]!) <= 12);
