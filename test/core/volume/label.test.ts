import { expect, test } from 'vitest';
import { GeometryError, InputError } from '../../../core/errors.ts';
import type { Affine } from '../../../core/volume/affine.ts';
import type { VoxelArray } from '../../../core/volume/dtype.ts';
import { encodeNifti } from '../../../core/volume/encode.ts';
import { assertSameGrid } from '../../../core/volume/geometry.ts';
import { readLabel } from '../../../core/volume/label.ts';
import { openNifti } from '../../../core/volume/reader.ts';
import { streamOf } from './volume-bytes.ts';

/** Stored as LPS, so that stored and canonical order agree. */
const AFFINE: Affine = [
  [-0.8, 0, 0, 100],
  [0, -0.8, 0, 90],
  [0, 0, 2.5, -40],
  [0, 0, 0, 1],
];

const label = (voxels: VoxelArray, targetValues?: number[]) =>
  readLabel(streamOf(encodeNifti({ shape: [2, 2, 2], affine: AFFINE }, voxels)), {
    subject: 'label.nii.gz',
    ...(targetValues && { targetValues }),
  });

test('every class above 0 counts: tumours belong to the liver', async () => {
  const { mask, values } = await label(new Uint8Array([0, 1, 2, 0, 1, 1, 0, 2]));
  expect([...mask.data]).toEqual([0, 1, 1, 0, 1, 1, 0, 1]);
  expect(values).toEqual([0, 1, 2]);
});

test('chosen classes alone count when asked', async () => {
  const { mask } = await label(new Int16Array([0, 5, 6, 5, 1, 1, 0, 117]), [5]);
  expect([...mask.data]).toEqual([0, 1, 0, 1, 0, 0, 0, 0]);
});

test('labels stored as floating point are read', async () => {
  const { mask } = await label(new Float64Array([0, 1, 0, 0, 1, 1, 0, 0]));
  expect([...mask.data]).toEqual([0, 1, 0, 0, 1, 1, 0, 0]);
});

test.each([
  ['an interpolated label', new Float32Array([0, 0.5, 1, 0, 0, 0, 0, 0]), /the value 0.5/],
  ['a CT in its place', new Int16Array([-1000, 40, 1, 0, 0, 0, 0, 0]), /the value -1000/],
  ['NaN', new Float32Array([0, Number.NaN, 1, 0, 0, 0, 0, 0]), /-1024|not finite/],
])('%s is refused', async (_, voxels, says) => {
  const failure = await label(voxels).catch((error) => error);
  expect(failure).toBeInstanceOf(InputError);
  expect(failure.code).toBe('not-a-label');
  expect(failure.message).toMatch(says);
});

test('more than 256 classes are refused', async () => {
  const voxels = Int16Array.from({ length: 343 }, (_, n) => n);
  const file = encodeNifti({ shape: [7, 7, 7], affine: AFFINE }, voxels);
  await expect(readLabel(streamOf(file), { subject: 'x.nii' })).rejects.toThrow(/256 different/);
});

const placed = async (affine: Affine, shape = [2, 2, 2], subject = 'label.nii') => {
  const voxels = new Uint8Array(shape.reduce((product, size) => product * size));
  const file = encodeNifti({ shape, affine, version: 2 }, voxels);
  return { subject, geometry: (await openNifti(streamOf(file), { subject })).geometry };
};

const moved = (row: number, col: number, by: number): Affine =>
  AFFINE.map((values, r) =>
    values.map((value, c) => (r === row && c === col ? value + by : value)),
  ) as unknown as Affine;

test('the same grid within the tolerance is accepted', async () => {
  const image = await placed(AFFINE, [2, 2, 2], 'ct.nii');
  for (const affine of [AFFINE, moved(0, 3, 9e-4), moved(2, 2, -9e-5)]) {
    expect(assertSameGrid(image, await placed(affine))).toBeUndefined();
  }
});

test.each([
  [
    'a shifted label',
    'affine-differs',
    moved(1, 3, 0.002),
    [2, 2, 2],
    /affine\[1\]\[3\] = 90 as in ct.nii/,
  ],
  ['another spacing', 'affine-differs', moved(2, 2, 0.001), [2, 2, 2], /affine\[2\]\[2\] = 2.501/],
  ['another shape', 'shape-differs', AFFINE, [2, 3, 2], /2 x 2 x 2 as in ct.nii, found 2 x 3 x 2/],
  [
    'a mirrored label',
    'orientation-differs',
    moved(0, 0, 1.6),
    [2, 2, 2],
    /LPS as in ct.nii, found RPS/,
  ],
] as const)('%s is refused: %s', async (_, code, affine, shape, says) => {
  const image = await placed(AFFINE, [2, 2, 2], 'ct.nii');
  const other = await placed(affine, [...shape]);
  const compare = () => assertSameGrid(image, other);
  expect(compare).toThrow(GeometryError);
  expect(compare).toThrow(expect.objectContaining({ code }));
  expect(compare).toThrow(says);
});
