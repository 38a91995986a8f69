import { describe, expect, test } from 'vitest';
import { StorageError } from '../../../core/errors.ts';
import type { ByteStream } from '../../../core/ports.ts';
import type { Affine } from '../../../core/volume/affine.ts';
import type { VoxelArray } from '../../../core/volume/dtype.ts';
import { encodeNifti, type VolumeSpec } from '../../../core/volume/encode.ts';
import { preflight } from '../../../core/volume/preflight.ts';
import { streamOf } from './volume-bytes.ts';

const SHAPE = [40, 40, 20] as const;
const COUNT = 40 * 40 * 20;

/** 240 x 240 x 100 mm, LPS. */
const AFFINE: Affine = [
  [-6, 0, 0, 120],
  [0, -6, 0, 120],
  [0, 0, 5, -50],
  [0, 0, 0, 1],
];

/** Air around an ellipse of fat around soft tissue around bone, a little noise: every slice differs. */
function abdomen(): Int16Array {
  const voxels = new Int16Array(COUNT);
  for (let n = 0; n < COUNT; n++) {
    const [x, y] = [(n % 40) - 20, (Math.floor(n / 40) % 40) - 20];
    const radius = Math.hypot(x / 18, y / 14);
    const noise = ((n * 7919) % 31) - 15;
    voxels[n] = noise + (radius > 1 ? -1000 : radius > 0.85 ? -100 : radius < 0.1 ? 700 : 60);
  }
  return voxels;
}

const CT = abdomen();

async function check(voxels: VoxelArray, spec: Partial<VolumeSpec> = {}) {
  const file = encodeNifti({ shape: [...SHAPE], affine: AFFINE, ...spec }, voxels);
  return preflight(streamOf(file, 65536), { subject: 'ct.nii' });
}

const codes = ({ problems }: Awaited<ReturnType<typeof check>>) => problems.map(({ code }) => code);

test('a CT has no problems, and its numbers are told', async () => {
  const result = await check(CT);
  expect(result.problems).toEqual([]);
  expect(result.usable).toBe(true);
  expect(result.image?.geometry.orientation).toBe('LPS');
  expect(result.intensity?.summary).toMatchObject({ min: -1015, max: 715 });
  const sorted = [...CT].sort((a, b) => a - b);
  expect(result.intensity!.summary.p50).toBeCloseTo(sorted[COUNT / 2]!, -1.5);
});

describe('refused', () => {
  const scaled = (by: (hu: number) => number) => Float32Array.from(CT, by);
  test.each([
    ['one value', 'constant-image', new Int16Array(COUNT).fill(-1000), /every voxel is -1000/],
    ['a mask', 'not-hu', Uint8Array.from(CT, (hu) => (hu > 0 ? 1 : 0)), /mask or a normalised/],
    ['a normalised image', 'not-hu', scaled((hu) => (hu + 1015) / 1730), /normalised/],
    ['a z-scored image', 'not-hu', scaled((hu) => hu / 400), /normalised/],
    ['8-bit grey values', 'not-hu', Uint8Array.from(CT, (hu) => (hu + 1015) / 7), /8-bit/],
    ['a lost offset', 'not-hu', Int16Array.from(CT, (hu) => (hu + 1024) * 2), /scl_inter/],
    ['MR whose background is -500', 'not-hu', scaled((hu) => (hu < -500 ? -500 : hu + 200)), /MR/],
    ['nothing but NaN', 'not-finite', new Float32Array(COUNT).fill(Number.NaN), /100.00 %.*NaN/],
  ] as const)('%s: %s', async (_, code, voxels, says) => {
    const result = await check(voxels);
    expect(result.usable).toBe(false);
    expect(result.problems[0]).toMatchObject({ code, severity: 'error' });
    expect(`${result.problems[0]!.message}. ${result.problems[0]!.remedy}`).toMatch(says);
  });

  test('a fault of the header is an error in the list', async () => {
    const result = await check(CT, { shape: [40, 40, 10, 2] });
    expect(result).toMatchObject({ usable: false, image: null, intensity: null });
    expect(codes(result)).toEqual(['four-dimensional']);
  });

  test('a fault of the voxels keeps what the header said', async () => {
    const file = encodeNifti({ shape: [...SHAPE], affine: AFFINE }, CT).subarray(0, 9000);
    const result = await preflight(streamOf(file), { subject: 'ct.nii' });
    expect(codes(result)).toEqual(['truncated-data']);
    expect(result.image?.geometry.shape).toEqual([...SHAPE]);
  });
});

describe('warned about', () => {
  const clip = (low: number, high: number) =>
    Int16Array.from(CT, (hu) => Math.max(low, Math.min(high, hu)));
  const identity: Affine = [
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 1],
  ];
  const turned = (degrees: number): Affine => {
    const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
    return [
      [-6, 0, 0, 120],
      [0, -6 * c, -5 * s, 120],
      [0, -6 * s, 5 * c, -50],
      [0, 0, 0, 1],
    ];
  };
  const withNaN = Float32Array.from(CT, (hu, n) => (n % 1000 === 0 ? Number.NaN : hu));
  const repeated = CT.slice();
  repeated.copyWithin(1600 * 8, 1600 * 7, 1600 * 8);
  test.each([
    ['values inside the window', 'clipped-range', clip(-100, 200), {}],
    ['an identity affine', 'identity-affine', CT, { affine: identity }],
    ['an oblique volume', 'oblique', CT, { affine: turned(15) }],
    ['no orientation', 'no-orientation', CT, { sformCode: 0, qformCode: 0 }],
    [
      'a slight shear',
      'slight-shear',
      CT,
      { affine: [[-6, 0.03, 0, 9], AFFINE[1], AFFINE[2], AFFINE[3]] },
    ],
    ['a tiny field of view', 'implausible-field-of-view', CT, { affine: identity }],
    ['few slices', 'few-slices', CT, { shape: [40, 80, 10] }],
    [
      'thick slices',
      'thick-slices',
      CT,
      { affine: [AFFINE[0], AFFINE[1], [0, 0, 10, 0], AFFINE[3]] },
    ],
    ['NaN', 'non-finite-voxels', withNaN, {}],
    ['a slice exported twice', 'repeated-slices', repeated, {}],
  ] as [string, string, VoxelArray, Partial<VolumeSpec>][])(
    '%s: %s',
    async (_, code, voxels, spec) => {
      const result = await check(voxels, spec);
      expect(result.usable).toBe(true);
      expect(codes(result)).toContain(code);
    },
  );

  test('a range clipped outside the window is no matter', async () => {
    expect(codes(await check(clip(-200, 400)))).not.toContain('not-hu');
  });

  test('qform and sform that disagree', async () => {
    const file = encodeNifti({ shape: [...SHAPE], affine: AFFINE }, CT);
    new DataView(file.buffer).setFloat32(268, 110, true);
    const result = await preflight(streamOf(file, 65536), { subject: 'ct.nii' });
    expect(codes(result)).toEqual(['qform-sform-disagree']);
    expect(result.problems[0]!.message).toMatch(/10\.0 mm/);
  });

  test('pixdim and affine that disagree', async () => {
    const file = encodeNifti({ shape: [...SHAPE], affine: AFFINE, qformCode: 0 }, CT);
    new DataView(file.buffer).setFloat32(88, 1, true);
    const result = await preflight(streamOf(file, 65536), { subject: 'ct.nii' });
    expect(codes(result)).toEqual(['spacing-contradicts']);
  });

  test('bytes after the last voxel', async () => {
    const file = Buffer.concat([
      encodeNifti({ shape: [...SHAPE], affine: AFFINE }, CT),
      Buffer.alloc(9),
    ]);
    const result = await preflight(streamOf(file, 65536), { subject: 'ct.nii' });
    expect(result.problems.map(({ message }) => message)).toEqual([
      '9 bytes follow the last voxel',
    ]);
  });
});

test('spacings in metres are turned into millimetres', async () => {
  const metres = AFFINE.map((row, r) =>
    r < 3 ? row.map((v) => v / 1000) : row,
  ) as unknown as Affine;
  const result = await check(CT, { affine: metres, xyztUnits: 1 });
  expect(result.image!.geometry.grid.spacingMm.slice).toBeCloseTo(5, 5);
});

test("the storage's own errors are not problems of the file", async () => {
  const error = new StorageError({
    code: 'blob-missing',
    subject: 'ct.nii',
    expected: 'an object',
    found: 'none',
    remedy: 'Upload it.',
  });
  const missing: ByteStream = {
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }),
  };
  await expect(preflight(missing, { subject: 'ct.nii' })).rejects.toBe(error);
});
