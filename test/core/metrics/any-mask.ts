import fc from 'fast-check';
import type { MaskVolume } from '../../../core/volume/grid.ts';

const side = fc.integer({ min: 1, max: 7 });
const mm = fc.integer({ min: 3, max: 40 }).map((tenths) => tenths / 10);

const grid = fc.record({
  columns: side,
  rows: side,
  slices: side,
  spacingMm: fc.record({ column: mm, row: mm, slice: mm }),
});

/** A density first, so that nearly empty and nearly full volumes are as likely as noise. */
const voxels = (length: number): fc.Arbitrary<Uint8Array> =>
  fc
    .integer({ min: 0, max: 100 })
    .chain((percent) =>
      fc
        .array(fc.integer({ min: 0, max: 99 }), { minLength: length, maxLength: length })
        .map((values) => Uint8Array.from(values, (v) => (v < percent ? 1 : 0))),
    );

/** Small random masks. */
export const anyMask = (): fc.Arbitrary<MaskVolume> =>
  grid.chain((g) => voxels(g.columns * g.rows * g.slices).map((data) => ({ grid: g, data })));

/** Two masks on one grid. */
export const anyMaskPair = (): fc.Arbitrary<readonly [MaskVolume, MaskVolume]> =>
  grid.chain((g) => {
    const data = voxels(g.columns * g.rows * g.slices);
    return fc.tuple(data, data).map(([a, b]) => [
      { grid: g, data: a },
      { grid: g, data: b },
    ]);
  });
