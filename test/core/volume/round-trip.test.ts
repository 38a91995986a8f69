import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError } from '../../../core/errors.ts';
import { encodeNifti, encodePair } from '../../../core/volume/encode.ts';
import { parseHeader, serialiseHeader } from '../../../core/volume/header.ts';
import { canonicalStrides } from '../../../core/volume/slice-kernel.ts';
import { volumes } from './arbitraries.ts';
import { readAll, streamOf } from './volume-bytes.ts';

/** The stored voxel under each canonical one, looked up the slow and obvious way. */
function canonicalByLookup(
  voxels: ArrayLike<number | bigint>,
  { shape, transform, grid }: Awaited<ReturnType<typeof readAll>>['reader']['geometry'],
): Float32Array {
  const out: number[] = [];
  for (let k = 0; k < grid.slices; k++) {
    for (let j = 0; j < grid.rows; j++) {
      for (let i = 0; i < grid.columns; i++) {
        const stored = [0, 0, 0];
        for (const [axis, index] of [i, j, k].entries()) {
          const along = transform.storedAxis[axis]!;
          stored[along] = transform.flipped[axis] ? shape[along] - 1 - index : index;
        }
        const at = stored[0]! + shape[0] * (stored[1]! + shape[1] * stored[2]!);
        // A zero has no sign after scaling.
        out.push(Number(voxels[at]!) + 0);
      }
    }
  }
  return Float32Array.from(out);
}

test('reading gives back what was encoded, in any dtype, byte order, version and orientation', async () => {
  await fc.assert(
    fc.asyncProperty(volumes, fc.integer({ min: 1, max: 999 }), async ({ spec, voxels }, piece) => {
      const { reader, voxels: read } = await readAll(encodeNifti(spec, voxels), { piece });
      expect(read).toEqual(canonicalByLookup(voxels, reader.geometry));
      expect(reader.header.extensions).toEqual(spec.extensions);
      for (const [n, value] of spec.affine.flat().entries()) {
        expect(reader.geometry.affine.flat()[n]).toBeCloseTo(value, 3);
      }
    }),
    { numRuns: 150 },
  );
});

test('qform alone places the volume where the sform would', async () => {
  await fc.assert(
    fc.asyncProperty(volumes, async ({ spec, voxels }) => {
      const { reader } = await readAll(encodeNifti({ ...spec, sformCode: 0 }, voxels));
      expect(reader.geometry.affineSource).toBe('qform');
      for (const [n, value] of spec.affine.flat().entries()) {
        expect(reader.geometry.affine.flat()[n]).toBeCloseTo(value, 3);
      }
    }),
    { numRuns: 100 },
  );
});

test('a pair, gzipped or not, reads like the single file', async () => {
  await fc.assert(
    fc.asyncProperty(volumes, fc.boolean(), async ({ spec, voxels }, zipped) => {
      const { headerBytes, imageBytes } = encodePair(spec, voxels);
      const imageSource = streamOf(zipped ? gzipSync(imageBytes) : imageBytes);
      const pair = await readAll(zipped ? gzipSync(headerBytes) : headerBytes, { imageSource });
      const single = await readAll(encodeNifti(spec, voxels));
      expect(pair.voxels).toEqual(single.voxels);
      expect(pair.reader.header.extensions).toEqual(spec.extensions);
    }),
    { numRuns: 60 },
  );
});

test('a header survives the manifest', async () => {
  await fc.assert(
    fc.asyncProperty(volumes, async ({ spec, voxels }) => {
      const { reader } = await readAll(encodeNifti(spec, voxels));
      expect(parseHeader(serialiseHeader(reader.header), 'manifest')).toEqual(reader.header);
    }),
    { numRuns: 60 },
  );
});

test('every stored voxel is reached exactly once', () => {
  fc.assert(
    fc.property(
      fc.tuple(fc.nat(5), fc.nat(5), fc.nat(5)).map(([x, y, z]) => [x + 1, y + 1, z + 1] as const),
      fc.shuffledSubarray([0, 1, 2] as const, { minLength: 3 }),
      fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
      (shape, storedAxis, flipped) => {
        const transform = { storedAxis: storedAxis as unknown as readonly [0, 1, 2], flipped };
        const strides = canonicalStrides(shape, transform);
        const seen = new Set<number>();
        for (let i = 0; i < shape[storedAxis[0]!]; i++) {
          for (let j = 0; j < shape[storedAxis[1]!]; j++) {
            for (let k = 0; k < shape[storedAxis[2]!]; k++) {
              seen.add(strides.origin + i * strides.column + j * strides.row + k * strides.slice);
            }
          }
        }
        expect(seen.size).toBe(shape[0] * shape[1] * shape[2]);
        expect(Math.min(...seen)).toBe(0);
        expect(Math.max(...seen)).toBe(seen.size - 1);
      },
    ),
  );
});

test('a file cut off anywhere is refused, plain or gzipped', async () => {
  await fc.assert(
    fc.asyncProperty(
      volumes,
      fc.boolean(),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      async ({ spec, voxels }, zipped, share) => {
        const plain = encodeNifti(spec, voxels);
        const whole = zipped ? gzipSync(plain) : plain;
        const cut = whole.subarray(0, Math.floor(whole.byteLength * share));
        await expect(readAll(cut)).rejects.toThrow(InputError);
      },
    ),
    { numRuns: 150 },
  );
});
