import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { letterboxFor, SlicePreprocessor } from '../../../core/slice/letterbox.ts';
import { SlicePreparation } from '../../../core/slice/prepare.ts';
import { SliceShrinker } from '../../../core/slice/shrink.ts';
import type { Affine } from '../../../core/volume/affine.ts';
import { encodeNifti } from '../../../core/volume/encode.ts';
import { type HuReport, HuStatistics } from '../../../core/volume/histogram.ts';
import { openNifti } from '../../../core/volume/reader.ts';
import { once } from '../../support/case.ts';

const golden = JSON.parse(
  readFileSync(new URL('../../golden/slice/slice.json', import.meta.url), 'utf8'),
) as {
  triangle: { rows: number; columns: number; height: number; width: number; values: number[] }[];
};

/** The picture of test/golden/slice/make_goldens.py, whole numbers from -100 to 300. */
const pattern = (rows: number, columns: number): Int16Array =>
  Int16Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [at % columns, Math.floor(at / columns)];
    return ((13 * i * i + 7 * j * j + 31 * i * j) % 401) - 100;
  });

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0);
};

describe('shrinking stored slices', () => {
  it.each(golden.triangle)(
    'equals Pillow: $rows x $columns to $height x $width',
    ({ rows, columns, height, width, values }) => {
      const letterbox = { sizePx: Math.max(width, height), x0: 0, y0: 0, width, height };
      for (const voxels of ['int16', 'float32'] as const) {
        const shrinker = new SliceShrinker({
          voxels,
          columns,
          rows,
          columnsFlipped: false,
          rowsFlipped: false,
          letterbox,
          lowVoxel: -100,
          unitPerVoxel: 1 / 400,
        });
        shrinker.plane.set(pattern(rows, columns));
        shrinker.shrink();
        const { sizePx } = letterbox;
        const inside = Array.from({ length: height }, (_, y) => [
          ...shrinker.square.subarray(y * sizePx, y * sizePx + width),
        ]).flat();
        const hu = inside.map((value) => (value / 65535) * 400 - 100);
        // One step of the 16 bits is 0.006.
        expect(largestDifference(hu, values)).toBeLessThan(0.004);
      }
    },
  );

  it('takes NaN for air and clamps infinities', () => {
    const grid = { columns: 4, rows: 4, spacingMm: { column: 1, row: 1, slice: 1 } };
    const shrinker = new SliceShrinker({
      voxels: 'float32',
      columns: 4,
      rows: 4,
      columnsFlipped: false,
      rowsFlipped: false,
      letterbox: letterboxFor(grid, 4),
      lowVoxel: 0,
      unitPerVoxel: 1 / 200,
    });
    shrinker.plane.fill(100);
    shrinker.plane.set([-1000, 0, 200, 3000, Number.NaN, 50, Number.POSITIVE_INFINITY]);
    shrinker.shrink();
    expect([...shrinker.square.subarray(0, 8)]).toEqual([
      0, 0, 65535, 65535, 0, 16384, 65535, 32768,
    ]);
  });
});

/** Half a step of the 16 bits, and float32's rounding in two passes of a dozen terms each. */
const TOLERANCE = 0.5 / 65535 + 8 * 2 ** -24;

describe('preparing a volume', () => {
  const volumes = fc.record({
    columns: fc.integer({ min: 2, max: 70 }),
    rows: fc.integer({ min: 2, max: 70 }),
    slices: fc.integer({ min: 1, max: 12 }),
    signs: fc.tuple(...[0, 1, 2].map(() => fc.constantFrom(-1, 1))) as fc.Arbitrary<number[]>,
    spacingMm: fc.tuple(...[0, 1, 2].map(() => fc.constantFrom(0.5, 0.7, 2))) as fc.Arbitrary<
      number[]
    >,
    slope: fc.constantFrom(1, 2, -1, 0.5),
    inter: fc.constantFrom(0, -1024),
    seed: fc.nat(),
    littleEndian: fc.boolean(),
  });

  it('int16 as it lies in the file gives what gathering to float32 gives, slices and numbers', async () => {
    await fc.assert(
      fc.asyncProperty(volumes, async (volume) => {
        const { reader, preparation } = await prepared(volume);
        expect(reader.holdsInt16Slices).toBe(true);
        const plain = await openNifti(once(fileOf(volume)), { subject: 'ct' });
        const statistics = new HuStatistics(plain.geometry.grid);
        const preprocessor = new SlicePreprocessor(plain.geometry.grid, WINDOW_HU, SIZE_PX);
        const expected = new Map<number, Float32Array>();
        for await (const { index, hu } of plain.axialSlices()) {
          statistics.add(hu, index);
          const square = new Float32Array(SIZE_PX ** 2);
          preprocessor.apply(hu, square);
          expected.set(index, square);
        }
        for await (const { index, squares } of preparation.slices()) {
          const unit = Array.from(squares[0]!, (value) => value / 65535);
          expect(largestDifference(unit, expected.get(index)!)).toBeLessThan(TOLERANCE);
          expected.delete(index);
        }
        expect(expected.size).toBe(0);
        expect(comparable(preparation.intensities())).toEqual(comparable(statistics.finish()));
      }),
      { numRuns: 60 },
    );
  });

  it('gives the same bits whichever way columns and rows are stored', async () => {
    await fc.assert(
      fc.asyncProperty(volumes, async (volume) => {
        const [stored, turned] = [volume, flipped(volume)];
        const squares = new Map<number, Uint16Array>();
        for await (const {
          index,
          squares: [square],
        } of (await prepared(stored)).preparation.slices())
          squares.set(index, square!.slice());
        for await (const {
          index,
          squares: [square],
        } of (await prepared(turned)).preparation.slices())
          expect(Buffer.compare(asBytes(square!), asBytes(squares.get(index)!))).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  const WINDOW_HU = [-160, 240] as const;
  const SIZE_PX = 32;
  type Volume = typeof volumes extends fc.Arbitrary<infer T> ? T & { mirror?: boolean } : never;

  /** Voxel (i, j, k) of the patient, whatever the order in the file. */
  const voxel = ({ seed }: Volume, i: number, j: number, k: number): number =>
    ((seed % 997) + 131 * i * i + 57 * j * j + 311 * i * j + 1009 * k) % 3000;

  function fileOf(volume: Volume): Uint8Array {
    const { columns, rows, slices, signs, spacingMm, slope, inter, mirror } = volume;
    const voxels = new Int16Array(columns * rows * slices);
    for (let k = 0; k < slices; k++)
      for (let j = 0; j < rows; j++)
        for (let i = 0; i < columns; i++) {
          const [x, y] = mirror ? [columns - 1 - i, rows - 1 - j] : [i, j];
          voxels[(k * rows + y) * columns + x] = voxel(volume, i, j, k) - 1000;
        }
    const turn = mirror ? [-1, -1, 1] : [1, 1, 1];
    const step = signs.map((sign, axis) => sign * turn[axis]! * spacingMm[axis]!);
    const affine: Affine = [
      [step[0]!, 0, 0, 0],
      [0, step[1]!, 0, 0],
      [0, 0, step[2]!, 0],
      [0, 0, 0, 1],
    ];
    const spec = { shape: [columns, rows, slices] as const, affine, sclSlope: slope };
    return encodeNifti({ ...spec, sclInter: inter, littleEndian: volume.littleEndian }, voxels);
  }

  const flipped = (volume: Volume): Volume => ({ ...volume, mirror: true });

  async function prepared(volume: Volume) {
    const reader = await openNifti(once(fileOf(volume)), { subject: 'ct' });
    return {
      reader,
      preparation: new SlicePreparation(reader, [{ windowHu: WINDOW_HU, sizePx: SIZE_PX }]),
    };
  }

  /** Matchers compare element by element: 6144 bins as one text instead. */
  const comparable = ({ histogram, ...rest }: HuReport) => ({
    ...rest,
    sampled: histogram.sampled,
    counts: histogram.counts.join(),
  });

  const asBytes = (values: Uint16Array): Uint8Array =>
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
});
