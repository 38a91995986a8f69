import type { ViewVolume } from '../core/contract/view.ts';
import type { Affine } from '../core/volume/affine.ts';
import { DTYPES } from '../core/volume/dtype.ts';
import { type Geometry, geometryOf } from '../core/volume/geometry.ts';
import { type NiftiHeader, parseHeader } from '../core/volume/header.ts';
import { HeaderFields, NIFTI1, NIFTI2 } from '../core/volume/header-layout.ts';
import { scalingOf } from '../core/volume/scaling.ts';

/** A NIfTI file in memory, uncompressed. */
export interface Volume {
  /** File name, for messages. */
  readonly name: string;
  readonly header: NiftiHeader;
  readonly geometry: Geometry;
  readonly file: Uint8Array<ArrayBuffer>;
}

/** Told how many bytes have come so far, as they are stored, and of how many where that is known. */
export type OnBytes = (bytes: number, total: number | undefined) => void;

/** Downloads a volume, gzipped or not. Throws with a text for the reader. */
export async function fetchVolume({ url, name }: ViewVolume, onBytes: OnBytes): Promise<Volume> {
  const file = await inflated(await bytesAt(url, name, onBytes), name);
  const header = parseHeader(file, name);
  return { name, header, geometry: geometryOf(header, name), file };
}

/** Throws with what a reader can do about it. */
export async function answerOf(url: string, name: string): Promise<Response> {
  const answer = await fetch(url).catch((cause: unknown) => {
    throw unreachable(name, cause);
  });
  if (answer.ok) return answer;
  throw refused(name, answer.status);
}

const unreachable = (name: string, cause: unknown): Error =>
  new Error(`${name} could not be loaded: is "sammix view" still running?`, { cause });

function refused(name: string, status: number): Error {
  const expired = 'The address has expired: run "sammix site view" again.';
  const remedy = status === 403 ? expired : 'Is the file still where it was?';
  return new Error(`${name} could not be loaded (HTTP ${status}). ${remedy}`);
}

/** Not `fetch`: it tells of progress only to who takes the body apart, chunk by chunk. */
function bytesAt(url: string, name: string, onBytes: OnBytes): Promise<Blob> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('GET', url);
    request.responseType = 'blob';
    request.onprogress = ({ loaded, total, lengthComputable }) =>
      onBytes(loaded, lengthComputable ? total : undefined);
    request.onerror = () => reject(unreachable(name, undefined));
    request.onload = () => {
      if (request.status === 200) resolve(request.response as Blob);
      else reject(refused(name, request.status));
    };
    request.send();
  });
}

async function inflated(blob: Blob, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const [first, second] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  if (first !== 0x1f || second !== 0x8b) return new Uint8Array(await blob.arrayBuffer());
  try {
    const stream = blob.stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    // Browsers read one gzip member; `bgzip` and the like write many.
    throw new Error(`${name} could not be decompressed: it is damaged, or has several members.`, {
      cause,
    });
  }
}

/** Reads voxels in stored order as numbers, scaled as the header says. */
function voxelReader({ header, geometry, file }: Volume): {
  readonly count: number;
  readonly at: (voxel: number) => number;
} {
  const { shape } = geometry;
  const { dtype, littleEndian: little } = header;
  const count = shape[0] * shape[1] * shape[2];
  const { bytes } = DTYPES[dtype];
  const view = new DataView(file.buffer, file.byteOffset + header.voxOffset, count * bytes);
  const raw: Readonly<Record<typeof dtype, (at: number) => number>> = {
    uint8: (at) => view.getUint8(at),
    int8: (at) => view.getInt8(at),
    uint16: (at) => view.getUint16(at, little),
    int16: (at) => view.getInt16(at, little),
    uint32: (at) => view.getUint32(at, little),
    int32: (at) => view.getInt32(at, little),
    uint64: (at) => Number(view.getBigUint64(at, little)),
    int64: (at) => Number(view.getBigInt64(at, little)),
    float32: (at) => view.getFloat32(at, little),
    float64: (at) => view.getFloat64(at, little),
  };
  const read = raw[dtype];
  const { slope, inter } = scalingOf(header, 'the volume');
  return { count, at: (voxel) => read(voxel * bytes) * slope + inter };
}

/** 1 where the volume is above 0, in stored order: what counts as liver in a mask or a label. */
export function binaryVoxels(volume: Volume): Uint8Array<ArrayBuffer> {
  const { count, at } = voxelReader(volume);
  const voxels = new Uint8Array(count);
  for (let n = 0; n < count; n++) voxels[n] = at(n) > 0 ? 1 : 0;
  return voxels;
}

/** float32 in stored order, what is not finite as 0. */
export function floatVoxels(volume: Volume): Float32Array<ArrayBuffer> {
  const { count, at } = voxelReader(volume);
  const voxels = new Float32Array(count);
  for (let n = 0; n < count; n++) {
    const value = at(n);
    voxels[n] = Number.isFinite(value) ? value : 0;
  }
  return voxels;
}

export const voxelsOf = ({ geometry: { shape } }: Volume): number => shape[0] * shape[1] * shape[2];

/**
 * A coarser copy, half as many columns and rows, as many slices: of an image the mean of each two by
 * two voxels, as float32; of a mask 1 where any of them is inside. A last odd column or row stays alone.
 */
export function halvedInPlane(volume: Volume): Volume {
  const { header, geometry, name } = volume;
  const { shape, transform, affine } = geometry;
  const factor = [1, 1, 1];
  for (const axis of [0, 1] as const) factor[transform.storedAxis[axis]] = 2;
  const half = shape.map((size, axis) => Math.ceil(size / factor[axis]!)) as [
    number,
    number,
    number,
  ];
  const count = half[0] * half[1] * half[2];
  const { at } = voxelReader(volume);
  const sums = new Float32Array(count);
  const weights = new Uint8Array(count);
  let from = 0;
  for (let z = 0; z < shape[2]; z++)
    for (let y = 0; y < shape[1]; y++) {
      const row = (Math.floor(z / factor[2]!) * half[1] + Math.floor(y / factor[1]!)) * half[0];
      for (let x = 0; x < shape[0]; x++, from++) {
        const to = row + Math.floor(x / factor[0]!);
        sums[to]! += at(from);
        weights[to]!++;
      }
    }
  for (let to = 0; to < count; to++) sums[to]! /= weights[to]!;
  // The centre of the first coarse voxel lies between those of the voxels that it covers.
  const coarser = (along: Affine[0]): Affine[0] => [
    along[0] * factor[0]!,
    along[1] * factor[1]!,
    along[2] * factor[2]!,
    along[3] + [0, 1, 2].reduce((sum, axis) => sum + along[axis]! * ((factor[axis]! - 1) / 2), 0),
  ];
  const placed = {
    shape: half,
    affine: [coarser(affine[0]), coarser(affine[1]), coarser(affine[2]), affine[3]] as Affine,
  };
  const file = new Uint8Array(niftiFile(header, placed, sums));
  const coarse = parseHeader(file, name);
  return { name, header: coarse, geometry: geometryOf(coarse, name), file };
}

/**
 * A NIfTI file with the header of `like` and one unambiguous affine: viewers choose between sform,
 * qform and neither by rules of their own, and everything here must lie where the reports say.
 */
export function niftiFile(
  like: NiftiHeader,
  { shape, affine }: { readonly shape: Geometry['shape']; readonly affine: Affine },
  voxels: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
): ArrayBuffer {
  const layout = like.version === 1 ? NIFTI1 : NIFTI2;
  const file = new Uint8Array(layout.dataOffset + voxels.byteLength);
  file.set(like.raw);
  const fields = new HeaderFields(file, layout, like.littleEndian);
  const dtype = voxels instanceof Uint8Array ? DTYPES.uint8 : DTYPES.float32;
  fields.setText(layout.magicAt, layout.singleMagic.length, layout.singleMagic);
  fields.set('voxOffset', layout.dataOffset);
  fields.setList('dim', [3, ...shape, 1, 1, 1, 1]);
  fields.set('datatype', dtype.code);
  fields.set('bitpix', dtype.bytes * 8);
  fields.set('sclSlope', 1);
  fields.set('sclInter', 0);
  setAffine(fields, affine);
  if (voxels instanceof Uint8Array) file.set(voxels, layout.dataOffset);
  else writeFloats(file, layout.dataOffset, voxels, like.littleEndian);
  return file.buffer;
}

function writeFloats(
  file: Uint8Array<ArrayBuffer>,
  offset: number,
  values: Float32Array,
  littleEndian: boolean,
): void {
  const view = new DataView(file.buffer, offset);
  for (let n = 0; n < values.length; n++) view.setFloat32(n * 4, values[n]!, littleEndian);
}

/** Types that NiiVue uploads as they are; the others become float32. */
const DRAWN_AS_STORED = ['uint8', 'int16', 'uint16', 'float32'];

/** The image as NiiVue takes it. May change `file` in place. */
export function imageFile(volume: Volume): ArrayBuffer {
  const { header, geometry, file } = volume;
  if (!DRAWN_AS_STORED.includes(header.dtype))
    return niftiFile(header, geometry, floatVoxels(volume));
  const layout = header.version === 1 ? NIFTI1 : NIFTI2;
  const fields = new HeaderFields(file, layout, header.littleEndian);
  setAffine(fields, geometry.affine);
  const { slope, inter } = scalingOf(header, 'the volume');
  fields.set('sclSlope', slope);
  fields.set('sclInter', inter);
  return file.buffer;
}

function setAffine(fields: HeaderFields, affine: Affine): void {
  fields.setList('srow', affine.slice(0, 3).flat());
  fields.set('sformCode', 2);
  fields.set('qformCode', 0);
}
