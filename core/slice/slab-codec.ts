import { constants, gunzipSync, gzipSync } from 'node:zlib';
import type { CaseManifest, SlabRecords } from '../contract/manifest.ts';

/**
 * How slabs of slices travel between the stages.
 *
 * A slab of images is uint16 little-endian [n, size, size]: the windowed slice times 65535, so the
 * rounding (8e-6) stays far below one Hounsfield unit of any window. A slab of masks is gzip over
 * first the classifier's map of every slice, float32 little-endian [n, gridPx, gridPx], negative
 * values as 0 (so that it shrinks to a tenth), then one bit per voxel: for each slice that reached
 * SAM, in order, the mask on the slice's own grid and then the CAM mask in the model's square, each
 * padded to whole bytes.
 */
const FULL_SCALE = 65535;

/** float32[n, size, size] in [0, 1]. */
export function decodeImages(bytes: Uint8Array): Float32Array {
  const values = stored(bytes);
  const images = new Float32Array(values.length);
  for (let at = 0; at < images.length; at++) images[at] = values[at]! / FULL_SCALE;
  return images;
}

/** The slab's slice `at` in shades of grey, size x size from 0 to 255. */
export function greySlice(bytes: Uint8Array, at: number, sizePx: number): Uint8Array {
  const plane = sizePx ** 2;
  return greyOf(stored(bytes.subarray(at * plane * 2, (at + 1) * plane * 2)));
}

/** A prepared slice in shades of grey. */
export const greyOf = (square: Uint16Array): Uint8Array =>
  Uint8Array.from(square, (value) => Math.round((value * 255) / FULL_SCALE));

/** The uint16 that `SlicePreparation` made. */
function stored(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}

/** The masks of one slice that reached SAM. */
export interface SliceMasks {
  /** rows x columns, 0 or 1. */
  readonly mask: Uint8Array;
  /** sizePx x sizePx, 0 or 1. */
  readonly cam: Uint8Array;
}

/** The same, still packed: each is unpacked when it is asked for, as readers want one of the two. */
export interface PackedMasks {
  mask(): Uint8Array;
  cam(): Uint8Array;
}

/** @param activations the map of every slice of the slab, gridPx x gridPx each */
export function encodeMasks(
  activations: readonly Float32Array[],
  slices: readonly SliceMasks[],
): Uint8Array {
  const packed = slices.flatMap(({ mask, cam }) => [pack(mask), pack(cam)]);
  // Masks are runs of equal bits, and the stage that reads them waits for this.
  const options = { level: 1, strategy: constants.Z_RLE };
  return gzipSync(Buffer.concat([...activations.map(floatBytes), ...packed]), options);
}

/** float32[n, gridPx, gridPx], none negative: the classifier's maps of a slab's slices, in order. */
export function decodeActivations(
  bytes: Uint8Array,
  records: Pick<SlabRecords, 'camGridPx' | 'slices'>,
): Float32Array {
  const packed = gunzipSync(bytes);
  const view = new DataView(packed.buffer, packed.byteOffset, activationBytes(records));
  return Float32Array.from({ length: view.byteLength / 4 }, (_, at) =>
    view.getFloat32(at * 4, true),
  );
}

const activationBytes = ({ slices, camGridPx }: Pick<SlabRecords, 'camGridPx' | 'slices'>) =>
  slices.length * camGridPx ** 2 * 4;

function floatBytes(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < values.length; at++) view.setFloat32(at * 4, values[at]!, true);
  return bytes;
}

/** Planes of 8-bit probabilities of the slices that reached SAM, in order. */
export const encodeProbabilities = (planes: readonly Uint8Array[]): Uint8Array =>
  gzipSync(Buffer.concat(planes), { level: 1 });

/** The same by canonical slice index; slices that never reached SAM are absent. */
export function decodeProbabilities(
  bytes: Uint8Array,
  records: Pick<SlabRecords, 'slices'>,
  voxelsPerSlice: number,
): Map<number, Uint8Array> {
  const planes = gunzipSync(bytes);
  const drawn = records.slices.filter((record) => record.box !== null);
  return new Map(
    drawn.map(({ index }, n) => [
      index,
      planes.subarray(n * voxelsPerSlice, (n + 1) * voxelsPerSlice),
    ]),
  );
}

/** The masks by canonical slice index; slices that never reached SAM are absent. */
export function decodeMasks(
  bytes: Uint8Array,
  records: Pick<SlabRecords, 'camGridPx' | 'slices'>,
  manifest: Pick<CaseManifest, 'geometry' | 'letterbox'>,
): Map<number, PackedMasks> {
  const { rows, columns } = manifest.geometry.grid;
  const packed = gunzipSync(bytes);
  let at = activationBytes(records);
  const next = (voxels: number): (() => Uint8Array) => {
    const bits = packed.subarray(at, at + Math.ceil(voxels / 8));
    at += bits.length;
    return () => unpack(bits, voxels);
  };
  const drawn = records.slices.filter((record) => record.box !== null);
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
  // Most bytes hold background only: eight voxels are looked at as two words first.
  const words =
    voxels.byteOffset % 4 === 0
      ? new Int32Array(voxels.buffer, voxels.byteOffset, (voxels.length >> 3) * 2)
      : new Int32Array(0);
  const whole = words.length >> 1;
  for (let byte = 0; byte < whole; byte++) {
    const [low, high] = [words[2 * byte]!, words[2 * byte + 1]!];
    if ((low | high) !== 0) packed[byte] = nibble(low) | (nibble(high) << 4);
  }
  for (let at = whole * 8; at < voxels.length; at++)
    if (voxels[at]) packed[at >> 3]! |= 1 << (at & 7);
  return packed;
}

/** The lowest bits of four bytes. */
const nibble = (word: number): number =>
  (word | (word >>> 7) | (word >>> 14) | (word >>> 21)) & 0xf;

/** Four bits as four bytes, the first in the lowest. */
const NIBBLES = Uint32Array.from({ length: 16 }, (_, bits) =>
  [0, 1, 2, 3].reduce((word, bit) => word + ((bits >> bit) & 1) * 2 ** (8 * bit), 0),
);

function unpack(packed: Uint8Array, voxels: number): Uint8Array {
  const words = new Uint32Array(packed.length * 2);
  for (let byte = 0; byte < packed.length; byte++) {
    const bits = packed[byte]!;
    if (bits === 0) continue;
    words[2 * byte] = NIBBLES[bits & 0xf]!;
    words[2 * byte + 1] = NIBBLES[bits >> 4]!;
  }
  return new Uint8Array(words.buffer, 0, voxels);
}
