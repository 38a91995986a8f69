import type { Letterbox } from '../contract/manifest.ts';
import type { Grid } from '../volume/grid.ts';

export type { Letterbox } from '../contract/manifest.ts';

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
