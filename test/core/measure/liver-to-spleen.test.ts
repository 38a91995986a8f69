import { describe, expect, it } from 'vitest';
import { liverToSpleen } from '../../../core/measure/liver-to-spleen.ts';
import { measureTarget } from '../../../core/measure/measure-target.ts';
import type { AxialSlice } from '../../../core/volume/reader.ts';

const SIDE = 9;
const grid = {
  columns: SIDE,
  rows: SIDE,
  slices: SIDE,
  spacingMm: { column: 1, row: 1, slice: 1 },
};
const whole = {
  columnStart: 0,
  columnEnd: SIDE,
  rowStart: 0,
  rowEnd: SIDE,
  sliceStart: 0,
  sliceEnd: SIDE,
};

/** A cube of `width` voxels of `hu`, in a mask one voxel wider all around, where there is `edgeHu`. */
function organ(target: string, width: number, hu: number, edgeHu: number) {
  const within = (i: number, reach: number): boolean => Math.abs(i - (SIDE - 1) / 2) <= reach;
  const reach = (width - 1) / 2;
  const cube = (outer: number) => (at: number) =>
    [at % SIDE, Math.floor(at / SIDE) % SIDE, Math.floor(at / SIDE ** 2)].every((i) =>
      within(i, outer),
    );
  const data = Uint8Array.from({ length: SIDE ** 3 }, (_, at) => Number(cube(reach + 1)(at)));
  const slices = async function* (): AsyncGenerator<AxialSlice> {
    for (let index = 0; index < SIDE; index++)
      yield {
        index,
        hu: Float32Array.from({ length: SIDE ** 2 }, (_, at) =>
          cube(reach)(at + index * SIDE ** 2) ? hu : edgeHu,
        ),
      };
  };
  return measureTarget(target, { mask: { grid, data }, box: whole }, grid, slices());
}

describe('liver to spleen', () => {
  it('is of the insides: the edges, where fat and air mix in, do not count', async () => {
    const measures = [await organ('spleen', 3, 50, -100), await organ('liver', 5, 40, -100)];
    expect(measures[1]!.inside!.meanHu).toBeLessThan(0);
    expect(liverToSpleen(measures)).toEqual({
      liverMeanHu: 40,
      spleenMeanHu: 50,
      ratio: 0.8,
      differenceHu: -10,
    });
  });

  it('is nothing without both, without an inside, or over a spleen of no density', async () => {
    const liver = await organ('Liver', 5, -20, 0);
    const thin = await organ('spleen', -1, 50, 50);
    expect(liverToSpleen([liver])).toBeUndefined();
    expect(liverToSpleen([liver, thin])).toBeUndefined();
    expect(liverToSpleen([liver, await organ('spleen', 3, -5, 0)])).toBeUndefined();
    // a fatty liver is a number, and its sign stays
    expect(liverToSpleen([liver, await organ('spleen', 3, 50, 0)])?.ratio).toBe(-0.4);
  });
});
