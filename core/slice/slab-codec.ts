import { gunzipSync, gzipSync } from 'node:zlib';
import type { CaseManifest, SliceRecord } from '../contract/manifest.ts';

/**
 * How slabs of slices travel between the stages.
 *
 * A slab of images is uint16 little-endian [n, size, size]: the windowed slice times 65535, so the
 * rounding (8e-6) stays far below one Hounsfield unit of any window. A slab of masks is gzip over
 * one bit per voxel: for each slice that reached SAM, in order, the mask on the slice's own grid
 * and then the CAM mask in the model's square, each padded to whole bytes.
 */
const FULL_SCALE = 65535;

/** @param images float32[n, size, size] in [0, 1] */
export function encodeImages(images: Float32Array): Uint8Array {
  const bytes = new Uint8Array(images.length * 2);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < images.length; at++)
    view.setUint16(at * 2, Math.round(images[at]! * FULL_SCALE), true);
  return bytes;
}

export function decodeImages(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const images = new Float32Array(bytes.length / 2);
  for (let at = 0; at < images.length; at++) images[at] = view.getUint16(at * 2, true) / FULL_SCALE;
  return images;
}

/** The masks of one slice that reached SAM. */
export interface SliceMasks {
  /** rows x columns, 0 or 1. */
  readonly mask: Uint8Array;
  /** sizePx x sizePx, 0 or 1. */
  readonly cam: Uint8Array;
}

export function encodeMasks(slices: readonly SliceMasks[]): Uint8Array {
  const packed = slices.flatMap(({ mask, cam }) => [pack(mask), pack(cam)]);
  // Level 1: masks are runs of equal bits, and the stage that reads them waits for this.
  return gzipSync(Buffer.concat(packed), { level: 1 });
}

/** The masks by canonical slice index; slices that never reached SAM are absent. */
export function decodeMasks(
  bytes: Uint8Array,
  records: readonly SliceRecord[],
  manifest: Pick<CaseManifest, 'geometry' | 'letterbox'>,
): Map<number, SliceMasks> {
  const { rows, columns } = manifest.geometry.grid;
  const packed = gunzipSync(bytes);
  let at = 0;
  const next = (voxels: number): Uint8Array => {
    const length = Math.ceil(voxels / 8);
    const unpacked = unpack(packed.subarray(at, at + length), voxels);
    at += length;
    return unpacked;
  };
  const drawn = records.filter((record) => record.box !== null);
  return new Map(
    drawn.map((record) => [
      record.index,
      { mask: next(rows * columns), cam: next(manifest.letterbox.sizePx ** 2) },
    ]),
  );
}

/** Eight voxels to a byte, the first in the lowest bit. */
function pack(voxels: Uint8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(voxels.length / 8));
  for (let at = 0; at < voxels.length; at++) if (voxels[at]) packed[at >> 3]! |= 1 << (at & 7);
  return packed;
}

function unpack(packed: Uint8Array, voxels: number): Uint8Array {
  const unpacked = new Uint8Array(voxels);
  for (let at = 0; at < voxels; at++) unpacked[at] = (packed[at >> 3]! >> (at & 7)) & 1;
  return unpacked;
}
