import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundingBox, countSet, cropMask } from '../../../core/mask/bounds.ts';
import {
  connectedComponents,
  eraseSmallerComponents,
  fillHoles,
} from '../../../core/mask/clean.ts';
import type { Connectivity } from '../../../core/mask/runs.ts';
import type { MaskVolume } from '../../../core/volume/grid.ts';
import golden from '../../golden/metrics/components.json' with { type: 'json' };
import { anyMask } from '../metrics/any-mask.ts';
import { ruleMask, type Step, type Triple, voxel } from '../metrics/rule-masks.ts';

interface GoldenCase {
  readonly name: string;
  readonly shape: Triple;
  readonly mask: readonly Step[];
  readonly sizes: Readonly<Record<string, readonly number[]>>;
  readonly filledVoxels: number;
  readonly filledIndexSum: number;
}

const cases = golden.cases as unknown as readonly GoldenCase[];
const CONNECTIVITIES = [6, 18, 26] as const;

describe('components against connected-components-3d 4.1.1', () => {
  it.each(cases)('$name', ({ shape, mask, sizes }) => {
    const volume = ruleMask(shape, [1, 1, 1], mask);
    for (const connectivity of CONNECTIVITIES) {
      const { count, sizesVoxels } = connectedComponents(volume, connectivity);
      expect([...sizesVoxels].sort((a, b) => a - b)).toEqual(sizes[connectivity]);
      expect(count).toBe(sizes[connectivity]!.length);
    }
  });
});

describe('hole fill against scipy.ndimage.binary_fill_holes 1.17.1', () => {
  it.each(cases)('$name', ({ shape, mask, filledVoxels, filledIndexSum }) => {
    const volume = ruleMask(shape, [1, 1, 1], mask);
    const filled = copyOf(volume);
    expect(fillHoles(filled)).toBe(filledVoxels);
    const changed = [...filled.data.keys()].filter((n) => filled.data[n] !== volume.data[n]);
    expect(changed.length).toBe(filledVoxels);
    expect(changed.reduce((sum, n) => sum + n, 0)).toBe(filledIndexSum);
    expect(fillHoles(filled)).toBe(0);
  });
});

describe('components', () => {
  it('are those of a flood fill, and the largest alone is kept', () => {
    fc.assert(
      fc.property(anyMask(), fc.constantFrom(...CONNECTIVITIES), (mask, connectivity) => {
        const labels = floodLabels(mask, connectivity);
        const sizes = Array.from(
          { length: Math.max(0, ...labels) },
          (_, n) => labels.filter((label) => label === n + 1).length,
        );
        const largest = sizes.indexOf(Math.max(...sizes));
        const components = { count: sizes.length, sizesVoxels: sizes, largest };
        expect(connectedComponents(mask, connectivity)).toEqual(components);
        const kept = copyOf(mask);
        expect(eraseSmallerComponents(kept, connectivity)).toEqual(components);
        expect([...kept.data]).toEqual(
          labels.map((label) => Number(label > 0 && label === largest + 1)),
        );
      }),
      { numRuns: 150 },
    );
  });

  it('separates voxels that touch only by an edge or a corner', () => {
    const edge = ruleMask(
      [3, 3, 3],
      [1, 1, 1],
      [{ box: [0, 1, 0, 1, 0, 1] }, { box: [0, 1, 1, 2, 1, 2] }],
    );
    const corner = ruleMask(
      [3, 3, 3],
      [1, 1, 1],
      [{ box: [0, 1, 0, 1, 0, 1] }, { box: [1, 2, 1, 2, 1, 2] }],
    );
    const counts = (mask: MaskVolume): number[] =>
      CONNECTIVITIES.map((c) => connectedComponents(mask, c).count);
    expect(counts(edge)).toEqual([2, 1, 1]);
    expect(counts(corner)).toEqual([2, 2, 1]);
  });
});

describe('bounding box', () => {
  it('is the tightest box, also on bytes that are not aligned', () => {
    fc.assert(
      fc.property(anyMask(), fc.integer({ min: 0, max: 3 }), (mask, misaligned) => {
        const bytes = new Uint8Array(mask.data.length + misaligned).subarray(misaligned);
        bytes.set(mask.data);
        const box = boundingBox({ grid: mask.grid, data: bytes });
        expect(box).toEqual(bruteBox(mask));
        if (!box) return;
        const cropped = cropMask(mask, box).mask;
        expect(sum(cropped.data)).toBe(sum(mask.data));
      }),
      { numRuns: 200 },
    );
  });
});

const copyOf = ({ grid, data }: MaskVolume): MaskVolume => ({ grid, data: data.slice() });

const sum = (data: Uint8Array): number => data.reduce((total, v) => total + v, 0);

function bruteBox(mask: MaskVolume): ReturnType<typeof boundingBox> {
  const set = [...mask.data.keys()].filter((n) => mask.data[n] !== 0).map((n) => indices(mask, n));
  if (set.length === 0) return undefined;
  const range = (axis: number): [number, number] => {
    const values = set.map((v) => v[axis]!);
    return [Math.min(...values), Math.max(...values) + 1];
  };
  const [[sliceStart, sliceEnd], [rowStart, rowEnd], [columnStart, columnEnd]] = [0, 1, 2].map(
    range,
  ) as [[number, number], [number, number], [number, number]];
  return { columnStart, columnEnd, rowStart, rowEnd, sliceStart, sliceEnd };
}

const indices = ({ grid }: MaskVolume, n: number): [number, number, number] => [
  Math.floor(n / (grid.rows * grid.columns)),
  Math.floor(n / grid.columns) % grid.rows,
  n % grid.columns,
];

function floodLabels(mask: MaskVolume, connectivity: Connectivity): number[] {
  const { rows, columns } = mask.grid;
  const reach = connectivity === 6 ? 1 : connectivity === 18 ? 2 : 3;
  const labels = new Array<number>(mask.data.length).fill(0);
  let label = 0;
  for (let seed = 0; seed < labels.length; seed++) {
    if (mask.data[seed] === 0 || labels[seed] !== 0) continue;
    labels[seed] = ++label;
    for (const stack = [seed]; stack.length > 0; ) {
      const [k, j, i] = indices(mask, stack.pop()!);
      for (let step = 0; step < 27; step++) {
        const [dk, dj, di] = [
          Math.floor(step / 9) - 1,
          (Math.floor(step / 3) % 3) - 1,
          (step % 3) - 1,
        ];
        if (Math.abs(dk) + Math.abs(dj) + Math.abs(di) > reach) continue;
        if (voxel(mask, k + dk, j + dj, i + di) === 0) continue;
        const next = ((k + dk) * rows + j + dj) * columns + i + di;
        if (labels[next] !== 0) continue;
        labels[next] = label;
        stack.push(next);
      }
    }
  }
  return labels;
}

describe('countSet', () => {
  it('is the sum of the voxels, at any offset and length', () => {
    const voxels = fc.uint8Array({ maxLength: 5000, max: 1 });
    fc.assert(
      fc.property(voxels, fc.nat({ max: 7 }), (data, offset) => {
        const shifted = new Uint8Array(data.length + offset);
        shifted.set(data, offset);
        expect(countSet(shifted.subarray(offset))).toBe(data.reduce((sum, v) => sum + v, 0));
      }),
    );
  });

  it('counts a full mask of more words than one sum holds', () => {
    expect(countSet(new Uint8Array(100_003).fill(1))).toBe(100_003);
  });
});
