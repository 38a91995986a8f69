import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bilinearFilter,
  filterColumns,
  filterRows,
  letterboxFor,
  SlicePreprocessor,
} from '../../../core/slice/letterbox.ts';
import { NativeGridMapper } from '../../../core/slice/native.ts';

describe('native grid', () => {
  it('is the inverse of the letterbox for a mask drawn on the native grid', () => {
    const [columns, rows] = [61, 47];
    const grid = { columns, rows, spacingMm: { column: 1.2, row: 1.2, slice: 1 } };
    const drawn = Float32Array.from({ length: rows * columns }, (_, at) => {
      const [x, y] = [(at % columns) - 30, Math.floor(at / columns) - 20];
      return x * x + y * y < 200 ? 1 : 0;
    });
    const preprocessor = new SlicePreprocessor(grid, [0, 1], 256);
    const square = new Float32Array(256 * 256);
    preprocessor.apply(drawn, square);
    const mapper = new NativeGridMapper(preprocessor.letterbox, rows, columns);
    const back = mapper.mask(square, 0.5);
    expect(back.filter((voxel, at) => voxel !== drawn[at]).length).toBe(0);
  });

  const side = fc.integer({ min: 1, max: 90 });

  it('sets the voxels whose interpolated logit is above the threshold, and no other', () => {
    fc.assert(
      fc.property(side, side, fc.nat(), fc.constantFrom(-0.3, 0, 0.4), (rows, columns, seed, t) => {
        const grid = { columns, rows, spacingMm: { column: 0.7, row: 0.9, slice: 1 } };
        const box = letterboxFor(grid, 64);
        const [cx, cy, radius] = [seed % 64, (seed >> 6) % 64, ((seed >> 12) % 30) - 2];
        const logits = Float32Array.from({ length: 64 * 64 }, (_, at) => {
          const [x, y] = [at % 64, Math.floor(at / 64)];
          return (radius - Math.hypot(x - cx, y - cy)) / 8 + ((at * 7) % 5) / 50;
        });
        const boxed = Float32Array.from({ length: box.width * box.height }, (_, at) => {
          const y = box.y0 + Math.floor(at / box.width);
          return logits[y * 64 + box.x0 + (at % box.width)]!;
        });
        const across = bilinearFilter(box.width, columns);
        const widened = new Float32Array(box.height * columns);
        const whole = new Float32Array(rows * columns);
        filterRows(across, boxed, box.width, box.height, widened, columns);
        filterColumns(bilinearFilter(box.height, rows), widened, columns, whole, 0, columns);
        const mask = new NativeGridMapper(box, rows, columns).mask(logits, t);
        // Where a logit meets the threshold within float32's rounding either side is right.
        const wrong = mask.filter(
          (voxel, at) => Math.abs(whole[at]! - t) > 1e-5 && voxel !== (whole[at]! > t ? 1 : 0),
        );
        expect(wrong.length).toBe(0);
      }),
    );
  });
});
