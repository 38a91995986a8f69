import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boxGrid } from '../../../core/mask/bounds.ts';
import { encodeNifti, encodePair } from '../../../core/volume/encode.ts';
import type { VoxelBox } from '../../../core/volume/grid.ts';
import { wholeMask, writeMask } from '../../../core/volume/mask-writer.ts';
import { volumes } from './arbitraries.ts';
import { bytesOf, collect, goldenFiles, openFixture, readAll, streamOf } from './volume-bytes.ts';

const bitsOf = (voxels: Float32Array): Uint8Array =>
  Uint8Array.from(voxels, (v) => (v > 0 ? 1 : 0));

describe('on every fixture', () => {
  test.each(goldenFiles)('%s: the mask lies on the grid of the input', async (name) => {
    const input = await openFixture(name);
    const { header, geometry } = input;
    const data = bitsOf((await collect(input)).voxels);
    const file = await bytesOf(
      writeMask(header, geometry, wholeMask({ grid: geometry.grid, data })),
    );
    const { reader: mask, voxels } = await readAll(file);
    expect(mask.geometry).toEqual(geometry);
    expect(bitsOf(voxels)).toEqual(data);
    expect(mask.header).toEqual({
      ...header,
      raw: mask.header.raw,
      singleFile: true,
      dtype: 'uint8',
      sclSlope: 1,
      sclInter: 0,
      voxOffset: mask.header.voxOffset,
    });
  });
});

/** Bytes of a NIfTI-1 header that a mask may change: datatype, bitpix, vox_offset, scl_*, cal_*, magic. */
const CHANGEABLE = [
  [70, 74],
  [108, 116],
  [116, 120],
  [124, 132],
  [344, 348],
] as const;

test('no other byte of the header changes', async () => {
  const input = encodeNifti(
    {
      shape: [3, 4, 5],
      affine: [
        [0, -0.7, 0, 12],
        [0.7, 0, 0, -3],
        [0, 0, 2, 9],
        [0, 0, 0, 1],
      ],
      littleEndian: false,
      descrip: 'scanner export',
    },
    new Int16Array(60),
  );
  input.set(Buffer.from('intent'), 328);
  const { reader } = await readAll(input);
  const empty = writeMask(reader.header, reader.geometry, undefined, { gzipLevel: null });
  const mask = await bytesOf(empty);
  const allowed = (at: number) => CHANGEABLE.some(([from, to]) => at >= from && at < to);
  const changed = Array.from({ length: 352 }, (_, at) => at).filter((at) => mask[at] !== input[at]);
  expect(changed.filter((at) => !allowed(at))).toEqual([]);
  expect(mask.byteLength).toBe(352 + 60);
});

test('canonicalise, then write back: the stored voxels again, for any part of the grid', async () => {
  const range = (size: number) =>
    fc.tuple(fc.nat(size), fc.nat(size)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  await fc.assert(
    fc.asyncProperty(
      volumes.chain((volume) => {
        const [x, y, z] = volume.spec.shape as [number, number, number];
        const largest = Math.max(x, y, z);
        return fc.tuple(fc.constant(volume), range(largest), range(largest), range(largest));
      }),
      async ([{ spec, voxels }, columns, rows, slices]) => {
        const { reader, voxels: canonical } = await readAll(encodeNifti(spec, voxels));
        const { grid } = reader.geometry;
        const clip = ([from, to]: readonly [number, number], size: number) =>
          [Math.min(from, size), Math.min(to, size)] as const;
        const [i0, i1] = clip(columns, grid.columns);
        const [j0, j1] = clip(rows, grid.rows);
        const [k0, k1] = clip(slices, grid.slices);
        const expected = new Uint8Array(canonical.length);
        const inside: number[] = [];
        for (let k = k0; k < k1; k++) {
          for (let j = j0; j < j1; j++) {
            for (let i = i0; i < i1; i++) {
              const at = (k * grid.rows + j) * grid.columns + i;
              expected[at] = canonical[at]! > 0 ? 1 : 0;
              inside.push(expected[at]!);
            }
          }
        }
        const box: VoxelBox = {
          columnStart: i0,
          columnEnd: i1,
          rowStart: j0,
          rowEnd: j1,
          sliceStart: k0,
          sliceEnd: k1,
        };
        const part = { grid: boxGrid(box, grid), data: Uint8Array.from(inside) };
        const written = writeMask(reader.header, reader.geometry, { box, mask: part });
        const mask = await readAll(await bytesOf(written));
        expect(bitsOf(mask.voxels)).toEqual(expected);
        expect(mask.reader.geometry).toEqual(reader.geometry);
      },
    ),
    { numRuns: 150 },
  );
});

test('the same mask is the same bytes: no time, no host in the gzip header', async () => {
  const input = await openFixture('orient-LPS.nii');
  const mask = { grid: input.geometry.grid, data: new Uint8Array(60).fill(1) };
  const write = () => bytesOf(writeMask(input.header, input.geometry, wholeMask(mask)));
  const first = await write();
  expect(await write()).toEqual(first);
  // RFC 1952: deflate, no flags, no time, "fastest algorithm" (runs only), system unknown.
  expect([...first.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
  expect(gunzipSync(first).byteLength).toBe(352 + 60);
});

test('the mask of a pair is a single file', async () => {
  const { headerBytes, imageBytes } = encodePair(
    {
      shape: [2, 2, 2],
      affine: [
        [1, 0, 0, 0],
        [0, 2, 0, 0],
        [0, 0, 3, 0],
        [0, 0, 0, 1],
      ],
    },
    new Int16Array([1, 0, 0, 0, 0, 0, 0, 1]),
  );
  const { reader, voxels } = await readAll(headerBytes, { imageSource: streamOf(imageBytes) });
  const box = wholeMask({ grid: reader.geometry.grid, data: bitsOf(voxels) });
  const mask = await readAll(await bytesOf(writeMask(reader.header, reader.geometry, box)));
  expect(mask.reader.header.singleFile).toBe(true);
  expect(mask.voxels).toEqual(voxels);
});
