import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { METRIC_DEFINITIONS, type MetricName, metricValue } from '../../../core/contract/panel.ts';
import { GeometryError } from '../../../core/errors.ts';
import { nearestDistancesMm } from '../../../core/metrics/edt.ts';
import { comparisonPanel } from '../../../core/metrics/panel.ts';
import { weightedQuantile } from '../../../core/metrics/quantile.ts';
import { type LatticePoints, regionVoxels } from '../../../core/metrics/surface-points.ts';
import type { MaskVolume, VoxelBox } from '../../../core/volume/grid.ts';
import { anyMask, anyMaskPair } from './any-mask.ts';
import { emptyMask } from './rule-masks.ts';
import { expectClose } from './tolerance.ts';

const NAMES = Object.keys(METRIC_DEFINITIONS) as MetricName[];
const IDENTITY_ONE = new Set(['dice', 'iou', 'nsd1Mm', 'nsd2Mm', 'nsd3Mm']);

describe('distance transform', () => {
  it('equals brute force', () => {
    fc.assert(
      fc.property(anyMaskPair(), ([a, b]) => {
        const [from, to] = [regionVoxels(a, wholeBox(a)), regionVoxels(b, wholeBox(b))];
        const ours = nearestDistancesMm(from, to, a.grid.spacingMm);
        const theirs = bruteDistances(from, to, a.grid.spacingMm);
        expect(ours.length).toBe(theirs.length);
        ours.forEach((distance, n) => {
          if (theirs[n] === Number.POSITIVE_INFINITY) expect(distance).toBe(theirs[n]);
          else expectClose(distance, theirs[n]!, `point ${n}`, 1e-12);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('reaches across more slices than the coarsest stride', () => {
    const [from, to] = [emptyMask([60, 2, 3], [0.5, 1, 2]), emptyMask([60, 2, 3], [0.5, 1, 2])];
    from.data[0] = 1;
    to.data[57 * 6] = 1;
    const points = [from, to].map((mask) => regionVoxels(mask, wholeBox(mask)));
    expect([...nearestDistancesMm(points[0]!, points[1]!, from.grid.spacingMm)]).toEqual([28.5]);
  });
});

describe('panel', () => {
  it('gives a mask compared with itself the perfect values', () => {
    fc.assert(
      fc.property(anyMask(), (mask) => {
        const panel = comparisonPanel(mask, mask);
        for (const name of NAMES) {
          expect(metricValue(panel, name)).toBe(IDENTITY_ONE.has(name) ? 1 : 0);
        }
      }),
    );
  });

  it('is symmetric where its definition is', () => {
    fc.assert(
      fc.property(anyMaskPair(), ([a, b]) => {
        const [there, back] = [comparisonPanel(a, b), comparisonPanel(b, a)];
        for (const name of ['dice', 'iou', 'hdMm', 'hd95Mm', 'monaiHdMm', 'monaiHd95Mm'] as const) {
          expect(metricValue(there, name)).toBe(metricValue(back, name));
        }
        expect(metricValue(there, 'dice')).toBeGreaterThanOrEqual(0);
        expect(metricValue(there, 'dice')).toBeLessThanOrEqual(1);
        expect(there.sliceDice).toEqual(back.sliceDice);
      }),
    );
  });

  it('does not change when both masks move together', () => {
    fc.assert(
      fc.property(
        anyMaskPair(),
        fc.array(fc.nat(3), { minLength: 6, maxLength: 6 }),
        (pair, by) => {
          const [a, b] = pair;
          const plain = comparisonPanel(a, b);
          const moved = comparisonPanel(padded(a, by), padded(b, by));
          expect(moved.metrics).toEqual(plain.metrics);
        },
      ),
    );
  });

  it('refuses masks of another shape, spacing, or with a spacing that is not a number', () => {
    const mask = emptyMask([2, 3, 4]);
    expect(() => comparisonPanel(mask, emptyMask([2, 4, 3]))).toThrow(GeometryError);
    expect(() => comparisonPanel(mask, emptyMask([2, 3, 4], [1, 1, 1.001]))).toThrow(/spacing/);
    expect(() => comparisonPanel(mask, emptyMask([2, 3, 4], [Number.NaN, 1, 1]))).toThrow(
      GeometryError,
    );
    expect(comparisonPanel(mask, emptyMask([2, 3, 4], [1, 1, 1.00001])).status).toBe('both-empty');
  });
});

describe('area-weighted quantile', () => {
  it('is the first value whose cumulative weight reaches the share', () => {
    const entry = fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 1, max: 9 }));
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 200 }), (entries) => {
        const sorted = [...entries].sort((a, b) => a[0] - b[0]);
        const total = sorted.reduce((sum, [, weight]) => sum + weight, 0);
        let cumulative = 0;
        // In whole numbers: weight * 20 >= total * 19 is the 95 % rule without rounding.
        const [value] = sorted.find(([, weight]) => {
          cumulative += weight;
          return cumulative * 20 >= total * 19;
        })!;
        const values = Float64Array.from(entries, ([v]) => v);
        const weights = Float64Array.from(entries, ([, w]) => w);
        expect(weightedQuantile(values, weights, 0.95)).toBe(value);
      }),
    );
  });
});

const wholeBox = ({ grid }: MaskVolume): VoxelBox => ({
  columnStart: 0,
  columnEnd: grid.columns,
  rowStart: 0,
  rowEnd: grid.rows,
  sliceStart: 0,
  sliceEnd: grid.slices,
});

function bruteDistances(
  from: LatticePoints,
  to: LatticePoints,
  mm: MaskVolume['grid']['spacingMm'],
): number[] {
  const places = (points: LatticePoints): [number, number, number][] => {
    const list: [number, number, number][] = [];
    for (let k = 0; k < points.slices; k++) {
      for (let n = points.sliceOffset[k]!; n < points.sliceOffset[k + 1]!; n++) {
        const at = points.position[n]!;
        list.push([
          k * mm.slice,
          Math.floor(at / points.columns) * mm.row,
          (at % points.columns) * mm.column,
        ]);
      }
    }
    return list;
  };
  const targets = places(to);
  return places(from).map((p) =>
    targets.reduce(
      (best, q) => Math.min(best, Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2])),
      Number.POSITIVE_INFINITY,
    ),
  );
}

/** More background around the mask: before and after on each axis. */
function padded(mask: MaskVolume, by: readonly number[]): MaskVolume {
  const { slices, rows, columns, spacingMm: mm } = mask.grid;
  const size = [
    slices + by[0]! + by[1]!,
    rows + by[2]! + by[3]!,
    columns + by[4]! + by[5]!,
  ] as const;
  const out = emptyMask(size, [mm.slice, mm.row, mm.column]);
  mask.data.forEach((value, n) => {
    const k = Math.floor(n / (rows * columns)) + by[0]!;
    const j = (Math.floor(n / columns) % rows) + by[2]!;
    const i = (n % columns) + by[4]!;
    out.data[(k * size[1] + j) * size[2] + i] = value;
  });
  return out;
}
