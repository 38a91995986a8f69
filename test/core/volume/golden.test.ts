import { expect, test } from 'vitest';
import { collect, goldenFiles, openFixture } from './volume-bytes.ts';

/** Every fixture against what nibabel reads in it; see test/golden/nifti/golden.py. */

test('the fixtures cover all 48 orientations', () => {
  const codes = goldenFiles
    .filter(([name]) => name.startsWith('orient-'))
    .map(([, { orientation }]) => orientation);
  expect(new Set(codes).size).toBe(48);
});

test.each(goldenFiles)('%s: affine, orientation and header as nibabel', async (name, golden) => {
  const { header, geometry } = await openFixture(name);
  expect(header.dim.slice(1, header.dim[0]! + 1)).toEqual(golden.shape);
  expect(header.dtype).toBe(golden.dtype);
  expect(geometry.orientation).toBe(golden.orientation);
  expect([header.qformCode, header.sformCode]).toEqual(golden.codes);
  expect(header.extensions.map(({ code }) => code)).toEqual(golden.extensions);
  expect(header.descrip).toBe(golden.descrip);
  const { columns, rows, slices, spacingMm } = geometry.grid;
  expect([columns, rows, slices]).toEqual(golden.canonicalShape);
  const spacing = [spacingMm.column, spacingMm.row, spacingMm.slice];
  for (const [axis, mm] of golden.canonicalSpacing.entries()) {
    expect(spacing[axis]).toBeCloseTo(mm, 9);
  }
  for (const [n, value] of golden.affine.flat().entries()) {
    expect(geometry.affine.flat()[n]).toBeCloseTo(value, 9);
  }
});

test.each(goldenFiles)('%s: voxels on the canonical grid as nibabel', async (name, golden) => {
  const reader = await openFixture(name);
  const { voxels, order } = await collect(reader);
  expect(voxels).toEqual(Float32Array.from(golden.canonical));
  expect([...order].sort((a, b) => a - b)).toEqual(order.map((_, index) => index));
  expect(reader.nonFiniteVoxels).toBe(0);
  expect(reader.trailingBytes).toBe(0);
});

test.each([
  ['orient-LPS.nii', true, [0, 1, 2, 3, 4]],
  ['orient-LPI.nii', true, [4, 3, 2, 1, 0]],
  ['orient-SPL.nii', false, [0, 1, 2]],
] as const)('%s: slices come in the order of memory', async (name, streams, expected) => {
  const reader = await openFixture(name);
  expect(reader.streams).toBe(streams);
  expect((await collect(reader)).order).toEqual(expected);
});
