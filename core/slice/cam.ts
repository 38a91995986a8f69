import type { BundleManifest } from '../contract/bundle.ts';
import { bilinearFilter, type FilterBank, filterColumns, filterRows } from './resample.ts';

/** Inclusive pixel indices x0, y0, x1, y1 in the model's square. */
export type Box = readonly [number, number, number, number];

/** What the class activation map says where the target is: SAM's dense and box prompts. */
export interface CamPrompt {
  /** sizePx x sizePx, 0 or 1: the dense prompt. */
  readonly mask: Uint8Array;
  readonly areaPx: number;
  readonly box: Box;
  /** The map had no positive value; the box is the centre half of the square. */
  readonly empty: boolean;
}

/**
 * The CAM rule of Zhou et al. (CVPR 2016): enlarge the rectified map, keep what reaches a share of
 * its maximum, keep its largest 4-connected component, box it.
 */
export class CamPrompter {
  private readonly gridPx: number;
  private readonly sizePx: number;
  private readonly thresholdOfMax: number;
  private readonly enlarge: FilterBank;
  private readonly rectified: Float32Array;
  private readonly widened: Float32Array;
  private readonly enlarged: Float32Array;

  constructor(gridPx: number, sizePx: number, rule: Pick<BundleManifest['cam'], 'thresholdOfMax'>) {
    this.gridPx = gridPx;
    this.sizePx = sizePx;
    this.thresholdOfMax = rule.thresholdOfMax;
    this.enlarge = bilinearFilter(gridPx, sizePx);
    this.rectified = new Float32Array(gridPx * gridPx);
    this.widened = new Float32Array(gridPx * sizePx);
    this.enlarged = new Float32Array(sizePx * sizePx);
  }

  /** @param cam gridPx x gridPx raw, signed activations of one slice */
  prompt(cam: Float32Array): CamPrompt {
    for (let at = 0; at < cam.length; at++) this.rectified[at] = Math.max(0, cam[at]!);
    filterRows(this.enlarge, this.rectified, this.gridPx, this.gridPx, this.widened, this.sizePx);
    filterColumns(this.enlarge, this.widened, this.sizePx, this.enlarged, 0, this.sizePx);
    let peak = 0;
    for (let at = 0; at < this.enlarged.length; at++) peak = Math.max(peak, this.enlarged[at]!);
    if (peak <= 0) return this.centreBox();
    return largestComponent(this.enlarged, this.sizePx, this.thresholdOfMax * peak);
  }

  /** An all-zero dense prompt would say "nothing here", so the box is filled. */
  private centreBox(): CamPrompt {
    const low = this.sizePx / 4;
    const high = (3 * this.sizePx) / 4 - 1;
    const mask = new Uint8Array(this.sizePx * this.sizePx);
    for (let y = low; y <= high; y++)
      mask.fill(1, y * this.sizePx + low, y * this.sizePx + high + 1);
    return { mask, areaPx: (high - low + 1) ** 2, box: [low, low, high, high], empty: true };
  }
}

interface Component {
  readonly pixels: Int32Array;
  readonly peak: number;
}

/**
 * The largest 4-connected component of `map >= threshold`; of equals the one with the higher peak,
 * then the first in raster order.
 */
function largestComponent(map: Float32Array, sizePx: number, threshold: number): CamPrompt {
  const seen = new Uint8Array(map.length);
  const stack = new Int32Array(map.length);
  let best: Component | undefined;
  for (let seed = 0; seed < map.length; seed++) {
    if (seen[seed] || map[seed]! < threshold) continue;
    const found = flood(map, sizePx, threshold, seed, seen, stack);
    if (
      !best ||
      found.pixels.length > best.pixels.length ||
      (found.pixels.length === best.pixels.length && found.peak > best.peak)
    )
      best = found;
  }
  return toPrompt(best!.pixels, sizePx);
}

function flood(
  map: Float32Array,
  sizePx: number,
  threshold: number,
  seed: number,
  seen: Uint8Array,
  stack: Int32Array,
): Component {
  // Visited pixels stay in `stack`, so at the end it holds the component itself.
  let filled = 1;
  stack[0] = seed;
  seen[seed] = 1;
  let peak = map[seed]!;
  const visit = (pixel: number): void => {
    if (seen[pixel] || map[pixel]! < threshold) return;
    seen[pixel] = 1;
    stack[filled++] = pixel;
    if (map[pixel]! > peak) peak = map[pixel]!;
  };
  for (let next = 0; next < filled; next++) {
    const pixel = stack[next]!;
    const x = pixel % sizePx;
    if (x > 0) visit(pixel - 1);
    if (x < sizePx - 1) visit(pixel + 1);
    if (pixel >= sizePx) visit(pixel - sizePx);
    if (pixel < map.length - sizePx) visit(pixel + sizePx);
  }
  return { pixels: stack.slice(0, filled), peak };
}

function toPrompt(pixels: Int32Array, sizePx: number): CamPrompt {
  const mask = new Uint8Array(sizePx * sizePx);
  let [x0, y0, x1, y1] = [sizePx, sizePx, 0, 0];
  for (const pixel of pixels) {
    mask[pixel] = 1;
    const x = pixel % sizePx;
    const y = (pixel - x) / sizePx;
    x0 = Math.min(x0, x);
    x1 = Math.max(x1, x);
    y0 = Math.min(y0, y);
    y1 = Math.max(y1, y);
  }
  return { mask, areaPx: pixels.length, box: [x0, y0, x1, y1], empty: false };
}
