import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../core/errors.ts';
import { voxelVolumeMl } from '../../core/volume/grid.ts';
import { type PhantomCase, phantomCase } from '../../phantom/phantom.ts';

const SMALL = { columns: 64, rows: 64, slices: 20 };
const SMALL_SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

const digest = ({ hu, label, grid }: PhantomCase): string =>
  createHash('sha256')
    .update(new Uint8Array(hu.buffer))
    .update(label)
    .update(JSON.stringify(grid))
    .digest('hex');

/** Means over the voxels that `keep` accepts. */
function meanOf(
  phantom: PhantomCase,
  keep: (label: number, hu: number, i: number, j: number, k: number) => boolean,
) {
  const { columns, rows } = phantom.grid;
  const sum = { n: 0, hu: 0, huSquared: 0, i: 0, j: 0, k: 0 };
  phantom.hu.forEach((hu, index) => {
    const i = index % columns;
    const j = Math.floor(index / columns) % rows;
    const k = Math.floor(index / (columns * rows));
    if (!keep(phantom.label[index]!, hu, i, j, k)) return;
    sum.n += 1;
    sum.hu += hu;
    sum.huSquared += hu * hu;
    sum.i += i;
    sum.j += j;
    sum.k += k;
  });
  const { n } = sum;
  return {
    n,
    hu: sum.hu / n,
    sd: Math.sqrt(sum.huSquared / n - (sum.hu / n) ** 2),
    i: sum.i / n,
    j: sum.j / n,
  };
}

const liverVoxelsPerSlice = ({ grid, label }: PhantomCase): number[] => {
  const plane = grid.columns * grid.rows;
  return Array.from({ length: grid.slices }, (_, k) =>
    label.subarray(k * plane, (k + 1) * plane).reduce((sum, value) => sum + Number(value > 0), 0),
  );
};

describe('phantomCase', () => {
  it('gives the same bytes for the same seed and other bytes for another', () => {
    const digests = [1, 1, 2].map((seed) => digest(phantomCase({ seed, ...SMALL })));
    expect(digests[0]).toBe(digests[1]);
    expect(digests[0]).not.toBe(digests[2]);
  });

  it('keeps to a given shape and spacing', () => {
    const spacingMm = { column: 4, row: 5, slice: 12 };
    const { grid, hu, label } = phantomCase({
      seed: 9,
      columns: 80,
      rows: 64,
      slices: 18,
      spacingMm,
    });
    expect(grid).toEqual({ columns: 80, rows: 64, slices: 18, spacingMm });
    expect(hu.length).toBe(80 * 64 * 18);
    expect(label.length).toBe(hu.length);
  });

  it.each([
    ['columns', { columns: 7 }],
    ['rows', { rows: 12.5 }],
    ['slices', { slices: Number.NaN }],
    ['slices', { slices: 100_000 }],
    ['row spacing', { spacingMm: { column: 2, row: 0, slice: 4 } }],
    ['slice spacing', { spacingMm: { column: 2, row: 2, slice: Number.POSITIVE_INFINITY } }],
    ['seed', { seed: -4 }],
  ])('names a bad %s', (name, options) => {
    const build = () => phantomCase({ seed: 1, ...SMALL, ...options });
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(`phantom ${name}`);
  });
});

describe('the anatomy at the default size', () => {
  let phantom: PhantomCase;
  beforeAll(() => {
    phantom = phantomCase({ seed: 2025 });
  });

  it('has a liver of adult volume with slices below and above it', () => {
    const perSlice = liverVoxelsPerSlice(phantom);
    const volumeMl = perSlice.reduce((a, b) => a + b, 0) * voxelVolumeMl(phantom.grid);
    expect(volumeMl).toBeGreaterThan(900);
    expect(volumeMl).toBeLessThan(2500);
    expect(perSlice.slice(0, 3)).toEqual([0, 0, 0]);
    expect(perSlice.slice(-3)).toEqual([0, 0, 0]);
  });

  it('has a liver in one face-connected piece, its lesions included', () => {
    const { columns, rows } = phantom.grid;
    const steps = [1, -1, columns, -columns, columns * rows, -columns * rows];
    const reached = new Uint8Array(phantom.label.length);
    const stack = [phantom.label.indexOf(1)];
    while (stack.length > 0) {
      const index = stack.pop()!;
      if (reached[index] === 1 || !(phantom.label[index]! > 0)) continue;
      reached[index] = 1;
      for (const step of steps) stack.push(index + step);
    }
    const apart = phantom.label.filter((value, index) => value > 0 && reached[index] === 0);
    expect(apart.length).toBe(0);
  });

  it('has noise of 6 to 24 HU in the parenchyma', () => {
    const { columns } = phantom.grid;
    const deep = meanOf(phantom, (label, _, i, j, k) => {
      const at = (di: number, dj: number) =>
        phantom.label[(k * phantom.grid.rows + j + dj) * columns + i + di];
      return label === 1 && [at(4, 0), at(-4, 0), at(0, 4), at(0, -4)].every((near) => near === 1);
    });
    expect(deep.n).toBeGreaterThan(10_000);
    expect(deep.sd).toBeGreaterThan(6);
    expect(deep.sd).toBeLessThan(24);
  });
});

describe.each(SMALL_SEEDS)('the anatomy of seed %i', (seed) => {
  const phantom = phantomCase({ seed, ...SMALL });
  const { columns, rows, slices } = phantom.grid;

  it('puts the liver on the patient right, the image left', () => {
    expect(meanOf(phantom, (label) => label > 0).i).toBeLessThan(0.42 * columns);
  });

  it('gives parenchyma 50 to 125 HU and darker lesions, away from their edges', () => {
    const steps = [1, -1, columns, -columns, columns * rows, -columns * rows];
    const core = (wanted: number) =>
      meanOf(phantom, (label, _, i, j, k) => {
        const index = (k * rows + j) * columns + i;
        return label === wanted && steps.every((step) => phantom.label[index + step] === wanted);
      });
    const liver = core(1);
    const lesion = core(2);
    expect(liver.hu).toBeGreaterThan(50);
    expect(liver.hu).toBeLessThan(125);
    if (lesion.n > 3) expect(lesion.hu).toBeLessThan(liver.hu - 12);
  });

  it('has air before the belly, bone behind the middle and lung on top', () => {
    expect(meanOf(phantom, (_, __, ___, j) => j === 0).hu).toBeLessThan(-950);
    const bone = meanOf(phantom, (_, hu, i) => hu > 330 && Math.abs(i - columns / 2) < columns / 8);
    expect(bone.j).toBeGreaterThan(0.55 * rows);
    const lung = (k: number) =>
      meanOf(
        phantom,
        (_, hu, i, j, kk) =>
          kk === k &&
          hu < -600 &&
          hu > -930 &&
          Math.hypot(i - columns / 2, (j - rows / 2) * 1.5) < columns * 0.36,
      ).n;
    expect(lung(slices - 1)).toBeGreaterThan(10 * Math.max(1, lung(0)));
  });

  it('has fat, the second most frequent tissue after soft tissue', () => {
    const fat = meanOf(phantom, (_, hu) => hu > -150 && hu < -60);
    expect(fat.n).toBeGreaterThan(0.05 * phantom.hu.length);
  });
});
