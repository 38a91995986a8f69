import { VOXEL } from '../../core/labelling/label-plane.ts';
import type { Spot } from '../../core/labelling/paint.ts';
import type { Place } from '../wheel.ts';
import type { WindowHu } from '../windows.ts';
import type { DrawnSlice } from './drawn-slice.ts';
import { MOST_ZOOM } from './zoom.ts';

export interface Extras {
  /** Two corners of a box that is being dragged. */
  readonly box: readonly [Spot, Spot] | null;
  /** The cursor of the keyboard. */
  readonly cursor: Spot | null;
  /** What brush or eraser would touch, radius in voxels. */
  readonly brush: { readonly at: Spot; readonly radius: number } | null;
}

type Rgb = readonly [number, number, number];

/** Told apart by everyone: what is labelled, proposed and nobody's word yet, and of classes not drawn here. */
const TARGET: Rgb = [86, 180, 233];
const PROPOSED: Rgb = [240, 228, 66];
const OTHER: Rgb = [230, 159, 0];

/** So much of the picture stays in sight, wherever it is moved. */
const KEPT_PX = 60;
/** Voxels are shown as squares from this size on. */
const SQUARES_FROM_PX = 4;

/** Draws one axial slice on a 2D canvas, at first as large as it fits, and tells voxels from places on it. */
export class SlicePicture {
  private readonly canvas: HTMLCanvasElement;
  private readonly voxels = document.createElement('canvas');
  private zoom = 1;
  /** Of the slice's middle from that of the canvas, in CSS pixels. */
  private offset: Place = { x: 0, y: 0 };

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
  }

  /** @param windowHu what is black and what is white */
  show(slice: DrawnSlice, windowHu: WindowHu, { box, cursor, brush }: Extras): void {
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
    context.imageSmoothingEnabled = perColumn < SQUARES_FROM_PX;
    context.drawImage(voxels, left, top, slice.columns * perColumn, slice.rows * perRow);
    const at = ({ x, y }: Spot) =>
      [left + (x + 0.5) * perColumn, top + (y + 0.5) * perRow] as const;
    context.strokeStyle = '#fff';
    context.lineWidth = 1.5;
    if (box) {
      const [[x0, y0], [x1, y1]] = [at(box[0]), at(box[1])];
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
    if (cursor) {
      const [x, y] = at(cursor);
      context.strokeRect(x - 8, y, 16, 0);
      context.strokeRect(x, y - 8, 0, 16);
    }
    if (brush) {
      const { radius } = brush;
      context.beginPath();
      context.ellipse(...at(brush.at), radius * perColumn, radius * perRow, 0, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  spotOf(slice: DrawnSlice, { x, y }: Place): Spot {
    const fit = this.fit(slice);
    return {
      x: (x - fit.left) / fit.perColumn - 0.5,
      y: (y - fit.top) / fit.perRow - 0.5,
    };
  }

  /** Enlarges about a place, which stays where it is; undefined for the middle. */
  zoomBy(factor: number, place?: Place): void {
    const zoom = Math.max(1, Math.min(MOST_ZOOM, this.zoom * factor));
    const by = zoom / this.zoom;
    const { clientWidth, clientHeight } = this.canvas;
    const from = place
      ? { x: place.x - clientWidth / 2, y: place.y - clientHeight / 2 }
      : { x: 0, y: 0 };
    this.zoom = zoom;
    this.offset = {
      x: from.x + (this.offset.x - from.x) * by,
      y: from.y + (this.offset.y - from.y) * by,
    };
  }

  moveBy(x: number, y: number): void {
    this.offset = { x: this.offset.x + x, y: this.offset.y + y };
  }

  /** The whole slice again. */
  reset(): void {
    this.zoom = 1;
    this.offset = { x: 0, y: 0 };
  }

  private fit({ columns, rows, columnMm, rowMm }: DrawnSlice) {
    const { clientWidth, clientHeight } = this.canvas;
    const whole = Math.min(clientWidth / (columns * columnMm), clientHeight / (rows * rowMm));
    const perMm = whole * this.zoom;
    const [perColumn, perRow] = [columnMm * perMm, rowMm * perMm];
    const [width, height] = [columns * perColumn, rows * perRow];
    const kept = (value: number, size: number, room: number): number => {
      const most = Math.max(0, (size + room) / 2 - KEPT_PX);
      return Math.max(-most, Math.min(most, value));
    };
    const { x, y } = this.offset;
    this.offset = { x: kept(x, width, clientWidth), y: kept(y, height, clientHeight) };
    return {
      perColumn,
      perRow,
      left: (clientWidth - width) / 2 + this.offset.x,
      top: (clientHeight - height) / 2 + this.offset.y,
    };
  }
}

/** Inside of a contour only a little of its colour: what was drawn over must stay visible. */
const INSIDE = 0.25;

function coloured(slice: DrawnSlice, [low, high]: WindowHu): ImageData {
  const { columns, hu, mask, kinds } = slice;
  const image = new ImageData(columns, slice.rows);
  const { data } = image;
  for (let at = 0; at < hu.length; at++) {
    const grey = Math.max(0, Math.min(255, ((hu[at]! - low) * 255) / (high - low)));
    const colour = mask[at] ? drawnAs(kinds[at]!) : kinds[at] === VOXEL.other ? OTHER : null;
    const inner = mask[at - 1] && mask[at + 1] && mask[at - columns] && mask[at + columns];
    const share = colour === null ? 0 : mask[at] && !inner ? 1 : INSIDE;
    for (let c = 0; c < 3; c++) data[at * 4 + c] = grey * (1 - share) + (colour?.[c] ?? 0) * share;
    data[at * 4 + 3] = 255;
  }
  return image;
}

const drawnAs = (kind: number): Rgb => (kind === VOXEL.proposed ? PROPOSED : TARGET);
