import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { indexAt, positionOf } from '../../../core/volume/canonical.ts';
import { createHeader } from '../../../core/volume/encode.ts';
import { geometryOf } from '../../../core/volume/geometry.ts';
import { affines } from './arbitraries.ts';

const shape = [7, 11, 13] as const;
const placed = affines.map((affine) => {
  const header = createHeader({ shape, affine, dtype: 'int16' });
  return { affine, geometry: geometryOf(header, 'test') };
});

describe('canonical positions', () => {
  it('lie on the voxels of the stored grid, growing to the left, to posterior and to superior', () => {
    fc.assert(
      fc.property(placed, ({ geometry }) => {
        const [origin, last] = [
          positionOf(geometry, [0, 0, 0]),
          positionOf(geometry, [
            geometry.grid.columns - 1,
            geometry.grid.rows - 1,
            geometry.grid.slices - 1,
          ]),
        ];
        // The corners of the canonical grid are corners of the stored one.
        const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) =>
          geometry.affine
            .slice(0, 3)
            .map((row) =>
              [0, 1, 2].reduce(
                (sum, axis) => sum + row[axis]! * (bits & (1 << axis) ? shape[axis]! - 1 : 0),
                row[3],
              ),
            ),
        );
        for (const corner of [origin, last])
          expect(
            Math.min(
              ...corners.map((other) => Math.hypot(...other.map((v, axis) => v - corner[axis]!))),
            ),
          ).toBeLessThan(1e-6);
        // Turned by up to half a radian: each axis still grows as LPS+ says.
        const step = (axis: number): number => {
          const unit = [0, 0, 0].map((_, at) => (at === axis ? 1 : 0)) as [number, number, number];
          return positionOf(geometry, unit)[axis]! - origin[axis]!;
        };
        expect([step(0) < 0, step(1) < 0, step(2) > 0]).toEqual([true, true, true]);
      }),
      { seed: 3 },
    );
  });

  it('are undone by indexAt', () => {
    fc.assert(
      fc.property(
        placed,
        fc.tuple(...[0, 1, 2].map(() => fc.double({ min: -5, max: 20, noNaN: true }))),
        ({ geometry }, index) => {
          const [i, j, k] = index as [number, number, number];
          const back = indexAt(geometry, positionOf(geometry, [i, j, k]));
          expect(Math.hypot(back[0] - i, back[1] - j, back[2] - k)).toBeLessThan(1e-6);
        },
      ),
      { seed: 4 },
    );
  });
});
