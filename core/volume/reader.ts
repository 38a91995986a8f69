import type { ByteStream } from '../ports.ts';
import { ByteReader } from './byte-reader.ts';
import { asNumbers, DTYPES, type NumberArray, toHostOrder } from './dtype.ts';
import { type Geometry, geometryOf } from './geometry.ts';
import { gunzip, isGzip } from './gzip.ts';
import { headerSize, type NiftiHeader, parseHeader, SMALLEST_HEADER_BYTES } from './header.ts';
import {
  pairWithoutImage,
  requireRoom,
  tooLarge,
  truncated,
  type VolumeFacts,
} from './reader-faults.ts';
import { type Scaling, scalingOf } from './scaling.ts';
import {
  type CanonicalStrides,
  canonicalStrides,
  gatherFloats,
  gatherIntegers,
  type UnusableVoxels,
} from './slice-kernel.ts';

export interface OpenOptions {
  /** Names the file in errors. */
  readonly subject: string;
  /** The `.img` of a `.hdr`/`.img` pair, plain or gzipped. */
  readonly imageSource?: ByteStream;
  /**
   * Size of the file that holds the voxels, where it is known: a header that promises more than that
   * can hold is refused before anything is allocated for it.
   */
  readonly fileBytes?: number | undefined;
}

/** One canonical axial slice. */
export interface AxialSlice {
  /** Slice index k on the canonical grid. */
  readonly index: number;
  /**
   * Scaled voxels, rows x columns: Hounsfield units where the file holds CT. The buffer is used
   * again for the next slice: copy what is to be kept.
   */
  readonly hu: Float32Array;
}

/** Slices gathered at once where slices are not planes of the file: 16 MiB of 512 x 512. */
const BLOCK_SLICES = 16;

/** The header file of a pair is read whole; beyond this it is no header. */
const PAIR_HEADER_LIMIT = 32 * 2 ** 20;

/**
 * Opens a NIfTI-1 or NIfTI-2 file, plain or gzipped (by its first bytes, not its name), and reads
 * the header only. Throws `InputError` with the codes of `parseHeader`, `geometryOf`, `gunzip`, and
 * `pair-without-image`, `bad-scaling`, `truncated-data`, `volume-too-large`.
 */
export async function openNifti(source: ByteStream, options: OpenOptions): Promise<NiftiReader> {
  const { subject, imageSource } = options;
  const { bytes, compressed } = await inflated(source, subject);
  try {
    const header = await readHeader(bytes, subject);
    const geometry = geometryOf(header, subject);
    const scaling = scalingOf(header, subject);
    if (header.singleFile) {
      const facts = { subject, header, geometry, scaling, compressed };
      requireRoom(facts, options.fileBytes);
      return new NiftiReader(facts, bytes);
    }
    if (imageSource === undefined) throw pairWithoutImage(subject);
    await bytes.close();
    const image = await inflated(imageSource, subject);
    const facts = { subject, header, geometry, scaling, compressed: image.compressed };
    requireRoom(facts, options.fileBytes);
    await skip(image.bytes, header.voxOffset, facts);
    return new NiftiReader(facts, image.bytes);
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

/** The bytes of a file, gzip undone where its first bytes say so. */
export async function inflated(
  source: ByteStream,
  subject: string,
): Promise<{ bytes: ByteReader; compressed: boolean }> {
  const bytes = new ByteReader(source);
  if (!isGzip(await bytes.peek(2))) return { bytes, compressed: false };
  return { bytes: new ByteReader(gunzip(bytes.rest(), subject)), compressed: true };
}

/** Takes the header and all before the first voxel; for a pair, the whole header file. */
async function readHeader(bytes: ByteReader, subject: string): Promise<NiftiHeader> {
  const start = await bytes.peek(SMALLEST_HEADER_BYTES);
  const fixed = await bytes.read(headerSize(start, subject));
  const alone = parseHeader(fixed, subject);
  const more = alone.singleFile ? alone.voxOffset - fixed.byteLength : PAIR_HEADER_LIMIT;
  const rest = await bytes.read(more);
  if (rest.byteLength === 0) return alone;
  return parseHeader(Buffer.concat([fixed, rest]), subject);
}

/** An opened volume. Its voxels can be read once. */
export class NiftiReader {
  readonly subject: string;
  readonly header: NiftiHeader;
  readonly geometry: Geometry;
  readonly scaling: Scaling;
  readonly compressed: boolean;
  private readonly unusable: UnusableVoxels = { notFinite: 0, beyondFloat32: 0 };
  /** Bytes after the last voxel; known once all slices are read. */
  trailingBytes = 0;
  private readonly bytes: ByteReader;

  constructor(facts: VolumeFacts, bytes: ByteReader) {
    this.subject = facts.subject;
    this.header = facts.header;
    this.geometry = facts.geometry;
    this.scaling = facts.scaling;
    this.compressed = facts.compressed;
    this.bytes = bytes;
  }

  /** Voxels so far that were NaN or infinite and were read as air. */
  get nonFiniteVoxels(): number {
    return this.unusable.notFinite;
  }

  /** Voxels so far whose value is beyond float32: no HU. */
  get beyondFloat32Voxels(): number {
    return this.unusable.beyondFloat32;
  }

  /** True where slices lie one after the other in the file, so that one at a time is held. */
  get streams(): boolean {
    return this.geometry.transform.storedAxis[2] === 2;
  }

  /**
   * All canonical axial slices in the order in which they lie in memory, each exactly once. Where
   * the axial axis is the slowest in memory (`streams`), memory is bounded by a few slices whatever
   * their number; else the stored voxels are held once as a whole (512 x 512 x 400 int16: 200 MiB)
   * and slices come in ascending order. The stream is read to its end, so that a checksum or length
   * that does not hold throws even after the last slice was given out.
   * Throws `InputError`: `truncated-data`, `truncated-gzip`, `corrupt-gzip`.
   */
  axialSlices(): AsyncGenerator<AxialSlice, void, undefined> {
    return this.toTheEnd(this.streams ? this.slicesFromPlanes() : this.slicesFromVolume());
  }

  /**
   * True where planes of the file are axial slices of int16 with canonical columns and rows as the
   * first and second axis (either may be flipped): what scanners and converters write.
   */
  get holdsInt16Slices(): boolean {
    return (
      this.header.dtype === 'int16' &&
      this.scalesIntoFloat32 &&
      this.geometry.transform.storedAxis.every((a, c) => a === c)
    );
  }

  /** Whether no integer of the type can be scaled beyond float32. */
  private get scalesIntoFloat32(): boolean {
    const { bytes, integer } = DTYPES[this.header.dtype];
    const { slope, inter } = this.scaling;
    return integer && Math.abs(slope) * 2 ** (8 * bytes) + Math.abs(inter) < FLOAT32_MAX;
  }

  /**
   * Instead of `axialSlices` where `holdsInt16Slices`: fills `plane` with the stored voxels of one
   * slice after the other, unscaled and as they lie in the file, and gives each slice's canonical
   * index. Throws as `axialSlices`.
   */
  storedSlices(plane: Int16Array<ArrayBuffer>): AsyncGenerator<number, void, undefined> {
    const bytes = new Uint8Array(plane.buffer, plane.byteOffset, plane.byteLength);
    return this.toTheEnd(this.planesInto(bytes));
  }

  /** Lets go of the source; only needed where the slices are not read to their end. */
  close(): Promise<void> {
    return this.bytes.close();
  }

  private async *toTheEnd<T>(slices: AsyncGenerator<T>): AsyncGenerator<T, void, undefined> {
    try {
      yield* slices;
      this.trailingBytes = await this.bytes.drain();
    } finally {
      await this.close();
    }
  }

  private async *slicesFromPlanes(): AsyncGenerator<AxialSlice, void, undefined> {
    const { shape, transform } = this.geometry;
    const strides = canonicalStrides([shape[0], shape[1], 1], transform);
    const plane = this.allocate(shape[0] * shape[1]);
    const hu = new Float32Array(shape[0] * shape[1]);
    for await (const index of this.planesInto(plane)) {
      this.gather(asNumbers(plane, this.header.dtype), strides.origin, strides, hu);
      yield { index, hu };
    }
  }

  /** Canonical slice indices, `plane` holding the slice's stored bytes in the host's order. */
  private async *planesInto(
    plane: Uint8Array<ArrayBuffer>,
  ): AsyncGenerator<number, void, undefined> {
    const { shape, transform } = this.geometry;
    for (let z = 0; z < shape[2]; z++) {
      await this.fill(plane, z * plane.byteLength);
      yield transform.flipped[2] ? shape[2] - 1 - z : z;
    }
  }

  private async *slicesFromVolume(): AsyncGenerator<AxialSlice, void, undefined> {
    const { shape, transform, grid } = this.geometry;
    const strides = canonicalStrides(shape, transform);
    const bytes = this.allocate(shape[0] * shape[1] * shape[2]);
    await this.fill(bytes, 0);
    const raw = asNumbers(bytes, this.header.dtype);
    const plane = grid.rows * grid.columns;
    const block = new Float32Array(Math.min(BLOCK_SLICES, grid.slices) * plane);
    for (let first = 0; first < grid.slices; first += BLOCK_SLICES) {
      const count = Math.min(BLOCK_SLICES, grid.slices - first);
      this.gatherBlock(raw, strides, first, block.subarray(0, count * plane));
      for (let n = 0; n < count; n++) {
        yield { index: first + n, hu: block.subarray(n * plane, (n + 1) * plane) };
      }
    }
  }

  /** Row by row through all slices of the block, so that a cache line serves all of them. */
  private gatherBlock(
    raw: NumberArray,
    strides: CanonicalStrides,
    first: number,
    block: Float32Array,
  ): void {
    const { rows, columns } = this.geometry.grid;
    for (let row = 0; row < rows; row++) {
      for (let start = 0, k = first; start < block.length; start += rows * columns, k++) {
        const origin = strides.origin + k * strides.slice + row * strides.row;
        const at = start + row * columns;
        this.gather(raw, origin, strides, block.subarray(at, at + columns));
      }
    }
  }

  private gather(
    raw: NumberArray,
    origin: number,
    strides: CanonicalStrides,
    hu: Float32Array,
  ): void {
    const { columns } = this.geometry.grid;
    const shape = { rows: hu.length / columns, columns };
    if (this.scalesIntoFloat32) gatherIntegers(raw, origin, strides, shape, this.scaling, hu);
    else gatherFloats(raw, origin, strides, shape, this.scaling, hu, this.unusable);
  }

  private allocate(voxels: number): Uint8Array<ArrayBuffer> {
    const bytes = voxels * DTYPES[this.header.dtype].bytes;
    try {
      return new Uint8Array(bytes);
    } catch (cause) {
      throw tooLarge(this, cause);
    }
  }

  private async fill(target: Uint8Array<ArrayBuffer>, offset: number): Promise<void> {
    const found = await this.bytes.readInto(target);
    const { header, geometry } = this;
    const elementBytes = DTYPES[header.dtype].bytes;
    if (found < target.byteLength) {
      throw truncated(
        this,
        geometry.shape[0] * geometry.shape[1] * geometry.shape[2] * elementBytes,
        offset + found,
      );
    }
    toHostOrder(target, elementBytes, header.littleEndian);
  }
}

/** Largest finite float32. */
const FLOAT32_MAX = (2 - 2 ** -23) * 2 ** 127;

async function skip(bytes: ByteReader, length: number, facts: VolumeFacts): Promise<void> {
  const found = (await bytes.read(length)).byteLength;
  if (found < length) throw truncated(facts, length, found);
}
