/// <reference path="./untyped.d.ts" />
import type { WasmDecoderClass, WasmFactory, WasmModule } from './codec-modules.d.ts';
import type { Instance } from './instance.ts';

/**
 * The compressed transfer syntaxes of PS3.5 that CT comes in, by the WebAssembly builds of CharLS,
 * OpenJPEG, OpenJPH and libjpeg-turbo; each is loaded when the first frame wants it.
 */

type Decode = (frame: Uint8Array, instance: Instance) => Promise<Uint8Array>;

interface Syntax {
  readonly name: string;
  readonly decode?: Decode;
  /** Bits a sample that the decoder can give. */
  readonly mostBits?: number;
}

/** The libraries would print to stdout, where a result may be. Each makes its module of a copy. */
const SILENT = { print: () => undefined, printErr: () => undefined };

function wasm(name: string, load: () => Promise<{ default: WasmFactory }>): Decode {
  let loading: Promise<WasmModule> | undefined;
  return async (frame, instance) => {
    loading ??= load().then(({ default: open }) => open({ ...SILENT }));
    try {
      return decodeWith(await loading, name, frame, instance);
    } catch (cause) {
      // A trap leaves the module's memory as it was in the middle of the work.
      if (cause instanceof Error && cause.name === 'RuntimeError') loading = undefined;
      throw cause;
    }
  };
}

const jpegLs = wasm('JpegLSDecoder', () => import('@cornerstonejs/codec-charls/decodewasmjs'));
const jpeg2000 = wasm('J2KDecoder', () => import('@cornerstonejs/codec-openjpeg/decodewasmjs'));
const htj2k = wasm('HTJ2KDecoder', () => import('@cornerstonejs/codec-openjph'));
const jpeg8 = wasm('JPEGDecoder', () => import('@cornerstonejs/codec-libjpeg-turbo-8bit/decode'));

const SYNTAXES: Readonly<Record<string, Syntax>> = {
  '1.2.840.10008.1.2': { name: 'implicit little endian' },
  '1.2.840.10008.1.2.1': { name: 'explicit little endian' },
  '1.2.840.10008.1.2.1.99': { name: 'deflated explicit little endian' },
  '1.2.840.10008.1.2.2': { name: 'explicit big endian' },
  '1.2.840.10008.1.2.4.50': { name: 'JPEG baseline', decode: jpeg8, mostBits: 8 },
  '1.2.840.10008.1.2.4.51': { name: 'JPEG extended', decode: jpeg8, mostBits: 8 },
  '1.2.840.10008.1.2.4.57': { name: 'JPEG lossless', decode: jpegLossless },
  '1.2.840.10008.1.2.4.70': { name: 'JPEG lossless', decode: jpegLossless },
  '1.2.840.10008.1.2.4.80': { name: 'JPEG-LS', decode: jpegLs },
  '1.2.840.10008.1.2.4.81': { name: 'JPEG-LS', decode: jpegLs },
  '1.2.840.10008.1.2.4.90': { name: 'JPEG 2000', decode: jpeg2000 },
  '1.2.840.10008.1.2.4.91': { name: 'JPEG 2000', decode: jpeg2000 },
  '1.2.840.10008.1.2.4.201': { name: 'HTJ2K', decode: htj2k },
  '1.2.840.10008.1.2.4.202': { name: 'HTJ2K', decode: htj2k },
  '1.2.840.10008.1.2.4.203': { name: 'HTJ2K', decode: htj2k },
  '1.2.840.10008.1.2.5': { name: 'RLE', decode: async (frame, instance) => rle(frame, instance) },
};

export const transferSyntaxName = (uid: string): string =>
  SYNTAXES[uid]?.name ?? `transfer syntax ${uid}`;

export function isDecodable({ transferSyntaxUid, bitsStored }: Instance): boolean {
  const syntax = SYNTAXES[transferSyntaxUid];
  return syntax?.decode !== undefined && bitsStored <= (syntax.mostBits ?? 16);
}

/**
 * One frame as native little endian pixels of `bitsAllocated` bits. The frame's own header is held
 * against the object's before a decoder allocates for it; decoders throw what they like.
 */
export async function decodeFrame(frame: Uint8Array, instance: Instance): Promise<Uint8Array> {
  const { decode } = SYNTAXES[instance.transferSyntaxUid]!;
  const size = codestreamSize(frame);
  if (size) requireSize(size, instance);
  return decode!(frame, instance);
}

function requireSize(size: { columns: number; rows: number }, instance: Instance): void {
  if (size.columns === instance.columns && size.rows === instance.rows) return;
  throw new Error(
    `a picture of ${size.columns} x ${size.rows} instead of ${instance.columns} x ${instance.rows}`,
  );
}

/** From SIZ of JPEG 2000 (T.800 A.5.1) or the frame header of JPEG (T.81 B.2.2) and JPEG-LS. */
function codestreamSize(frame: Uint8Array): { columns: number; rows: number } | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.byteLength > 24 && view.getUint32(0) === 0xff4fff51)
    return {
      columns: view.getUint32(8) - view.getUint32(16),
      rows: view.getUint32(12) - view.getUint32(20),
    };
  if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 <= view.byteLength; ) {
    const marker = view.getUint16(at);
    if (marker < 0xff00) return undefined;
    const isFrame = (marker & 0xfff0) === 0xffc0 && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (isFrame || marker === 0xfff7)
      return { rows: view.getUint16(at + 5), columns: view.getUint16(at + 7) };
    at += marker === 0xffff ? 1 : 2 + view.getUint16(at + 2);
  }
  return undefined;
}

function decodeWith(
  module: WasmModule,
  name: string,
  frame: Uint8Array,
  instance: Instance,
): Uint8Array {
  const Decoder = module[name] as WasmDecoderClass;
  const decoder = new Decoder();
  try {
    decoder.getEncodedBuffer(frame.byteLength).set(frame);
    decoder.decode();
    const { width, height, bitsPerSample, componentCount } = decoder.getFrameInfo();
    requireSize({ columns: width, rows: height }, instance);
    if (componentCount !== 1) throw new Error(`${componentCount} samples a pixel`);
    // A copy: the decoder's memory goes with it.
    return widened(decoder.getDecodedBuffer().slice(), bitsPerSample, instance);
  } catch (cause) {
    // Emscripten throws a number, the address of a C++ exception.
    if (typeof cause !== 'number') throw cause;
    throw new Error(exceptionText(module, cause) ?? 'damaged data', { cause });
  } finally {
    decoder.delete();
  }
}

function exceptionText({ getExceptionMessage }: WasmModule, address: number): string | undefined {
  const text: unknown = getExceptionMessage?.(address);
  return typeof text === 'string' ? text : undefined;
}

/** 8-bit samples of an object with 16 bits a pixel. */
function widened(decoded: Uint8Array, bits: number, { bitsAllocated }: Instance): Uint8Array {
  if (bits > 8 || bitsAllocated === 8) return decoded;
  return new Uint8Array(Uint16Array.from(decoded).buffer);
}

async function jpegLossless(frame: Uint8Array, instance: Instance): Promise<Uint8Array> {
  const { Decoder } = await import('jpeg-lossless-decoder-js');
  const decoder = new Decoder();
  const decoded = decoder.decode(frame.slice().buffer, 0, frame.byteLength);
  const bytes = new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.byteLength);
  return widened(bytes, decoded.BYTES_PER_ELEMENT * 8, instance);
}

/**
 * RLE of PS3.5 annex G: a table of segments, one for each byte of a pixel, the most significant
 * first, each packed as PackBits.
 */
function rle(frame: Uint8Array, { columns, rows, bitsAllocated }: Instance): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const segments = bitsAllocated / 8;
  if (view.getUint32(0, true) !== segments)
    throw new Error(`${view.getUint32(0, true)} RLE segments instead of ${segments}`);
  const out = new Uint8Array(columns * rows * segments);
  for (let segment = 0; segment < segments; segment++) {
    const from = view.getUint32(4 + 4 * segment, true);
    const to = segment + 1 < segments ? view.getUint32(8 + 4 * segment, true) : frame.byteLength;
    const pixels = unpackBits(frame.subarray(from, to), out, segments - 1 - segment, segments);
    if (pixels < columns * rows) throw new Error(`${pixels} of ${columns * rows} pixels`);
  }
  return out;
}

/** Writes every `step`th byte of `out` from `first` on; returns how many. */
function unpackBits(packed: Uint8Array, out: Uint8Array, first: number, step: number): number {
  let to = first;
  for (let at = 0; at + 1 < packed.length && to < out.length; ) {
    const control = packed[at++]!;
    if (control === 128) continue;
    const count = control < 128 ? control + 1 : 257 - control;
    if (control < 128 && at + count > packed.length) break;
    for (let n = 0; n < count && to < out.length; n++, to += step)
      out[to] = packed[control < 128 ? at + n : at]!;
    at += control < 128 ? count : 1;
  }
  return Math.floor((to - first) / step);
}
