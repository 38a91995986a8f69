import type { BundleManifest } from '../contract/bundle.ts';
import type { Letterbox } from '../contract/manifest.ts';
import type { ByteStream } from '../ports.ts';
import type { Affine, AffineRow } from '../volume/affine.ts';
import { canonicalAffine } from '../volume/canonical.ts';
import { encodeNifti } from '../volume/encode.ts';
import type { Geometry } from '../volume/geometry.ts';
import { gzip } from '../volume/gzip.ts';
import type { NiftiHeader } from '../volume/header.ts';
import { bilinearFilter, type FilterBank, filterColumns, filterRows } from './letterbox.ts';

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

/** The classifier's maps of a whole volume. */
export interface CamStack {
  /** float32[slices, gridPx, gridPx], canonical slice order, none negative. */
  readonly activations: Float32Array;
  readonly gridPx: number;
}

/** 16 bits: a slice of faint activations, beside the volume's peak, keeps its shape. */
const FULL_SCALE = 65_535;

/**
 * The class activation maps as a gzipped NIfTI-1 volume of gridPx x gridPx x slices that any viewer
 * lays over the input: the sform maps its small cells to where they lie in the patient. Values are the
 * rectified activations themselves, whose mean over a slice (before rectifying) is the classifier's
 * logit less its bias, so slices compare with each other; uint16 with `scl_slope` = peak / 65535.
 */
export function encodeCamVolume(
  { activations, gridPx }: CamStack,
  { header, geometry }: { readonly header: NiftiHeader; readonly geometry: Geometry },
  letterbox: Letterbox,
): ByteStream {
  const peak = activations.reduce((highest, value) => Math.max(highest, value), 0);
  const slope = peak > 0 ? Math.fround(peak / FULL_SCALE) : 1;
  const voxels = Uint16Array.from(activations, (value) =>
    Math.min(FULL_SCALE, Math.round(value / slope)),
  );
  const spec = {
    shape: [gridPx, gridPx, geometry.grid.slices],
    affine: camAffine(gridPx, geometry, letterbox),
    sclSlope: slope,
    xyztUnits: header.xyztUnits,
    descrip: 'sammix class activation map',
  };
  return gzip(once(encodeNifti(spec, voxels)));
}

const once = async function* (bytes: Uint8Array): ByteStream {
  yield bytes;
};

/**
 * Cell index (u, v, slice) of the map to RAS+ position, in the units of the input's affine. Cell u
 * covers the pixels [u, u + 1) * sizePx / gridPx of the model's square, as the upsampling with
 * half-pixel centres has it; the square's pixels [x0, x0 + width) cover the slice's columns.
 */
function camAffine(gridPx: number, geometry: Geometry, letterbox: Letterbox): Affine {
  const { grid } = geometry;
  const cellPx = letterbox.sizePx / gridPx;
  const perPx = [grid.columns / letterbox.width, grid.rows / letterbox.height] as const;
  // Canonical column and row = scale * cell index + offset; slices are the same.
  const scale = [perPx[0] * cellPx, perPx[1] * cellPx] as const;
  const offset = [
    (cellPx / 2 - letterbox.x0) * perPx[0] - 0.5,
    (cellPx / 2 - letterbox.y0) * perPx[1] - 0.5,
  ] as const;
  const row = (along: AffineRow): AffineRow => [
    along[0] * scale[0],
    along[1] * scale[1],
    along[2],
    along[3] + along[0] * offset[0] + along[1] * offset[1],
  ];
  const [x, y, z, last] = canonicalAffine(geometry);
  return [row(x), row(y), row(z), last];
}
