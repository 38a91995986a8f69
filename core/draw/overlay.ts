import { type Contour, cutCorners, traceContours } from './contour.ts';
import { LAYERS, type Layer } from './layers.ts';
import type { DrawnSlice, SlicePicture } from './picture.ts';
import { encodePng, type Raster } from './png.ts';
import { drawText, emptyCoverage, strokeClosed, textWidthPx } from './stroke.ts';

const GAP_PX = 2;
const LEGEND_PX = 22;
const TEXT_SCALE = 2;
const WHITE = [255, 255, 255] as const;

/** The closed lines of one layer in pixel corners, or undefined where the slice has none. */
export function layerContours(picture: DrawnSlice, key: Layer['key']): Contour[] | undefined {
  const { sizePx, cam, mask, label, record } = picture;
  if (key === 'box') return record.box ? [boxContour(record.box)] : undefined;
  const plane = { cam, mask, label }[key];
  if (plane === null) return undefined;
  const contours = traceContours(plane, sizePx, sizePx);
  return contours.length > 0 ? contours : undefined;
}

/** The outline of an inclusive box x0, y0, x1, y1, around its outermost pixels. */
const boxContour = ([x0, y0, x1, y1]: readonly [number, number, number, number]): Contour => [
  x0,
  y0,
  x1 + 1,
  y0,
  x1 + 1,
  y1 + 1,
  x0,
  y1 + 1,
];

/** One slice in colour with its layers drawn on it, `sizePx` wide and high. */
export function drawSlice(picture: DrawnSlice): Raster {
  const { sizePx, image } = picture;
  const rgb = new Uint8Array(sizePx * sizePx * 3);
  for (let pixel = 0, at = 0; pixel < image.length; pixel++) {
    const grey = image[pixel]!;
    for (let channel = 0; channel < 3; channel++) rgb[at++] = grey;
  }
  for (const layer of LAYERS) drawLayer(rgb, picture, layer);
  return { width: sizePx, height: sizePx, rgb };
}

function drawLayer(rgb: Uint8Array, picture: DrawnSlice, layer: Layer): void {
  const contours = layerContours(picture, layer.key);
  if (contours === undefined) return;
  const coverage = emptyCoverage(picture.sizePx);
  for (const contour of contours) {
    const line = layer.key === 'box' ? contour : cutCorners(contour);
    strokeClosed(coverage, line, layer.widthPx, layer.dashPx);
  }
  const filled = layer.key === 'cam' && layer.fill > 0 ? picture.cam : null;
  const { amount } = coverage;
  for (let pixel = 0; pixel < amount.length; pixel++) {
    const share = Math.max(amount[pixel]!, filled?.[pixel] ? layer.fill : 0);
    if (share === 0) continue;
    for (let channel = 0; channel < 3; channel++) {
      const at = pixel * 3 + channel;
      rgb[at] = Math.round(rgb[at]! + share * (layer.rgb[channel]! - rgb[at]!));
    }
  }
}

/** Facts in the tile's corner: slice, probability, the decoder's own score. */
function captionOf({ record }: SlicePicture): string[] {
  const score = record.predictedIou === null ? '' : `IOU ${record.predictedIou.toFixed(2)}`;
  return [`K ${record.index}`, `P ${record.probability.toFixed(2)}`, score];
}

/** Slices side by side as one PNG, as `drawSlice` draws them, without captions or gaps. */
export function renderGalleryPng(pictures: readonly DrawnSlice[]): Uint8Array {
  const tiles = pictures.map(drawSlice);
  const [width, height] = [tiles.reduce((sum, tile) => sum + tile.width, 0), tiles[0]!.height];
  const gallery: Raster = { width, height, rgb: new Uint8Array(width * height * 3) };
  let left = 0;
  for (const tile of tiles) {
    paste(tile, gallery, left, 0);
    left += tile.width;
  }
  return encodePng(gallery.rgb, width, height, 'rgb');
}

/** Side of a thumbnail, about. */
const THUMBNAIL_PX = 128;

/** One slice, small: each pixel is the mean of a square of the drawn slice's. */
export function renderThumbnailPng(picture: SlicePicture): Uint8Array {
  const drawn = drawSlice(picture);
  const step = Math.max(1, Math.round(drawn.width / THUMBNAIL_PX));
  const side = Math.floor(drawn.width / step);
  const rgb = new Uint8Array(side * side * 3);
  for (let at = 0; at < rgb.length; at++) {
    const [channel, pixel] = [at % 3, Math.floor(at / 3)];
    const [left, top] = [(pixel % side) * step, Math.floor(pixel / side) * step];
    let sum = 0;
    for (let y = top; y < top + step; y++)
      for (let x = left; x < left + step; x++)
        sum += drawn.rgb[(y * drawn.width + x) * 3 + channel]!;
    rgb[at] = Math.round(sum / step ** 2);
  }
  return encodePng(rgb, side, side, 'rgb');
}

function paste(tile: Raster, onto: Raster, left: number, top: number): void {
  for (let y = 0; y < tile.height; y += 1) {
    const line = tile.rgb.subarray(y * tile.width * 3, (y + 1) * tile.width * 3);
    onto.rgb.set(line, ((top + y) * onto.width + left) * 3);
  }
}

/**
 * The montage as one PNG: slices from inferior to superior in reading order, with contours, box,
 * a caption per slice and a legend. The image's left is the patient's right.
 */
export function renderOverlayPng(pictures: readonly SlicePicture[]): Uint8Array {
  const tilePx = pictures[0]?.sizePx ?? 256;
  const columns = Math.max(1, Math.ceil(Math.sqrt(pictures.length)));
  const rows = Math.ceil(pictures.length / columns);
  const width = columns * (tilePx + GAP_PX) - GAP_PX;
  const height = rows * (tilePx + GAP_PX) + LEGEND_PX;
  const montage: Raster = { width, height, rgb: new Uint8Array(width * height * 3) };
  pictures.forEach((picture, n) => {
    const left = (n % columns) * (tilePx + GAP_PX);
    const top = Math.floor(n / columns) * (tilePx + GAP_PX);
    paste(drawSlice(picture), montage, left, top);
    captionOf(picture).forEach((text, line) => {
      drawText(montage, text, left + 4, top + 4 + line * 13, TEXT_SCALE, WHITE);
    });
    drawText(montage, 'R', left + 4, top + tilePx / 2, TEXT_SCALE, WHITE);
    drawText(montage, 'L', left + tilePx - 10, top + tilePx / 2, TEXT_SCALE, WHITE);
  });
  drawLegend(montage, pictures, height - LEGEND_PX + 6);
  return encodePng(montage.rgb, width, height, 'rgb');
}

function drawLegend(montage: Raster, pictures: readonly SlicePicture[], top: number): void {
  let left = 4;
  for (const layer of LAYERS) {
    if (layer.key === 'label' && pictures.every(({ label }) => label === null)) continue;
    const name = layer.name.toUpperCase();
    if (left + textWidthPx(name, TEXT_SCALE) > montage.width) return;
    drawText(montage, name, left, top, TEXT_SCALE, layer.rgb);
    left += textWidthPx(name, TEXT_SCALE) + 16;
  }
}
