import type { DataSet } from 'dicom-parser';
import dicomParser from 'dicom-parser';
import { InputError, StorageError } from '../core/errors.ts';
import { decodeFrame, isDecodable, transferSyntaxName } from './codecs.ts';
import {
  causeText,
  DEFLATED,
  damaged,
  type Frame,
  type Instance,
  unreadableObject,
  wholeObject,
} from './instance.ts';

/** Air; what padding outside the reconstruction is read as. */
export const AIR_HU = -1024;
/** No tissue, contrast or common implant is beyond; padding that maps there is padding. */
const BRIGHTEST_HU = 3071;
/** 8192 x 8192: sixteen times the largest CT matrix. */
const PLANE_LIMIT_PIXELS = 2 ** 26;

const BIG_ENDIAN = '1.2.840.10008.1.2.2';

/** Why the pixels of an object cannot become Hounsfield units, or undefined where they can. */
export function unreadable(instance: Instance): string | undefined {
  const { pixels, columns, rows, samplesPerPixel, bitsAllocated, bitsStored, highBit } = instance;
  if (!pixels) return 'it holds no pixels';
  if (samplesPerPixel !== 1) return `it is a colour picture (${samplesPerPixel} samples a pixel)`;
  if (columns * rows === 0 || columns * rows > PLANE_LIMIT_PIXELS)
    return `its matrix is ${columns} x ${rows}`;
  if (![8, 16, 32].includes(bitsAllocated)) return `it has ${bitsAllocated} bits a pixel`;
  if (!(bitsStored >= 1 && bitsStored <= highBit + 1 && highBit < bitsAllocated))
    return `it stores ${bitsStored} bits below bit ${highBit} of ${bitsAllocated}`;
  if (pixels.encapsulated && !isDecodable(instance))
    return `its compression cannot be read (${transferSyntaxName(instance.transferSyntaxUid)})`;
  const needed = instance.frames.length * columns * rows * (bitsAllocated / 8);
  if (pixels.encapsulated) return undefined;
  const held =
    instance.transferSyntaxUid === DEFLATED
      ? pixels.bytes
      : Math.min(pixels.bytes, instance.file.bytes - pixels.offset);
  return held < needed ? `it ends early (${held} of ${needed} bytes of pixels)` : undefined;
}

/**
 * The frames of one object. A native frame is read alone; a compressed or deflated object is held
 * as it lies in the file, and one frame of it is decoded at a time.
 */
export class FrameReader {
  private readonly instance: Instance;
  private whole: Promise<DataSet> | undefined;

  constructor(instance: Instance) {
    this.instance = instance;
  }

  /**
   * Hounsfield units of frame `index`, rows x columns.
   *
   * @throws InputError (`dicom-damaged`) where the pixels are short or cannot be decoded
   */
  async read(index: number): Promise<Float32Array> {
    const { instance } = this;
    const stored = await this.stored(index);
    return rescale(stored, instance, instance.frames[index]!);
  }

  private async stored(index: number): Promise<ArrayLike<number>> {
    const { instance } = this;
    const { file, columns, rows, bitsAllocated } = instance;
    const bytes = await this.bytes(index);
    const frameBytes = columns * rows * (bitsAllocated / 8);
    if (bytes.byteLength < frameBytes)
      throw damaged(file.name, `${bytes.byteLength} bytes of a frame of ${frameBytes}`);
    return samples(bytes.subarray(0, frameBytes), instance);
  }

  private async bytes(index: number): Promise<Uint8Array> {
    const { instance } = this;
    const { file, columns, rows, bitsAllocated, transferSyntaxUid, pixels } = instance;
    const frameBytes = columns * rows * (bitsAllocated / 8);
    if (pixels!.encapsulated) return this.decoded(index);
    if (transferSyntaxUid !== DEFLATED) {
      const from = pixels!.offset + index * frameBytes;
      const bytes = await file.read(from, from + frameBytes);
      return transferSyntaxUid === BIG_ENDIAN ? swapped(bytes, bitsAllocated / 8) : bytes;
    }
    const { byteArray, elements } = await this.object();
    const from = elements.x7fe00010!.dataOffset + index * frameBytes;
    return new Uint8Array(byteArray.subarray(from, from + frameBytes));
  }

  private async decoded(index: number): Promise<Uint8Array> {
    const { instance } = this;
    try {
      return await decodeFrame(encapsulatedFrame(await this.object(), index, instance), instance);
    } catch (cause) {
      if (cause instanceof InputError || cause instanceof StorageError) throw cause;
      throw damaged(
        instance.file.name,
        `${transferSyntaxName(instance.transferSyntaxUid)} data that cannot be decoded: ${causeText(cause)}`,
        cause,
      );
    }
  }

  private object(): Promise<DataSet> {
    this.whole ??= wholeObject(this.instance.file).catch((cause: unknown) => {
      throw unreadableObject(this.instance.file.name, cause);
    });
    return this.whole;
  }
}

/** Where there is no offset table, one fragment is one frame, or all are the only frame. */
function encapsulatedFrame(dataSet: DataSet, index: number, { frames }: Instance): Uint8Array {
  const element = dataSet.elements.x7fe00010!;
  const fragments = element.fragments ?? [];
  const offsets = element.basicOffsetTable ?? [];
  if (offsets.length >= frames.length)
    return dicomParser.readEncapsulatedImageFrame(dataSet, element, index) as Uint8Array;
  if (frames.length === 1)
    return dicomParser.readEncapsulatedPixelDataFromFragments(
      dataSet,
      element,
      0,
      fragments.length,
    ) as Uint8Array;
  if (fragments.length !== frames.length)
    throw new Error(`${fragments.length} fragments for ${frames.length} frames and no offsets`);
  return dicomParser.readEncapsulatedPixelDataFromFragments(dataSet, element, index) as Uint8Array;
}

function swapped(bytes: Uint8Array, elementBytes: number): Uint8Array {
  const buffer = Buffer.from(bytes);
  if (elementBytes === 2) buffer.swap16();
  if (elementBytes === 4) buffer.swap32();
  return buffer;
}

/** The stored values: bits above `highBit` (overlays of old objects) dropped, the sign extended. */
function samples(bytes: Uint8Array, instance: Instance): ArrayLike<number> {
  const { bitsAllocated, bitsStored, highBit, signed } = instance;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const count = bytes.byteLength / (bitsAllocated / 8);
  const raw =
    bitsAllocated === 8
      ? aligned
      : bitsAllocated === 16
        ? new Uint16Array(aligned.buffer, aligned.byteOffset, count)
        : new Uint32Array(aligned.buffer, aligned.byteOffset, count);
  const out = signed ? new Int32Array(count) : new Uint32Array(count);
  const up = 31 - highBit;
  const down = 32 - bitsStored;
  if (signed) for (let n = 0; n < count; n++) out[n] = (raw[n]! << up) >> down;
  else for (let n = 0; n < count; n++) out[n] = (raw[n]! << up) >>> down;
  return out;
}

/** Padding is read as air where it would be darker than air or brighter than anything in a patient. */
function rescale(stored: ArrayLike<number>, { padding }: Instance, frame: Frame): Float32Array {
  const { slope, intercept } = frame;
  const hu = new Float32Array(stored.length);
  for (let n = 0; n < hu.length; n++) hu[n] = stored[n]! * slope + intercept;
  if (!padding) return hu;
  for (let n = 0; n < hu.length; n++) {
    const value = stored[n]!;
    if (value < padding.from || value > padding.to) continue;
    if (hu[n]! < AIR_HU || hu[n]! > BRIGHTEST_HU) hu[n] = AIR_HU;
  }
  return hu;
}
