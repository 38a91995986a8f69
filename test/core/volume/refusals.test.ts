import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../core/errors.ts';
import type { Affine } from '../../../core/volume/affine.ts';
import { encodeNifti, encodePair, type VolumeSpec } from '../../../core/volume/encode.ts';
import { readAll, streamOf } from './volume-bytes.ts';

/** What cannot be a CT volume is refused in one line with a code, never read as something else. */

const AFFINE: Affine = [
  [-0.8, 0, 0, 100],
  [0, -0.8, 0, 90],
  [0, 0, 2.5, -40],
  [0, 0, 0, 1],
];

const SPEC: VolumeSpec = { shape: [4, 5, 6], affine: AFFINE };
const VOXELS = Int16Array.from({ length: 120 }, (_, n) => n * 7 - 300);

/** A valid file with some bytes of its NIfTI-1 header changed. */
function damaged(change: (view: DataView) => void, spec: Partial<VolumeSpec> = {}): Uint8Array {
  const bytes = encodeNifti({ ...SPEC, ...spec }, VOXELS);
  change(new DataView(bytes.buffer));
  return bytes;
}

const setAffine = (rows: readonly (readonly number[])[]) =>
  damaged((view) => {
    for (const [n, value] of rows.flat().entries()) view.setFloat32(280 + 4 * n, value, true);
  });

async function refusal(file: Uint8Array): Promise<InputError> {
  try {
    await readAll(file);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return error as InputError;
  }
  throw new Error('the file was read');
}

const text = (content: string, at = 0): Uint8Array => {
  const bytes = new Uint8Array(400);
  bytes.set(Buffer.from(content, 'latin1'), at);
  return bytes;
};

const cases: readonly (readonly [what: string, code: string, file: Uint8Array, says: RegExp])[] = [
  ['an empty file', 'empty-file', new Uint8Array(0), /no bytes/],
  ['a text', 'not-nifti', text('hello, world'), /start no NIfTI header/],
  ['a DICOM file', 'not-nifti', text('DICM', 128), /DICOM.*dcm2niix/],
  ['a PNG', 'not-nifti', text('\x89PNG\r\n'), /PNG/],
  ['an NRRD file', 'not-nifti', text('NRRD0004'), /NRRD/],
  ['three bytes', 'not-nifti', new Uint8Array([92, 1, 0]), /start no NIfTI header/],
  ['a gzipped text', 'not-nifti', gzipSync('hello'), /start no NIfTI header/],
  ['an Analyze header', 'wrong-magic', damaged((v) => v.setUint32(344, 0)), /Analyze/],
  ['half a header', 'truncated-data', encodeNifti(SPEC, VOXELS).subarray(0, 200), /348 bytes/],
  ['no voxels', 'truncated-data', encodeNifti(SPEC, VOXELS).subarray(0, 352), /240 bytes.*found 0/],
  ['half the voxels', 'truncated-data', encodeNifti(SPEC, VOXELS).subarray(0, 400), /found 48/],
  [
    'a short gzipped volume',
    'truncated-data',
    gzipSync(encodeNifti(SPEC, VOXELS).subarray(0, 500)),
    /found 148/,
  ],
  [
    'a gzip stream cut off',
    'truncated-gzip',
    gzipSync(encodeNifti(SPEC, VOXELS)).subarray(0, -20),
    /gzip -t/,
  ],
  [
    'a gzip stream without its checksum',
    'truncated-gzip',
    gzipSync(encodeNifti(SPEC, VOXELS)).subarray(0, -8),
    /gzip/,
  ],
  ['a complex image', 'unsupported-dtype', damaged((v) => v.setInt16(70, 32, true)), /complex64/],
  ['an RGB image', 'unsupported-dtype', damaged((v) => v.setInt16(70, 128, true)), /RGB24/],
  ['an unknown dtype', 'unsupported-dtype', damaged((v) => v.setInt16(70, 999, true)), /code 999/],
  ['a wrong bitpix', 'unsupported-dtype', damaged((v) => v.setInt16(72, 8, true)), /bitpix 8/],
  ['eight axes', 'bad-dim', damaged((v) => v.setInt16(40, 8, true)), /dim = \[8/],
  ['a size of zero', 'bad-dim', damaged((v) => v.setInt16(44, 0, true)), /dim/],
  ['a negative size', 'bad-dim', damaged((v) => v.setInt16(46, -6, true)), /-6/],
  [
    'a size beyond memory',
    'volume-too-large',
    damaged((v) => [42, 44, 46].forEach((at) => void v.setInt16(at, 32767, true))),
    /32767 x 32767 x 32767/,
  ],
  [
    'a time series',
    'four-dimensional',
    encodeNifti({ ...SPEC, shape: [4, 5, 3, 2] }, VOXELS),
    /4 x 5 x 3 x 2/,
  ],
  ['a single picture', 'not-3d', damaged((v) => v.setInt16(40, 2, true)), /2 axes/],
  ['a row', 'not-3d', encodeNifti({ ...SPEC, shape: [120, 1, 1] }, VOXELS), /120 x 1 x 1/],
  ['a spacing of zero', 'bad-spacing', damaged((v) => v.setFloat32(80, 0, true)), /\[0, 0.8/],
  ['a NaN spacing', 'bad-spacing', damaged((v) => v.setFloat32(88, Number.NaN, true)), /NaN/],
  [
    'an sform of zeros',
    'singular-affine',
    setAffine([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]),
    /span/,
  ],
  [
    'two equal axes',
    'singular-affine',
    setAffine([
      [1, 1, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 1, 0],
    ]),
    /span/,
  ],
  [
    'an sform with NaN',
    'singular-affine',
    setAffine([
      [1, 0, 0, Number.NaN],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
    ]),
    /NaN/,
  ],
  [
    'a gantry tilt',
    'sheared-affine',
    setAffine([
      [1, 0, 0, 0],
      [0, 1, 0.5, 0],
      [0, 0, 2, 0],
    ]),
    /14.04 degrees/,
  ],
  [
    'a quaternion longer than 1',
    'bad-qform',
    damaged((v) => [256, 260].forEach((at) => void v.setFloat32(at, 0.9, true)), { sformCode: 0 }),
    /quaternion/,
  ],
  [
    'a voxel offset inside the header',
    'bad-offset',
    damaged((v) => v.setFloat32(108, 100, true)),
    /offset 100/,
  ],
  [
    'a slope without intercept',
    'bad-scaling',
    damaged((v) => v.setFloat32(116, Number.NaN, true)),
    /scl_inter NaN/,
  ],
  [
    'a header without its image',
    'pair-without-image',
    encodePair(SPEC, VOXELS).headerBytes,
    /\.img/,
  ],
];

test.each(cases)('%s: %s', async (_, code, file, says) => {
  const error = await refusal(file);
  expect(error.code).toBe(code);
  expect(error.message).toMatch(says);
  expect(error.message).toMatch(/^test\.nii: expected .*, found .*\. .+$/);
  expect(error.message).not.toContain('\n');
});

describe('NIfTI-2', () => {
  test('a 64-bit size that overflows is refused', async () => {
    const file = encodeNifti({ ...SPEC, version: 2 }, VOXELS);
    new DataView(file.buffer).setBigInt64(16 + 8, 2n ** 62n, true);
    expect((await refusal(file)).code).toBe('volume-too-large');
  });

  test('a magic broken by a text-mode transfer is refused', async () => {
    const file = encodeNifti({ ...SPEC, version: 2 }, VOXELS);
    file.set(Buffer.from('n+2\0\n\x1a\n\0', 'latin1'), 4);
    expect((await refusal(file)).code).toBe('wrong-magic');
  });
});

test('a pair whose image is short is refused', async () => {
  const { headerBytes, imageBytes } = encodePair(SPEC, VOXELS);
  const imageSource = streamOf(imageBytes.subarray(0, 100));
  await expect(readAll(headerBytes, { imageSource })).rejects.toThrow(/240 bytes.*found 100/);
});
