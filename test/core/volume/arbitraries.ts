import fc from 'fast-check';
import type { Affine } from '../../../core/volume/affine.ts';
import type { VoxelArray } from '../../../core/volume/dtype.ts';
import type { VolumeSpec } from '../../../core/volume/encode.ts';

/** Random small volumes: every dtype, version, byte order and orientation, oblique ones included. */

const axisOrders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

const spacing = fc.double({ min: 0.3, max: 8, noNaN: true });
const offset = fc.double({ min: -900, max: 900, noNaN: true });
const angle = fc.double({ min: -0.5, max: 0.5, noNaN: true });

export const affines: fc.Arbitrary<Affine> = fc
  .record({
    order: fc.constantFrom(...axisOrders),
    signs: fc.tuple(fc.constantFrom(1, -1), fc.constantFrom(1, -1), fc.constantFrom(1, -1)),
    spacings: fc.tuple(spacing, spacing, spacing),
    origin: fc.tuple(offset, offset, offset),
    turn: angle,
  })
  .map(({ order, signs, spacings, origin, turn }) => {
    const rotation = [
      [Math.cos(turn), -Math.sin(turn), 0],
      [Math.sin(turn), Math.cos(turn), 0],
      [0, 0, 1],
    ];
    const row = (r: 0 | 1 | 2) =>
      [0, 1, 2].map((c) => rotation[r]![order[c]!]! * signs[c]! * spacings[c]!);
    const full = ([0, 1, 2] as const).map((r) => [...row(r), origin[r]]);
    return [...full, [0, 0, 0, 1]] as unknown as Affine;
  });

const integers = (Type: { new (values: number[]): VoxelArray }, min: number, max: number) => ({
  make: (values: number[]) => new Type(values),
  value: fc.integer({ min, max }),
});

const kinds = [
  integers(Uint8Array, 0, 255),
  integers(Int8Array, -128, 127),
  integers(Uint16Array, 0, 65535),
  integers(Int16Array, -32768, 32767),
  integers(Uint32Array, 0, 2 ** 32 - 1),
  integers(Int32Array, -(2 ** 31), 2 ** 31 - 1),
  {
    make: (values: number[]) => new BigInt64Array(values.map(BigInt)),
    value: fc.maxSafeInteger(),
  },
  {
    make: (values: number[]) => new BigUint64Array(values.map(BigInt)),
    value: fc.maxSafeNat(),
  },
  {
    make: (values: number[]) => new Float32Array(values),
    value: fc.float({ noNaN: true, noDefaultInfinity: true }),
  },
  {
    make: (values: number[]) => new Float64Array(values),
    value: fc.double({ noNaN: true, min: -1e30, max: 1e30 }),
  },
];

const size = fc.integer({ min: 2, max: 6 });

export interface RandomVolume {
  readonly spec: VolumeSpec;
  readonly voxels: VoxelArray;
}

export const volumes: fc.Arbitrary<RandomVolume> = fc
  .tuple(fc.tuple(size, size, size), fc.constantFrom(...kinds))
  .chain(([shape, kind]) => {
    const count = shape[0] * shape[1] * shape[2];
    return fc.record({
      voxels: fc.array(kind.value, { minLength: count, maxLength: count }).map(kind.make),
      spec: fc.record({
        shape: fc.constant(shape),
        affine: affines,
        version: fc.constantFrom<(1 | 2)[]>(1, 2),
        littleEndian: fc.boolean(),
        extensions: fc.array(
          fc.record({
            code: fc.integer({ min: 0, max: 44 }),
            data: fc.uint8Array({ minLength: 8, maxLength: 8 }),
          }),
          { maxLength: 2 },
        ),
      }),
    });
  });
