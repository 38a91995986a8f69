import type { ByteStream } from '../ports.ts';
import type { Affine, AffineRow } from '../volume/affine.ts';
import { encodeNifti } from '../volume/encode.ts';
import type { Geometry } from '../volume/geometry.ts';
import { gzip } from '../volume/gzip.ts';
import type { NiftiHeader } from '../volume/header.ts';
import type { Letterbox } from './letterbox.ts';

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
export function camAffine(
  gridPx: number,
  { affine, shape, transform, grid }: Geometry,
  letterbox: Letterbox,
): Affine {
  const cellPx = letterbox.sizePx / gridPx;
  const perPx = [grid.columns / letterbox.width, grid.rows / letterbox.height] as const;
  // Canonical voxel index = scale * cell index + offset, along columns, rows and slices.
  const scale = [perPx[0] * cellPx, perPx[1] * cellPx, 1] as const;
  const offset = [
    (cellPx / 2 - letterbox.x0) * perPx[0] - 0.5,
    (cellPx / 2 - letterbox.y0) * perPx[1] - 0.5,
    0,
  ] as const;
  const row = ([i, j, k, origin]: AffineRow): AffineRow => {
    const along = [i, j, k];
    let [start, ...steps] = [origin, 0, 0, 0];
    for (const axis of [0, 1, 2] as const) {
      const stored = transform.storedAxis[axis];
      const backwards = transform.flipped[axis];
      steps[axis] = along[stored]! * scale[axis] * (backwards ? -1 : 1);
      start += along[stored]! * (backwards ? shape[stored] - 1 - offset[axis] : offset[axis]);
    }
    return [steps[0]!, steps[1]!, steps[2]!, start];
  };
  return [row(affine[0]), row(affine[1]), row(affine[2]), [0, 0, 0, 1]];
}
