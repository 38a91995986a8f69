import { gzipSync } from 'node:zlib';
import type { Affine } from '../../core/volume/affine.ts';
import type { VoxelArray } from '../../core/volume/dtype.ts';
import { encodeNifti, encodePair, type VolumeSpec } from '../../core/volume/encode.ts';

/**
 * Files that a reader of CT must live with: damaged, lying, or honest and unusual. Each is made from one
 * small body of air, fat, muscle and a spine, so that only what the name says is wrong with it.
 */
export interface CorpusFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The `.img` of a pair. */
  readonly image?: Uint8Array;
  /** `usable`, or the code of the refusal. */
  readonly expected: string;
}

const SHAPE = [40, 32, 20] as const;
const [COLUMNS, ROWS, SLICES] = SHAPE;
const STEP = 8;

/** Stored as RAS, 8 mm: 320 x 256 x 160 mm. */
const AFFINE: Affine = [
  [STEP, 0, 0, -160],
  [0, STEP, 0, -128],
  [0, 0, STEP, 0],
  [0, 0, 0, 1],
];

/** Hounsfield units of the body at a voxel stored as RAS. */
function huAt(i: number, j: number, k: number): number {
  const [x, y] = [(i - COLUMNS / 2) / 17, (j - ROWS / 2) / 13];
  const r = x * x + y * y;
  const noise = ((i * 7 + j * 13 + k * 29) % 11) - 5;
  if (r > 1) return -1000 + noise;
  if (Math.hypot(i - COLUMNS / 2, j - 7) < 2.5) return 450 + noise;
  return r > 0.7 ? -100 + noise : 60 + noise;
}

const body = (): Int16Array => {
  const voxels = new Int16Array(COLUMNS * ROWS * SLICES);
  for (let k = 0, at = 0; k < SLICES; k++)
    for (let j = 0; j < ROWS; j++) for (let i = 0; i < COLUMNS; i++) voxels[at++] = huAt(i, j, k);
  return voxels;
};

const spec = (changes: Partial<VolumeSpec> = {}): VolumeSpec => ({
  shape: SHAPE,
  affine: AFFINE,
  ...changes,
});

const file = (changes: Partial<VolumeSpec> = {}, voxels: VoxelArray = body()): Uint8Array =>
  encodeNifti(spec(changes), voxels);

/** Another number in a header: NIfTI-1 offsets, little endian. */
type Change = (view: DataView) => void;
const with1 = (change: Change, bytes = file()): Uint8Array => {
  const copy = new Uint8Array(bytes);
  change(new DataView(copy.buffer));
  return copy;
};
const i16 =
  (at: number, value: number): Change =>
  (view) =>
    view.setInt16(at, value, true);
const f32 =
  (at: number, ...values: number[]): Change =>
  (view) =>
    values.forEach((value, n) => {
      view.setFloat32(at + 4 * n, value, true);
    });
const all =
  (...changes: Change[]): Change =>
  (view) => {
    for (const change of changes) change(view);
  };
/** NIfTI-2 sizes. */
const dims2 = (...sizes: number[]): Uint8Array => {
  const bytes = new Uint8Array(file({ version: 2 }));
  const view = new DataView(bytes.buffer);
  for (const [n, size] of [sizes.length, ...sizes].entries())
    view.setBigInt64(16 + 8 * n, BigInt(size), true);
  return bytes;
};

const [DIM, DATATYPE, BITPIX, PIXDIM, VOX_OFFSET, SLOPE, INTER] = [40, 70, 72, 76, 108, 112, 116];
const [UNITS, QFORM, SFORM, QUATERN, SROW, MAGIC] = [123, 252, 254, 256, 280, 344];

const text = (content: string, at = 0): Uint8Array => {
  const bytes = new Uint8Array(400);
  bytes.set(Buffer.from(content, 'latin1'), at);
  return bytes;
};

const floats = (change: (hu: number, at: number) => number): Float32Array =>
  Float32Array.from(body(), change);

const scaledRows = (by: number): number[] =>
  AFFINE.slice(0, 3).flatMap((row) => row.map((v) => v * by));

/** Turned about the patient's long axis. */
const rotated = (degrees: number): Affine => {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return [
    [STEP * c, -STEP * s, 0, -160],
    [STEP * s, STEP * c, 0, -128],
    [0, 0, STEP, 0],
    [0, 0, 0, 1],
  ];
};

const sheared = (by: number): Affine => [
  AFFINE[0],
  [0, STEP, STEP * by, -128],
  AFFINE[2],
  AFFINE[3],
];

const signatures: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ['text', text('patient,diagnosis')],
  ['dicom', text('DICM', 128)],
  ['nrrd', text('NRRD0004')],
  ['metaimage', text('ObjectType = Image')],
  ['png', text('\x89PNG\r\n\x1a\n')],
  ['jpeg', text('\xff\xd8\xff\xe0')],
  ['hdf5', text('\x89HDF\r\n')],
  ['zip', text('PK\x03\x04')],
  ['html', text('<!doctype html>')],
  ['git-lfs-pointer', text('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n')],
  ['zeros', new Uint8Array(4096)],
  ['three-bytes', new Uint8Array([92, 1, 0])],
];

const dtypes: readonly (readonly [string, VoxelArray])[] = [
  ['int16', body()],
  ['int32', Int32Array.from(body())],
  ['int64', BigInt64Array.from(body(), (hu) => BigInt(hu))],
  ['float32', Float32Array.from(body())],
  ['float64', Float64Array.from(body())],
];

const headers: readonly CorpusFile[] = (
  [
    ['no-axes', with1(i16(DIM, 0)), 'bad-dim'],
    ['eight-axes', with1(i16(DIM, 8)), 'bad-dim'],
    ['negative-axes', with1(i16(DIM, -3)), 'bad-dim'],
    ['size-zero', with1(i16(DIM + 2, 0)), 'bad-dim'],
    ['size-negative', with1(i16(DIM + 4, -5)), 'bad-dim'],
    ['two-axes', with1(i16(DIM, 2)), 'not-3d'],
    ['one-row', with1(all(i16(DIM + 4, 1), i16(DIM + 6, 1))), 'not-3d'],
    ['time-series', with1(all(i16(DIM, 4), i16(DIM + 6, 10), i16(DIM + 8, 2))), 'four-dimensional'],
    ['fourth-axis-of-one', with1(all(i16(DIM, 4), i16(DIM + 8, 1))), 'usable'],
    ['too-many-slices', with1(i16(DIM + 6, 21)), 'truncated-data'],
    ['fewer-slices', with1(i16(DIM + 6, 17)), 'usable'],
    ['wide-as-a-wall', with1(i16(DIM + 2, 32767)), 'volume-too-large'],
    ['row-of-2^30', dims2(2 ** 30, 2, 1), 'volume-too-large'],
    ['2^30-slices', dims2(2, 1, 2 ** 30), 'volume-too-large'],
    ['a-square-of-46340', dims2(46340, 46340, 1), 'volume-too-large'],
    ['2^62-voxels', dims2(2 ** 31, 2 ** 31, 1), 'volume-too-large'],
    ['promises-4-GB', dims2(4096, 4096, 120), 'truncated-data'],
    ['bits-do-not-fit', with1(i16(BITPIX, 8)), 'unsupported-dtype'],
    ['complex', with1(i16(DATATYPE, 32)), 'unsupported-dtype'],
    ['rgb', with1(i16(DATATYPE, 128)), 'unsupported-dtype'],
    ['dtype-unknown', with1(i16(DATATYPE, 999)), 'unsupported-dtype'],
    ['offset-inside-header', with1(f32(VOX_OFFSET, 100)), 'bad-offset'],
    ['offset-negative', with1(f32(VOX_OFFSET, -352)), 'bad-offset'],
    ['offset-nan', with1(f32(VOX_OFFSET, Number.NaN)), 'bad-offset'],
    ['offset-of-a-gigabyte', with1(f32(VOX_OFFSET, 2 ** 30)), 'bad-offset'],
    ['offset-never-set', with1(f32(VOX_OFFSET, 0)), 'usable'],
    ['magic-of-analyze', with1((view) => view.setUint32(MAGIC, 0)), 'wrong-magic'],
    ['magic-unknown', with1((view) => view.setUint8(MAGIC + 1, 0x39)), 'wrong-magic'],
    ['slope-zero', with1(f32(SLOPE, 0, 7)), 'usable'],
    ['slope-nan', with1(f32(SLOPE, Number.NaN)), 'usable'],
    ['slope-infinite', with1(f32(SLOPE, Number.POSITIVE_INFINITY)), 'usable'],
    ['intercept-nan', with1(f32(SLOPE, 1, Number.NaN)), 'bad-scaling'],
    ['slope-1e36', with1(f32(SLOPE, 1e36)), 'absurd-values'],
    ['slope-1e30', with1(f32(SLOPE, 1e30)), 'absurd-values'],
    ['hu-times-1000', with1(f32(SLOPE, 1000)), 'absurd-values'],
    ['hu-times-10', with1(f32(SLOPE, 10)), 'not-hu'],
    ['to-0-1', with1(f32(SLOPE, 1 / 2000, 0.5)), 'not-hu'],
    ['offset-1024-lost', with1(f32(INTER, 1024)), 'not-hu'],
    ['offset-1024-twice', with1(f32(INTER, -1024)), 'not-hu'],
    ['spacing-zero', with1(f32(PIXDIM + 4, 0)), 'bad-spacing'],
    ['spacing-nan', with1(f32(PIXDIM + 4, Number.NaN)), 'bad-spacing'],
    ['spacing-negative', with1(all(i16(SFORM, 0), f32(PIXDIM + 4, -STEP))), 'usable'],
    ['spacing-other-than-sform', with1(f32(PIXDIM + 12, 5)), 'spacing-contradicts'],
    ['quaternion-too-long', with1(all(i16(SFORM, 0), f32(QUATERN, 0.9, 0.9, 0.9))), 'bad-qform'],
    ['sform-of-zeros', with1(f32(SROW, ...new Array(12).fill(0))), 'singular-affine'],
    ['sform-nan', with1(f32(SROW, Number.NaN)), 'singular-affine'],
    ['sform-infinite', with1(f32(SROW, Number.POSITIVE_INFINITY)), 'singular-affine'],
    ['sform-flat', with1(f32(SROW + 16, STEP, 0, 0, 0)), 'singular-affine'],
    ['sheared', file({ affine: sheared(0.3) }), 'sheared-affine'],
    ['barely-sheared', file({ affine: sheared(0.005) }), 'usable'],
    ['oblique', file({ affine: rotated(20) }), 'usable'],
    ['no-form-at-all', file({ sformCode: 0, qformCode: 0 }), 'usable'],
    ['form-codes-unknown', with1(all(i16(QFORM, 77), i16(SFORM, 99))), 'usable'],
    ['micrometres', with1((view) => view.setUint8(UNITS, 3)), 'impossible-size'],
    ['metres-by-mistake', with1((view) => view.setUint8(UNITS, 1)), 'impossible-size'],
    [
      'metres',
      with1(
        all(
          (view) => view.setUint8(UNITS, 1),
          f32(SROW, ...scaledRows(1e-3)),
          f32(PIXDIM + 4, STEP / 1e3, STEP / 1e3, STEP / 1e3),
        ),
      ),
      'usable',
    ],
    [
      'spacing-1e20',
      file({
        affine: AFFINE.map((row, r) =>
          r === 3 ? row : row.map((v) => v * 1e19),
        ) as unknown as Affine,
      }),
      'impossible-size',
    ],
    [
      'spacing-1e-20',
      file({
        affine: AFFINE.map((row, r) =>
          r === 3 ? row : row.map((v) => v * 1e-20),
        ) as unknown as Affine,
      }),
      'impossible-size',
    ],
    [
      'slices-100-mm-apart',
      file({ affine: [AFFINE[0], AFFINE[1], [0, 0, 100, 0], AFFINE[3]] }),
      'sparse-slices',
    ],
  ] as const
).map(([name, bytes, expected]) => ({ name, bytes, expected }));

const scout = (shape: readonly number[], affine: Affine): Uint8Array =>
  encodeNifti(
    { shape, affine },
    Int16Array.from({ length: shape.reduce((a, b) => a * b) }, (_, n) => (n % 1600) - 1000),
  );

const voxels: readonly CorpusFile[] = (
  [
    [
      'nan-outside',
      file(
        {},
        floats((hu) => (hu < -900 ? Number.NaN : hu)),
      ),
      'usable',
    ],
    [
      'nan-in-most',
      file(
        {},
        floats((hu, at) => (at % 8 === 0 ? hu : Number.NaN)),
      ),
      'not-finite',
    ],
    [
      'nan-in-all',
      file(
        {},
        floats(() => Number.NaN),
      ),
      'not-finite',
    ],
    [
      'infinite-voxels',
      file(
        {},
        floats((hu, at) => (at % 100 === 0 ? Number.POSITIVE_INFINITY : hu)),
      ),
      'usable',
    ],
    [
      'a-voxel-of-1e300',
      file(
        {},
        Float64Array.from(body(), (hu, at) => (at === 777 ? 1e300 : hu)),
      ),
      'absurd-values',
    ],
    [
      'a-voxel-of-1e30',
      file(
        {},
        floats((hu, at) => (at === 777 ? 1e30 : hu)),
      ),
      'absurd-values',
    ],
    ['constant', file({}, body().fill(40)), 'constant-image'],
    [
      'a-mask',
      file(
        {},
        body().map((hu) => (hu > 0 ? 1 : 0)),
      ),
      'not-hu',
    ],
    [
      '8-bit',
      file(
        {},
        Uint8Array.from(body(), (hu) => Math.min(255, Math.max(0, hu / 8 + 128))),
      ),
      'not-hu',
    ],
    [
      'mr-with-nan',
      file(
        {},
        floats((hu) => (hu < -900 ? Number.NaN : 300 + hu / 2)),
      ),
      'not-hu',
    ],
    [
      'mr-with-minus-1024',
      file(
        {},
        body().map((hu) => (hu < -900 ? -1024 : 300 + hu / 2)),
      ),
      'not-hu',
    ],
    [
      'mr-with-minus-3024',
      file(
        {},
        body().map((hu) => (hu < -900 ? -3024 : 300 + hu / 2)),
      ),
      'not-hu',
    ],
    [
      'ge-stored-values',
      file(
        {},
        body().map((hu, at) => (at % COLUMNS < 4 ? -2000 : hu + 1024)),
      ),
      'not-hu',
    ],
    [
      'padded-with-minus-3024',
      file(
        {},
        body().map((hu, at) => (at % COLUMNS < 3 ? -3024 : hu)),
      ),
      'usable',
    ],
    [
      'fill-only',
      file(
        {},
        body().map((_, at) => (at % 2 === 0 ? -2000 : -3024)),
      ),
      'not-hu',
    ],
    ['trailing-bytes', new Uint8Array(Buffer.concat([file(), Buffer.alloc(99)])), 'usable'],
    [
      'scout-sagittal',
      scout([128, 64, 1], [[0, 0, 4, 0], [0, 4, 0, -128], [4, 0, 0, 0], AFFINE[3]]),
      'projection',
    ],
    [
      'scout-coronal',
      scout([128, 64, 1], [[4, 0, 0, -128], [0, 0, 4, 0], [0, 4, 0, 0], AFFINE[3]]),
      'projection',
    ],
  ] as const
).map(([name, bytes, expected]) => ({ name, bytes, expected }));

const gz = (bytes: Uint8Array): Uint8Array => new Uint8Array(gzipSync(bytes));
const cutAt = (bytes: Uint8Array, share: number): Uint8Array =>
  bytes.subarray(0, Math.floor(bytes.byteLength * share));
const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = new Uint8Array(bytes);
  copy[copy.length + at]! ^= 0xff;
  return copy;
};

const streams: readonly CorpusFile[] = (
  [
    ['empty', new Uint8Array(0), 'empty-file'],
    ['half-a-header', file().subarray(0, 200), 'truncated-data'],
    ['header-only', file().subarray(0, 352), 'truncated-data'],
    ['cut-off', cutAt(file(), 0.7), 'truncated-data'],
    ['gzip', gz(file()), 'usable'],
    [
      'gzip-of-two-members',
      new Uint8Array(Buffer.concat([gz(file().subarray(0, 1000)), gz(file().subarray(1000))])),
      'usable',
    ],
    ['gzip-padded', new Uint8Array(Buffer.concat([gz(file()), Buffer.alloc(512)])), 'usable'],
    [
      'gzip-and-rubbish',
      new Uint8Array(Buffer.concat([gz(file()), Buffer.from('rubbish')])),
      'corrupt-gzip',
    ],
    ['gzip-cut-off', cutAt(gz(file()), 0.5), 'truncated-gzip'],
    ['gzip-without-checksum', gz(file()).subarray(0, -8), 'truncated-gzip'],
    ['gzip-wrong-checksum', flipped(gz(file()), -6), 'corrupt-gzip'],
    ['gzip-wrong-length', flipped(gz(file()), -2), 'corrupt-gzip'],
    ['gzip-of-nothing', gz(new Uint8Array(0)), 'empty-file'],
    ['gzip-of-text', gz(text('hello')), 'not-nifti'],
    ['gzip-of-gzip', gz(gz(file())), 'not-nifti'],
    ['gzip-of-a-short-file', gz(cutAt(file(), 0.6)), 'truncated-data'],
  ] as const
).map(([name, bytes, expected]) => ({ name, bytes, expected }));

function pairs(): CorpusFile[] {
  const { headerBytes, imageBytes } = encodePair(spec({ singleFile: false }), body());
  const pair = (
    name: string,
    bytes: Uint8Array,
    image: Uint8Array | undefined,
    expected: string,
  ) => ({
    name,
    bytes,
    expected,
    ...(image && { image }),
  });
  return [
    pair('pair', headerBytes, imageBytes, 'usable'),
    pair('pair-gzipped', headerBytes, gz(imageBytes), 'usable'),
    pair('pair-without-image', headerBytes, undefined, 'pair-without-image'),
    pair('pair-with-half-an-image', headerBytes, cutAt(imageBytes, 0.5), 'truncated-data'),
    pair('pair-with-empty-image', headerBytes, new Uint8Array(0), 'truncated-data'),
  ];
}

/** All of them, made anew. */
export const corpus = (): CorpusFile[] => [
  ...signatures.map(([name, bytes]) => ({ name, bytes, expected: 'not-nifti' })),
  ...dtypes.flatMap(([name, array]) =>
    ([1, 2] as const).flatMap((version) =>
      [true, false].map((littleEndian) => ({
        name: `${name}-nifti${version}-${littleEndian ? 'little' : 'big'}`,
        bytes: file({ version, littleEndian }, array),
        expected: 'usable',
      })),
    ),
  ),
  ...headers,
  ...voxels,
  ...streams,
  ...pairs(),
];
