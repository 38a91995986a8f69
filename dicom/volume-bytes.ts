import { createHash } from 'node:crypto';
import type { ByteStream } from '../core/ports.ts';
import { createHeader } from '../core/volume/encode.ts';
import { serialiseHeader } from '../core/volume/header.ts';
import type { Instance } from './instance.ts';
import { AIR_HU, FrameReader } from './pixels.ts';
import type { AxialStack } from './series.ts';
import { shiftPlane } from './shift.ts';
import type { PlacedSlice, VolumePlan } from './volume.ts';

/**
 * The volume as an uncompressed NIfTI-1 file, in Hounsfield units (int16 saturates at its ends).
 * Memory: three slices, besides what `FrameReader` holds of an object with many frames.
 *
 * @throws InputError (`dicom-damaged`) at an image whose pixels cannot be read
 */
export async function* niftiOfPlan(plan: VolumePlan): ByteStream {
  const { columns, rows, slices, dtype, affine } = plan;
  const header = createHeader({
    shape: [columns, rows, slices],
    dtype,
    affine,
    descrip: 'sammix: from a DICOM series',
  });
  yield serialiseHeader(header);
  const images = new PlacedImages(plan);
  for (let k = 0; k < slices; k++) {
    const hu = await images.at(k);
    if (dtype === 'int16') yield bytesOf(toInt16(hu));
    else yield bytesOf(hu.slice());
  }
}

function toInt16(hu: Float32Array): Int16Array {
  const out = new Int16Array(hu.length);
  for (let n = 0; n < hu.length; n++)
    out[n] = Math.max(-32768, Math.min(32767, Math.round(hu[n]!)));
  return out;
}

const bytesOf = (array: Int16Array | Float32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Gives the volume's slices in ascending order, holding the two images around each. */
class PlacedImages {
  private readonly plan: VolumePlan;
  private readonly held = new Map<number, Promise<Float32Array>>();
  private reader: { readonly instance: Instance; readonly frames: FrameReader } | undefined;

  constructor(plan: VolumePlan) {
    this.plan = plan;
  }

  async at(k: number): Promise<Float32Array> {
    const { plan } = this;
    if (plan.asStored) return this.load(k);
    const { below, above, share } = neighbours(plan, k);
    for (const n of this.held.keys()) if (n < below) this.held.delete(n);
    const a = await this.image(below);
    if (share === 0) return a;
    const b = await this.image(above);
    return a.map((value, n) => value + (b[n]! - value) * share);
  }

  private image(n: number): Promise<Float32Array> {
    let image = this.held.get(n);
    if (!image) {
      image = this.load(n).then((hu) => shifted(hu, this.plan, this.plan.placed[n]!));
      this.held.set(n, image);
    }
    return image;
  }

  private load(n: number): Promise<Float32Array> {
    const { instance, frameIndex } = this.plan.placed[n]!.source;
    if (this.reader?.instance !== instance)
      this.reader = { instance, frames: new FrameReader(instance) };
    return this.reader.frames.read(frameIndex);
  }
}

/** The images on either side of slice `k`, and how far it lies from the lower to the upper one. */
function neighbours(
  { placed, spacingMm }: Pick<VolumePlan, 'placed' | 'spacingMm'>,
  k: number,
): { below: number; above: number; share: number } {
  const mm = k * spacingMm.slice;
  let above = placed.findIndex(({ alongMm }) => alongMm >= mm - 1e-6);
  if (above < 0) above = placed.length - 1;
  if (above === 0 || placed[above]!.alongMm - mm < 1e-6) return { below: above, above, share: 0 };
  const from = placed[above - 1]!.alongMm;
  const share = (mm - from) / (placed[above]!.alongMm - from);
  return { below: above - 1, above, share };
}

/** The image at the volume's columns and rows. */
function shifted(
  hu: Float32Array,
  plan: VolumePlan,
  { source, shiftPx }: PlacedSlice,
): Float32Array {
  return shiftPlane(hu, source.instance, plan, shiftPx, AIR_HU);
}

/**
 * Names the content of a stack: the hash of its objects' identifiers and bytes, in the order of the
 * stack. Equal files in other folders or under other names give the same.
 */
export async function stackSha256({
  slices,
}: AxialStack): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const { file } of new Set(slices.map(({ instance }) => instance))) {
    for (let from = 0; from < file.bytes; from += CHUNK_BYTES) {
      const chunk = await file.read(from, Math.min(file.bytes, from + CHUNK_BYTES));
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
  }
  return { sha256: hash.digest('hex'), bytes };
}

const CHUNK_BYTES = 8 * 2 ** 20;
