import type { Grid } from '../volume/grid.ts';

/**
 * Where an axial slice lies inside the square that the model sees. The square's side is the longer
 * side of the slice in millimetres, so a pixel is square whatever the spacing, and anatomy is never
 * stretched; the rest of the square holds the lower end of the window. (SAM, too, resizes by the
 * longest side and pads; it does so in pixels.)
 */
export interface Letterbox {
  /** Side of the square in pixels. */
  readonly sizePx: number;
  /** First column and row that the slice covers, and how many it covers. */
  readonly x0: number;
  readonly y0: number;
  readonly width: number;
  readonly height: number;
}

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
