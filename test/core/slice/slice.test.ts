import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CamPrompter } from '../../../core/slice/cam.ts';
import {
  bilinearFilter,
  type FilterBank,
  filterColumns,
  filterRows,
  letterboxFor,
  SlicePreprocessor,
  triangleFilter,
} from '../../../core/slice/letterbox.ts';
import { chooseMasks, promptFeeds } from '../../../core/slice/segment-slices.ts';

interface Resized {
  rows: number;
  columns: number;
  height: number;
  width: number;
  values: number[];
}
interface GoldenPrompt {
  grid: number;
  cam: number[];
  sizePx: number;
  thresholdOfMax: number;
  areaPx: number;
  box: number[];
  rowSums: number[];
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/slice/slice.json', import.meta.url), 'utf8'),
) as { triangle: Resized[]; bilinear: Resized[]; camPrompts: GoldenPrompt[] };

/** The picture of test/golden/slice/make_goldens.py. */
function pattern(rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const i = at % columns;
    const j = Math.floor(at / columns);
    return ((13 * i * i + 7 * j * j + 31 * i * j) % 401) - 100;
  });
}

function resize(
  image: Float32Array,
  across: FilterBank,
  down: FilterBank,
  rows: number,
  columns: number,
) {
  const narrowed = new Float32Array(rows * across.outputs);
  const resized = new Float32Array(down.outputs * across.outputs);
  filterRows(across, image, columns, rows, narrowed, across.outputs);
  filterColumns(down, narrowed, across.outputs, resized, 0, across.outputs);
  return resized;
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (value, at) => Math.abs(value - b[at]!)));
};

describe('resampling', () => {
  it.each(golden.triangle)(
    'triangle filter equals Pillow: $rows x $columns to $height x $width',
    ({ rows, columns, height, width, values }) => {
      const down = triangleFilter(rows, height);
      const across = triangleFilter(columns, width);
      const resized = resize(pattern(rows, columns), across, down, rows, columns);
      expect(largestDifference(resized, values)).toBeLessThan(1e-3);
    },
  );

  it.each(golden.bilinear)(
    'bilinear filter equals PyTorch: $rows x $columns to $height x $width',
    ({ rows, columns, height, width, values }) => {
      const down = bilinearFilter(rows, height);
      const across = bilinearFilter(columns, width);
      const resized = resize(pattern(rows, columns), across, down, rows, columns);
      expect(largestDifference(resized, values)).toBeLessThan(1e-3);
    },
  );

  it('keeps a constant constant, whatever the sizes', () => {
    const size = fc.integer({ min: 1, max: 300 });
    fc.assert(
      fc.property(size, size, fc.constantFrom(triangleFilter, bilinearFilter), (n, m, filter) => {
        const bank = filter(n, m);
        const output = new Float32Array(m);
        filterRows(bank, new Float32Array(n).fill(0.5), n, 1, output, m);
        expect(largestDifference(output, new Float32Array(m).fill(0.5))).toBeLessThan(1e-5);
      }),
    );
  });
});

describe('letterbox', () => {
  const square = { columns: 512, rows: 512, spacingMm: { column: 0.7, row: 0.7, slice: 2 } };

  it('fills the square with a square slice', () => {
    expect(letterboxFor(square, 256)).toEqual({
      sizePx: 256,
      x0: 0,
      y0: 0,
      width: 256,
      height: 256,
    });
  });

  it('pads the shorter side in millimetres, not in voxels', () => {
    const oblong = { columns: 100, rows: 200, spacingMm: { column: 2, row: 0.5, slice: 2 } };
    expect(letterboxFor(oblong, 256)).toEqual({
      sizePx: 256,
      x0: 0,
      y0: 64,
      width: 256,
      height: 128,
    });
  });

  it('always lies inside the square', () => {
    const side = fc.integer({ min: 1, max: 2000 });
    const mm = fc.double({ min: 0.05, max: 20, noNaN: true });
    fc.assert(
      fc.property(side, side, mm, mm, (columns, rows, column, row) => {
        const box = letterboxFor({ columns, rows, spacingMm: { column, row, slice: 1 } }, 256);
        expect(box.width).toBeGreaterThan(0);
        expect(box.height).toBeGreaterThan(0);
        expect(box.x0 + box.width).toBeLessThanOrEqual(256);
        expect(box.y0 + box.height).toBeLessThanOrEqual(256);
        expect(Math.max(box.width, box.height)).toBe(256);
      }),
    );
  });
});

describe('preprocessing', () => {
  const grid = { columns: 4, rows: 4, spacingMm: { column: 1, row: 1, slice: 1 } };

  it('maps the window to [0, 1], clamps outside it and takes NaN for air', () => {
    const preprocessor = new SlicePreprocessor(grid, [0, 200], 4);
    const hu = new Float32Array(16).fill(100);
    hu.set([-1000, 0, 200, 3000, Number.NaN, 50, Number.POSITIVE_INFINITY], 0);
    const output = new Float32Array(16);
    preprocessor.apply(hu, output);
    expect([...output.slice(0, 8)]).toEqual([0, 0, 1, 1, 0, 0.25, 1, 0.5]);
  });

  it('writes zeros outside the letterbox, at an offset, over old content', () => {
    const flat = { ...grid, rows: 2 };
    const output = new Float32Array(32).fill(7);
    new SlicePreprocessor(flat, [0, 200], 4).apply(new Float32Array(8).fill(100), output, 16);
    expect([...output.slice(0, 16)]).toEqual(new Array(16).fill(7));
    expect([...output.slice(16, 20)]).toEqual([0, 0, 0, 0]);
    expect([...output.slice(20, 28)]).toEqual(new Array(8).fill(0.5));
    expect([...output.slice(28)]).toEqual([0, 0, 0, 0]);
  });
});

describe('CAM prompt', () => {
  it.each(golden.camPrompts)(
    'equals SciPy labelling of a PyTorch upsampling: $grid to $sizePx',
    ({ grid, cam, sizePx, thresholdOfMax, areaPx, box, rowSums }) => {
      const prompt = new CamPrompter(grid, sizePx, { thresholdOfMax }).prompt(
        Float32Array.from(cam),
      );
      expect(prompt.areaPx).toBe(areaPx);
      expect(prompt.box).toEqual(box);
      const sums = rowSums.map((_, y) =>
        prompt.mask.slice(y * sizePx, (y + 1) * sizePx).reduce((sum, pixel) => sum + pixel, 0),
      );
      expect(sums).toEqual(rowSums);
    },
  );

  const prompter = new CamPrompter(8, 64, { thresholdOfMax: 0.2 });

  it.each([
    ['no positive value', new Float32Array(64).fill(-1)],
    ['only zeros', new Float32Array(64)],
  ])('falls back to the filled centre box on %s', (_, cam) => {
    const prompt = prompter.prompt(cam);
    expect(prompt).toMatchObject({ empty: true, box: [16, 16, 47, 47], areaPx: 1024 });
    expect(prompt.mask[16 * 64 + 16]).toBe(1);
    expect(prompt.mask[15 * 64 + 16]).toBe(0);
  });

  it('covers the square where the map is flat', () => {
    const prompt = prompter.prompt(new Float32Array(64).fill(3));
    expect(prompt).toMatchObject({ empty: false, box: [0, 0, 63, 63], areaPx: 64 * 64 });
  });

  it('prefers the higher of two equal blobs, then the first', () => {
    const twoBlobs = (first: number, second: number): Float32Array => {
      const cam = new Float32Array(64);
      cam[9] = first;
      cam[54] = second;
      return cam;
    };
    expect(prompter.prompt(twoBlobs(1, 1)).box[0]).toBeLessThan(32);
    // A lower blob has a smaller area at a common threshold, so equality needs equal peaks: the
    // higher one wins on area already.
    expect(prompter.prompt(twoBlobs(1, 1.5)).box[0]).toBeGreaterThan(32);
  });

  it('returns the box of its mask', () => {
    const cams = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), {
      minLength: 64,
      maxLength: 64,
    });
    fc.assert(
      fc.property(cams, (values) => {
        const { mask, box, areaPx } = prompter.prompt(Float32Array.from(values));
        const set = [...mask.keys()].filter((at) => mask[at] === 1);
        expect(set.length).toBe(areaPx);
        const xs = set.map((at) => at % 64);
        const ys = set.map((at) => Math.floor(at / 64));
        expect(box).toEqual([Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('SAM', () => {
  it('feeds prompts in the order of the slices', () => {
    const prompt = (value: number) => ({
      mask: new Uint8Array(4).fill(value),
      areaPx: 4,
      box: [0, 0, value, 1] as const,
      empty: false,
    });
    const feeds = promptFeeds([prompt(1), prompt(0)], 2);
    expect([...feeds.cam_mask!.data]).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
    expect([...feeds.box!.data]).toEqual([0, 0, 1, 1, 0, 0, 0, 1]);
    expect(feeds.cam_mask!.dims).toEqual([2, 1, 2, 2]);
  });

  it('takes the mask with the best score of each slice', () => {
    const logits = Float32Array.from({ length: 2 * 3 * 4 }, (_, at) => Math.floor(at / 4));
    const scores = Float32Array.from([0.1, 0.9, 0.2, 0.8, 0.3, 0.5]);
    const chosen = chooseMasks(
      { data: logits, dims: [2, 3, 2, 2] },
      { data: scores, dims: [2, 3] },
    );
    expect(chosen.map((mask) => mask.logits[0])).toEqual([1, 3]);
    expect(chosen.map((mask) => mask.predictedIou)).toEqual([Math.fround(0.9), Math.fround(0.8)]);
  });
});
