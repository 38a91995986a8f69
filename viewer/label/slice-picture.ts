import { VOXEL } from '../../core/labelling/label-plane.ts';
import type { Plane, Spot } from '../../core/labelling/paint.ts';

/** A slice as the server sends it, with the mask that is drawn on it. */
export interface ShownSlice extends Plane {
  readonly hu: Int16Array;
  readonly kinds: Uint8Array;
  readonly columnMm: number;
  readonly rowMm: number;
}

export interface Extras {
  /** Two corners of a box that is being dragged. */
  readonly box: readonly [Spot, Spot] | null;
  /** The cursor of the keyboard. */
  readonly cursor: Spot | null;
}

/** Target, and classes that are not drawn here: blue and orange, told apart by everyone. */
const TARGET = [86, 180, 233] as const;
const OTHER = [230, 159, 0] as const;

/** Draws one axial slice on a 2D canvas, as large as it fits, and tells voxels from places on it. */
export class SlicePicture {
  private readonly canvas: HTMLCanvasElement;
  private readonly voxels = document.createElement('canvas');

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
  }

  /** @param windowHu what is black and what is white */
  show(slice: ShownSlice, windowHu: readonly [number, number], extras: Extras): void {
    const { canvas, voxels } = this;
    const ratio = window.devicePixelRatio;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    voxels.width = slice.columns;
    voxels.height = slice.rows;
    voxels.getContext('2d')!.putImageData(coloured(slice, windowHu), 0, 0);
    const context = canvas.getContext('2d')!;
    const { left, top, perColumn, perRow } = this.fit(slice);
    context.scale(ratio, ratio);
    context.drawImage(voxels, left, top, slice.columns * perColumn, slice.rows * perRow);
    const at = ({ x, y }: Spot) =>
      [left + (x + 0.5) * perColumn, top + (y + 0.5) * perRow] as const;
    context.strokeStyle = '#fff';
    context.lineWidth = 1.5;
    if (extras.box) {
      const [[x0, y0], [x1, y1]] = [at(extras.box[0]), at(extras.box[1])];
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
    if (extras.cursor) {
      const [x, y] = at(extras.cursor);
      context.strokeRect(x - 8, y, 16, 0);
      context.strokeRect(x, y - 8, 0, 16);
    }
  }

  spotOf(slice: ShownSlice, event: MouseEvent): Spot {
    const { left, top } = this.canvas.getBoundingClientRect();
    const fit = this.fit(slice);
    return {
      x: (event.clientX - left - fit.left) / fit.perColumn - 0.5,
      y: (event.clientY - top - fit.top) / fit.perRow - 0.5,
    };
  }

  private fit({ columns, rows, columnMm, rowMm }: ShownSlice) {
    const { clientWidth, clientHeight } = this.canvas;
    const perMm = Math.min(clientWidth / (columns * columnMm), clientHeight / (rows * rowMm));
    const [perColumn, perRow] = [columnMm * perMm, rowMm * perMm];
    return {
      perColumn,
      perRow,
      left: (clientWidth - columns * perColumn) / 2,
      top: (clientHeight - rows * perRow) / 2,
    };
  }
}

/** Inside of a contour only a little of its colour: what was drawn over must stay visible. */
const INSIDE = 0.25;

function coloured(slice: ShownSlice, [low, high]: readonly [number, number]): ImageData {
  const { columns, rows, hu, mask, kinds } = slice;
  const image = new ImageData(columns, rows);
  const { data } = image;
  for (let at = 0; at < hu.length; at++) {
    const grey = Math.max(0, Math.min(255, ((hu[at]! - low) * 255) / (high - low)));
    const colour = mask[at] ? TARGET : kinds[at] === VOXEL.other ? OTHER : null;
    const inner = mask[at - 1] && mask[at + 1] && mask[at - columns] && mask[at + columns];
    const share = colour === null ? 0 : mask[at] && !inner ? 1 : INSIDE;
    for (let c = 0; c < 3; c++) data[at * 4 + c] = grey * (1 - share) + (colour?.[c] ?? 0) * share;
    data[at * 4 + 3] = 255;
  }
  return image;
}
