/**
 * The scalar voxel types of NIfTI and how their bytes become numbers. Codes are those of the
 * NIfTI-1 header field `datatype` (nifti1.h); NIfTI-2 uses the same ones.
 */

export type NiftiDtype =
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'int32'
  | 'uint64'
  | 'int64'
  | 'float32'
  | 'float64';

export type VoxelArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** A voxel array whose elements are plain numbers: what the kernels read. */
export type NumberArray = Exclude<VoxelArray, BigUint64Array | BigInt64Array>;

interface DtypeSpec {
  readonly code: number;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly integer: boolean;
  readonly view: (buffer: ArrayBuffer, offset: number, length: number) => VoxelArray;
}

export const DTYPES: Readonly<Record<NiftiDtype, DtypeSpec>> = {
  uint8: { code: 2, bytes: 1, integer: true, view: (b, o, n) => new Uint8Array(b, o, n) },
  int16: { code: 4, bytes: 2, integer: true, view: (b, o, n) => new Int16Array(b, o, n) },
  int32: { code: 8, bytes: 4, integer: true, view: (b, o, n) => new Int32Array(b, o, n) },
  float32: { code: 16, bytes: 4, integer: false, view: (b, o, n) => new Float32Array(b, o, n) },
  float64: { code: 64, bytes: 8, integer: false, view: (b, o, n) => new Float64Array(b, o, n) },
  int8: { code: 256, bytes: 1, integer: true, view: (b, o, n) => new Int8Array(b, o, n) },
  uint16: { code: 512, bytes: 2, integer: true, view: (b, o, n) => new Uint16Array(b, o, n) },
  uint32: { code: 768, bytes: 4, integer: true, view: (b, o, n) => new Uint32Array(b, o, n) },
  int64: { code: 1024, bytes: 8, integer: true, view: (b, o, n) => new BigInt64Array(b, o, n) },
  uint64: { code: 1280, bytes: 8, integer: true, view: (b, o, n) => new BigUint64Array(b, o, n) },
};

/** Names of the types that hold more or less than one real number per voxel. */
const UNSUPPORTED: Readonly<Record<number, string>> = {
  0: 'no type at all',
  1: '1-bit',
  32: 'complex64',
  128: 'RGB24',
  1536: 'float128',
  1792: 'complex128',
  2048: 'complex256',
  2304: 'RGBA32',
};

export const dtypeOfCode = (code: number): NiftiDtype | undefined =>
  (Object.keys(DTYPES) as NiftiDtype[]).find((name) => DTYPES[name].code === code);

export const unsupportedDtypeName = (code: number): string =>
  UNSUPPORTED[code] ?? `datatype code ${code}`;

const HOST_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const inHostOrder = (elementBytes: number, littleEndian: boolean): boolean =>
  elementBytes === 1 || littleEndian === HOST_LITTLE_ENDIAN;

/** Reverses the bytes of every element in place where they are not in the host's order. */
export function toHostOrder(bytes: Uint8Array, elementBytes: number, littleEndian: boolean): void {
  if (inHostOrder(elementBytes, littleEndian)) return;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (elementBytes === 2) buffer.swap16();
  else if (elementBytes === 4) buffer.swap32();
  else buffer.swap64();
}

/** Bytes of the host's elements in the byte order asked for: copied where that differs. */
export function inByteOrder(
  bytes: Uint8Array,
  elementBytes: number,
  littleEndian: boolean,
): Uint8Array {
  if (inHostOrder(elementBytes, littleEndian)) return bytes;
  const copy = new Uint8Array(bytes);
  toHostOrder(copy, elementBytes, littleEndian);
  return copy;
}

/**
 * The voxels in `bytes` (host order, start aligned to the element) as numbers: a view wherever the
 * type allows. 64-bit integers are copied to float64, rounded to the nearest beyond 2^53.
 */
export function asNumbers(bytes: Uint8Array<ArrayBuffer>, dtype: NiftiDtype): NumberArray {
  const { bytes: size, view } = DTYPES[dtype];
  const length = bytes.byteLength / size;
  if (dtype === 'int64' || dtype === 'uint64') return widen(bytes, length, dtype === 'int64');
  return view(bytes.buffer, bytes.byteOffset, length) as NumberArray;
}

/** Halves are read as 32-bit words: a BigInt per voxel would cost twenty times as much. */
function widen(bytes: Uint8Array<ArrayBuffer>, length: number, signed: boolean): Float64Array {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, length * 2);
  const signedWords = new Int32Array(bytes.buffer, bytes.byteOffset, length * 2);
  const out = new Float64Array(length);
  const lowFirst = HOST_LITTLE_ENDIAN ? 0 : 1;
  for (let n = 0; n < length; n++) {
    const low = words[2 * n + lowFirst]!;
    const high = signed ? signedWords[2 * n + 1 - lowFirst]! : words[2 * n + 1 - lowFirst]!;
    out[n] = high * 4294967296 + low;
  }
  return out;
}

const ARRAY_DTYPES: Readonly<Record<string, NiftiDtype>> = {
  Uint8Array: 'uint8',
  Int8Array: 'int8',
  Uint16Array: 'uint16',
  Int16Array: 'int16',
  Uint32Array: 'uint32',
  Int32Array: 'int32',
  BigUint64Array: 'uint64',
  BigInt64Array: 'int64',
  Float32Array: 'float32',
  Float64Array: 'float64',
};

/** The dtype that holds the elements of `array` unchanged. */
export const dtypeOfArray = (array: VoxelArray): NiftiDtype => {
  const name = Object.prototype.toString.call(array).slice('[object '.length, -1);
  return ARRAY_DTYPES[name]!;
};
