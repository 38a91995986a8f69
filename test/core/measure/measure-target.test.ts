import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { measureCommand } from '../../../cli/measure.ts';
import { HuStatistics } from '../../../core/contract/measures.ts';
import { huStatistics } from '../../../core/measure/hu-statistics.ts';
import { measureTarget } from '../../../core/measure/measure-target.ts';
import type { AxialSlice } from '../../../core/volume/reader.ts';

const golden = path.resolve(import.meta.dirname, '../../golden/measure');
const truth = JSON.parse(readFileSync(path.join(golden, 'truth.json'), 'utf8'));
const [IMAGE, MASK] = [path.join(golden, 'image.nii.gz'), path.join(golden, 'mask.nii.gz')];
const OPTIONS = { target: 'liver', csv: false };

describe('the measures of a mask', () => {
  it('equal PyRadiomics, SimpleITK, SciPy and numpy', async () => {
    const { result } = await measureCommand(IMAGE, MASK, OPTIONS);
    const measures = result[0]!.measures!;
    for (const [name, value] of Object.entries<number>(truth.inside))
      expect(measures.inside![name as keyof HuStatistics], name).toBeCloseTo(value, 9);
    for (const [name, value] of Object.entries<number>(truth.eroded))
      expect(measures.eroded![name as keyof HuStatistics], name).toBeCloseTo(value, 9);
    const { voxelVolumeMm3, surfaceAreaMm2, maximum2dDiameterSliceMm, ...order } =
      truth.pyradiomics;
    for (const [name, value] of Object.entries<number>(order))
      expect(measures.inside![name as keyof HuStatistics], name).toBeCloseTo(value, 9);
    expect(measures.volumeMl * 1000).toBeCloseTo(voxelVolumeMm3, 8);
    expect(measures.surfaceAreaMm2).toBeCloseTo(surfaceAreaMm2, 8);
    expect(measures.longestAxialDiameterMm).toBeCloseTo(maximum2dDiameterSliceMm, 9);
    expect(measures.cutByFieldOfView).toEqual({ ends: false, sides: false });
  });

  it('come as CSV, and a mask that is missing is said', async () => {
    const { text, exitCode } = await measureCommand(IMAGE, MASK, { ...OPTIONS, csv: true });
    expect(exitCode).toBe(0);
    expect(text.split('\r\n')[1]).toMatch(/^measure,liver,3786,8\.329/);
    const none = await measureCommand(IMAGE, golden, { ...OPTIONS, csv: true });
    expect(none.result[0]!.measures ?? none.result[0]!.reason).toBeTruthy();
  });

  it('are refused for a class that the mask does not hold', async () => {
    const { result, exitCode } = await measureCommand(IMAGE, MASK, { ...OPTIONS, value: 2 });
    expect(exitCode).toBe(1);
    expect(result[0]!.measures).toBeNull();
    expect(result[0]!.reason).toMatch(/the class 2.*found only 0, 1/);
  });

  it('are nothing for an empty mask', async () => {
    const grid = { columns: 4, rows: 3, slices: 1, spacingMm: { column: 1, row: 1, slice: 1 } };
    const slices = async function* (): AsyncGenerator<AxialSlice> {
      yield { index: 0, hu: new Float32Array(12) };
    };
    expect(await measureTarget('liver', undefined, grid, slices())).toMatchObject({
      voxels: 0,
      surfaceAreaMm2: 0,
      longestAxialDiameterMm: null,
      inside: null,
      eroded: null,
    });
  });

  it('say where the mask is cut', async () => {
    const grid = { columns: 4, rows: 3, slices: 2, spacingMm: { column: 1, row: 1, slice: 1 } };
    const data = new Uint8Array(24).fill(0);
    data[4 + 1] = 1;
    const box = {
      columnStart: 0,
      columnEnd: 4,
      rowStart: 0,
      rowEnd: 3,
      sliceStart: 0,
      sliceEnd: 2,
    };
    const slices = async function* (): AsyncGenerator<AxialSlice> {
      for (const index of [1, 0]) yield { index, hu: new Float32Array(12).fill(index) };
    };
    const measures = await measureTarget('liver', { mask: { grid, data }, box }, grid, slices());
    expect(measures.cutByFieldOfView).toEqual({ ends: true, sides: false });
    expect(measures.inside?.meanHu).toBe(0);
    expect(measures.eroded).toBeNull();
    // One voxel: an octahedron of half a millimetre around its centre.
    expect(measures.surfaceAreaMm2).toBeCloseTo(Math.sqrt(3), 12);
    expect(measures.longestAxialDiameterMm).toBeCloseTo(1, 12);
  });
});

describe('statistics of any values', () => {
  it('are ordered, within the range, and one schema', () => {
    const values = fc.float32Array({ noNaN: true, min: -3000, max: 3000, minLength: 1 });
    fc.assert(
      fc.property(values, (hu) => {
        const found = HuStatistics.parse(huStatistics(hu.slice()));
        const ascending = [
          found.minHu,
          found.p05Hu,
          found.p10Hu,
          found.p25Hu,
          found.medianHu,
          found.p75Hu,
          found.p90Hu,
          found.p95Hu,
          found.maxHu,
        ];
        expect(ascending).toEqual([...ascending].sort((a, b) => a - b));
        expect(found.below40HuShare).toBe(hu.filter((value) => value < 40).length / hu.length);
      }),
    );
  });
});
