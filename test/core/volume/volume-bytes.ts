import { readFileSync } from 'node:fs';
import type { ByteStream } from '../../../core/ports.ts';
import { openNifti } from '../../../core/volume/reader.ts';

const GOLDEN = new URL('../../golden/nifti/', import.meta.url);

export interface GoldenFile {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly affine: readonly (readonly number[])[];
  readonly orientation: string;
  readonly codes: readonly [qform: number, sform: number];
  readonly canonicalShape: readonly number[];
  readonly canonicalSpacing: readonly number[];
  readonly canonical: readonly number[];
  readonly extensions: readonly number[];
  readonly descrip: string;
}

const golden = JSON.parse(readFileSync(new URL('golden.json', GOLDEN), 'utf8')) as {
  files: Record<string, GoldenFile>;
};

/** What nibabel read in the fixtures, by file name. */
export const goldenFiles: readonly (readonly [string, GoldenFile])[] = Object.entries(golden.files);

const fixture = (name: string): Uint8Array => readFileSync(new URL(`files/${name}`, GOLDEN));

/** The bytes in pieces of `piece`, as a disk or network would bring them. */
export async function* streamOf(bytes: Uint8Array, piece = 1000): ByteStream {
  for (let at = 0; at < bytes.byteLength; at += piece) yield bytes.subarray(at, at + piece);
}

/** Opens a fixture, with the .img beside a .hdr. */
export const openFixture = (name: string) =>
  openNifti(streamOf(fixture(name)), {
    subject: name,
    ...(name.endsWith('.hdr') && { imageSource: streamOf(fixture(name.replace('.hdr', '.img'))) }),
  });

/** All voxels on the canonical grid, and the slice indices in the order in which they came. */
export async function readAll(
  source: Uint8Array,
  options: { imageSource?: ByteStream; piece?: number } = {},
) {
  const { piece, ...rest } = options;
  const reader = await openNifti(streamOf(source, piece), { subject: 'test.nii', ...rest });
  return { reader, ...(await collect(reader)) };
}

export async function collect(reader: Awaited<ReturnType<typeof openNifti>>) {
  const { columns, rows, slices } = reader.geometry.grid;
  const voxels = new Float32Array(columns * rows * slices);
  const order: number[] = [];
  for await (const { index, hu } of reader.axialSlices()) {
    order.push(index);
    voxels.set(hu, index * rows * columns);
  }
  return { voxels, order };
}

export async function bytesOf(stream: ByteStream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(new Uint8Array(part));
  return new Uint8Array(Buffer.concat(parts));
}
