import { expect, test } from 'vitest';
import { GeometryError, InputError } from '../../../core/errors.ts';
import type { Affine } from '../../../core/volume/affine.ts';
import type { VoxelArray } from '../../../core/volume/dtype.ts';
import { encodeNifti } from '../../../core/volume/encode.ts';
import { readLabel } from '../../../core/volume/label.ts';
import { assertSameGrid, onGridOf, placementOn } from '../../../core/volume/lattice.ts';
import { openNifti } from '../../../core/volume/reader.ts';
import { streamOf } from './volume-bytes.ts';

/** Stored as LPS, so that stored and canonical order agree. */
const AFFINE: Affine = [
  [-0.8, 0, 0, 100],
  [0, -0.8, 0, 90],
  [0, 0, 2.5, -40],
  [0, 0, 0, 1],
];

const label = (voxels: VoxelArray, values?: number[]) =>
  readLabel(streamOf(encodeNifti({ shape: [2, 2, 2], affine: AFFINE }, voxels)), {
    subject: 'label.nii.gz',
    ...(values && { choice: { values } }),
  });

test('every class above 0 counts: tumours belong to the liver', async () => {
  const { mask, meaning } = await label(new Uint8Array([0, 1, 2, 0, 1, 1, 0, 2]));
  expect([...mask.data]).toEqual([0, 1, 1, 0, 1, 1, 0, 1]);
  expect(meaning).toMatchObject({ counted: [1, 2], found: [0, 1, 2] });
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
  ['one whose scaling is lost', new Float32Array([0, 2 ** -15, 0, 0, 0, 0, 0, 0]), /scl_slope/],
  ['NaN', new Float32Array([0, Number.NaN, 1, 0, 0, 0, 0, 0]), /found NaN/],
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

test('a label saved with the scaling of its CT counts: 1 reads back as 1.0000153', async () => {
  const { mask, meaning } = await label(
    new Float32Array([0, 1.0000153, 2.0000305, -0.004, 0, 1, 0, 0]),
  );
  expect([...mask.data]).toEqual([0, 1, 1, 0, 0, 1, 0, 0]);
  expect(meaning.found).toEqual([0, 1, 2]);
});

test('more classes than liver and tumour are refused with the values found, and the option', async () => {
  const voxels = new Uint8Array([0, 1, 2, 3, 4, 5, 13, 0]);
  await expect(label(voxels)).rejects.toMatchObject({
    code: 'label-class-unknown',
    fault: { found: expect.stringContaining('0-5, 13') },
  });
  await expect(label(voxels)).rejects.toThrow(/--label-value/);
});

test('a label without background is refused: 1 may be what is not liver', async () => {
  await expect(label(new Uint8Array([1, 1, 2, 1, 1, 1, 1, 1]))).rejects.toThrow(/no 0/);
});

test('what the label says to ignore is no liver, and is given out apart', async () => {
  const file = encodeNifti(
    { shape: [2, 2, 2], affine: AFFINE },
    new Uint8Array([0, 1, 3, 0, 1, 1, 0, 3]),
  );
  const tables = [
    {
      source: 'dataset.json',
      classes: [
        { name: 'liver', values: [1] },
        { name: 'ignore', values: [3] },
      ],
    },
  ];
  const { mask, ignored } = await readLabel(streamOf(file), { subject: 'a.nii', tables });
  expect([...mask.data]).toEqual([0, 1, 0, 0, 1, 1, 0, 0]);
  expect([...ignored!.data]).toEqual([0, 0, 1, 0, 0, 0, 0, 1]);
});

test('a mask per class is called so', async () => {
  const file = encodeNifti({ shape: [2, 2, 2, 2], affine: AFFINE }, new Uint8Array(16));
  await expect(readLabel(streamOf(file), { subject: 'a.nii' })).rejects.toMatchObject({
    code: 'label-channels',
  });
});

test('the same lattice: within a hundredth of a voxel, stored another way, or a part of it', async () => {
  const image = await placed(AFFINE, [4, 4, 4], 'ct.nii');
  for (const affine of [AFFINE, moved(0, 3, 0.0079), moved(2, 3, -0.02)])
    expect(placementOn(image, await placed(affine, [4, 4, 4]))).toEqual({
      offset: [0, 0, 0],
      difference: null,
    });
  // The first axis runs the other way and begins at the other end.
  const flipped: Affine = [[0.8, 0, 0, 100 - 3 * 0.8], AFFINE[1], AFFINE[2], AFFINE[3]];
  expect(placementOn(image, await placed(flipped, [4, 4, 4]))).toMatchObject({
    offset: [0, 0, 0],
    difference: expect.stringContaining('stored RPS'),
  });
  const cropped: Affine = [
    [-0.8, 0, 0, 100 - 0.8],
    AFFINE[1],
    [0, 0, 2.5, -40 + 2 * 2.5],
    AFFINE[3],
  ];
  expect(placementOn(image, await placed(cropped, [2, 4, 2]))).toMatchObject({ offset: [1, 0, 2] });
});

test.each([
  [
    'a shifted label',
    'affine-differs',
    moved(1, 3, 0.009),
    [4, 4, 4],
    /affine\[1\]\[3\] = 90 as in ct/,
  ],
  ['another spacing', 'affine-differs', moved(2, 2, 0.05), [4, 4, 4], /affine\[2\]\[2\] = 2.55/],
  [
    'another lattice',
    'shape-differs',
    moved(0, 3, 0.4),
    [4, 3, 4],
    /4 x 4 x 4 as in ct.nii, found 4 x 3 x 4/,
  ],
] as const)('%s is refused: %s', async (_, code, affine, shape, says) => {
  const image = await placed(AFFINE, [4, 4, 4], 'ct.nii');
  const other = await placed(affine, [...shape]);
  const compare = () => placementOn(image, other);
  expect(compare).toThrow(GeometryError);
  expect(compare).toThrow(expect.objectContaining({ code }));
  expect(compare).toThrow(says);
});

test('metres are metres: the same numbers in another unit are another place', async () => {
  const image = await placed(AFFINE, [2, 2, 2], 'ct.nii');
  const file = encodeNifti({ shape: [2, 2, 2], affine: AFFINE, xyztUnits: 1 }, new Uint8Array(8));
  const { geometry } = await openNifti(streamOf(file), { subject: 'l' });
  expect(() => placementOn(image, { subject: 'l', geometry })).toThrow(
    /millimetres as in ct.nii, found lengths in metres/,
  );
  const scaled = AFFINE.map((row, r) =>
    r < 3 ? row.map((v) => v / 1000) : row,
  ) as unknown as Affine;
  const same = encodeNifti(
    { shape: [2, 2, 2], affine: scaled, xyztUnits: 1, version: 2 },
    new Uint8Array(8),
  );
  const honest = (await openNifti(streamOf(same), { subject: 'l' })).geometry;
  expect(placementOn(image, { subject: 'l', geometry: honest }).offset).toEqual([0, 0, 0]);
});

test('a part is put into its place; what is drawn outside of the image is refused', async () => {
  const image = await placed(AFFINE, [3, 2, 2], 'ct.nii');
  const part: Affine = [[-0.8, 0, 0, 100 - 0.8], AFFINE[1], AFFINE[2], AFFINE[3]];
  const small = await placed(part, [2, 2, 1]);
  const mask = { grid: small.geometry.grid, data: new Uint8Array([1, 0, 0, 1]) };
  const placement = placementOn(image, small);
  expect([...onGridOf(image, mask, placement, 'l').data]).toEqual([
    0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
  ]);
  expect(() =>
    onGridOf(
      small,
      { ...image.geometry, grid: image.geometry.grid, data: new Uint8Array(12).fill(1) },
      placementOn(small, image),
      'l',
    ),
  ).toThrow(/voxels there/);
});

test('a viewer shows only what is stored as the image is', async () => {
  const image = await placed(AFFINE, [2, 2, 2], 'ct.nii');
  expect(assertSameGrid(image, await placed(AFFINE))).toBeUndefined();
  const other = await placed(moved(0, 0, 1.6));
  expect(() => assertSameGrid(image, other)).toThrow(/LPS as in ct.nii, found RPS/);
});
