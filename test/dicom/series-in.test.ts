import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SammixError } from '../../core/errors.ts';
import type { ByteStream, RangedFile } from '../../core/ports.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { readInstance } from '../../dicom/instance.ts';
import { FrameReader } from '../../dicom/pixels.ts';
import type { AxialStack } from '../../dicom/series.ts';
import { planVolume } from '../../dicom/volume.ts';
import { niftiOfPlan } from '../../dicom/volume-bytes.ts';
import { filesOf, readSeries, TRUTH, type Truth } from './golden.ts';

const cases = (wanted: (truth: Truth) => boolean): [string, Truth][] =>
  Object.entries(TRUTH).filter(([, truth]) => wanted(truth));

/** The volume through the pipeline's own reader, as canonical LPS+ slices. */
async function volumeOf(stack: AxialStack) {
  const plan = planVolume(stack, 'series');
  const reader = await openNifti(niftiOfPlan(plan), { subject: 'series' });
  const { grid, affine } = reader.geometry;
  const hu = new Float32Array(grid.columns * grid.rows * grid.slices);
  for await (const slice of reader.axialSlices())
    hu.set(slice.hu, slice.index * grid.columns * grid.rows);
  return { plan, grid, affine, transform: reader.geometry.transform, hu };
}

/** Corners of the canonical volume in millimetres, against an affine of its RAS+ order. */
function expectSamePlace({ affine, grid, transform }: Volume, truth: Truth['affine'] & {}): void {
  const sizes = [grid.columns, grid.rows, grid.slices];
  for (const corner of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const lps = sizes.map((size, axis) => ((corner >> axis) & 1) * (size - 1));
    const ras = [sizes[0]! - 1 - lps[0]!, sizes[1]! - 1 - lps[1]!, lps[2]!];
    const stored = [0, 0, 0];
    transform.storedAxis.forEach((axis, n) => {
      stored[axis] = transform.flipped[n] ? sizes[n]! - 1 - lps[n]! : lps[n]!;
    });
    for (const row of [0, 1, 2])
      expect(positionOf(affine[row]!, stored)).toBeCloseTo(positionOf(truth[row]!, ras), 3);
  }
}

const positionOf = (row: readonly number[], at: readonly number[]): number =>
  row[0]! * at[0]! + row[1]! * at[1]! + row[2]! * at[2]! + row[3]!;

type Volume = Awaited<ReturnType<typeof volumeOf>>;

/** Canonical RAS+ bytes, first axis fastest: nibabel's as_closest_canonical. */
function rasBytes({ grid, hu, plan }: Volume): Uint8Array {
  const { columns, rows, slices } = grid;
  const out = plan.dtype === 'int16' ? new Int16Array(hu.length) : new Float32Array(hu.length);
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++)
        out[(k * rows + rows - 1 - j) * columns + columns - 1 - i] =
          hu[(k * rows + j) * columns + i]!;
  return new Uint8Array(out.buffer);
}

describe('a series becomes the volume that dcm2niix and SimpleITK read', () => {
  test.each(cases((truth) => truth.sha256 !== undefined))('%s', async (name, truth) => {
    const { stacks, leftAside } = await readSeries(await filesOf(name));
    expect(stacks).toHaveLength(1);
    const volume = await volumeOf(stacks[0]!);
    const { columns, rows, slices } = volume.grid;
    expect([columns, rows, slices]).toEqual(truth.shape);
    expectSamePlace(volume, truth.affine!);
    expect(createHash('sha256').update(rasBytes(volume)).digest('hex')).toBe(truth.sha256);
    expect(volume.plan.problems.map(({ code }) => code)).toEqual(truth.problems ?? []);
    for (const [series, why] of Object.entries(truth.leftAside ?? {}))
      expect(
        leftAside.some((one) => one.what.startsWith(`series ${series} `) && one.why.includes(why)),
        `series ${series}: ${JSON.stringify(leftAside)}`,
      ).toBe(true);
  });
});

describe('a sheared or uneven series', () => {
  test.each(cases((truth) => truth.linear === true))(
    '%s keeps a linear field',
    async (name, truth) => {
      const { stacks } = await readSeries(await filesOf(name));
      const { plan, hu, grid, affine, transform } = await volumeOf(stacks[0]!);
      expect(plan.problems.map(({ code }) => code)).toEqual(truth.problems);
      expect(grid.spacingMm.slice).toBeCloseTo(truth.spacing!, 5);
      if (truth.slices !== undefined) expect(grid.slices).toBe(truth.slices);
      expect(transform.flipped).toEqual([false, false, false]);
      let inside = 0;
      hu.forEach((value, at) => {
        if (value === -1024) return;
        inside += 1;
        const i = at % grid.columns;
        const j = Math.floor(at / grid.columns) % grid.rows;
        const k = Math.floor(at / grid.columns / grid.rows);
        const ras = [0, 1, 2].map(
          (r) => affine[r]![0]! * i + affine[r]![1]! * j + affine[r]![2]! * k + affine[r]![3]!,
        );
        // Written rounded, interpolated, rounded again.
        expect(Math.abs(value - (40 - 2 * ras[0]! + 3 * ras[1]! + 1.5 * ras[2]!))).toBeLessThan(
          1.01,
        );
      });
      expect(inside).toBeGreaterThan(0.7 * 24 * 20 * grid.slices);
    },
  );

  test('is refused where a gap is too wide to fill', async () => {
    const { stacks } = await readSeries(await filesOf('gap'));
    expect(() => planVolume(stacks[0]!, 'series 1')).toThrow(/gap of 22.5 mm after image 4 of 7/);
  });
});

test('two phases of one series are two volumes, in whichever order the files come', async () => {
  const files = await filesOf('two-phases');
  const { stacks } = await readSeries(files);
  expect(stacks.map(({ part }) => part)).toEqual([1, 2]);
  expect((await readSeries([...files].reverse())).stacks).toEqual(stacks);
  const first = await Promise.all(
    stacks.map(({ slices }) => new FrameReader(slices[0]!.instance).read(0)),
  );
  expect(first.map((hu) => hu[0])).toEqual([-899, -898]);
});

test('12-bit JPEG, which no kept library reads, is named', async () => {
  const { stacks, leftAside } = await readSeries(await filesOf('syntax-jpeg-12-bit'));
  expect(stacks).toEqual([]);
  expect(leftAside.map(({ why }) => why)).toEqual([
    'its compression cannot be read (JPEG extended)',
  ]);
});

describe('hostile files', () => {
  test('cost themselves, not the series beside them', async () => {
    const { stacks, leftAside, refused } = await readSeries(await filesOf('hostile'));
    expect(Object.keys(refused).sort()).toEqual(
      expect.arrayContaining(['cut0.dcm', 'cut1.dcm', 'noise.dcm']),
    );
    expect(new Set(Object.values(refused))).toEqual(new Set(['dicom-damaged']));
    expect(leftAside.map(({ why }) => why).join('; ')).toMatch(/65535 x 65535/);
    const whole = stacks.find(({ slices }) => slices.length >= 6);
    expect(whole).toBeDefined();
  });

  test('a codestream of another size is refused before it is decoded', async () => {
    const file = (await filesOf('hostile')).find(({ name }) =>
      name.endsWith('bad-codestream.dcm'),
    )!;
    const instance = (await readInstance(file))!;
    await expect(new FrameReader(instance).read(0)).rejects.toThrow(/JPEG 2000 data that cannot/);
  });

  test('any damage ends in an InputError or in a volume', async () => {
    const names = [
      'syntax-rle',
      'syntax-jpeg-ls',
      'syntax-jpeg-2000',
      'syntax-deflated',
      'enhanced-jpeg-2000',
      'syntax-jpeg-lossless',
      'syntax-htj2k',
    ];
    const originals = await Promise.all(
      names.map(async (name) => {
        const [file] = await filesOf(name);
        return file!.read(0, file!.bytes);
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...originals),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 20 }),
        fc.option(fc.nat()),
        async (original, changes, cut) => {
          const bytes = original.slice(0, cut === null ? undefined : cut % original.byteLength);
          for (const [at, value] of changes)
            if (bytes.byteLength > 132) bytes[132 + (at % (bytes.byteLength - 132))] = value;
          await readWhatCanBeRead(inMemory(bytes));
        },
      ),
      { numRuns: 300, seed: 20 },
    );
  });
});

const inMemory = (bytes: Uint8Array): RangedFile => ({
  name: 'damaged.dcm',
  bytes: bytes.byteLength,
  read: async (from, to) => bytes.slice(from, to),
});

async function readWhatCanBeRead(file: RangedFile): Promise<void> {
  try {
    const { stacks } = await readSeries([file]);
    for (const stack of stacks)
      for await (const _ of niftiOfPlan(planVolume(stack, 'x')) as ByteStream);
  } catch (error) {
    expect(error).toBeInstanceOf(SammixError);
  }
}
