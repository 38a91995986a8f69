import { describe, expect, it } from 'vitest';
import { encodePhantom, phantomAffine, phantomCase } from '../../phantom/phantom.ts';

describe('encodePhantom', () => {
  const phantom = phantomCase({ seed: 5, columns: 16, rows: 12, slices: 8 });
  const { ct, label } = encodePhantom(phantom);

  it('writes single-file NIfTI-1 with the voxels at their stored place', () => {
    const view = new DataView(ct.buffer, ct.byteOffset);
    const start = view.getFloat32(108, true);
    expect(view.getInt32(0, true)).toBe(348);
    expect([42, 44, 46].map((at) => view.getInt16(at, true))).toEqual([16, 12, 8]);
    expect(ct.byteLength).toBe(start + 2 * phantom.hu.length);
    const last = phantom.hu.length - 1;
    expect(view.getInt16(start + 2 * last, true)).toBe(phantom.hu[last]);
    expect(label.subarray(start)).toEqual(phantom.label);
  });

  it('lies with its columns to the left, rows to posterior and slices upwards, about the origin', () => {
    const { column, row, slice } = phantom.grid.spacingMm;
    const affine = phantomAffine(phantom.grid);
    expect([affine[0][0], affine[1][1], affine[2][2]]).toEqual([-column, -row, slice]);
    expect(affine[0][3]).toBeCloseTo(7.5 * column, 10);
    expect(affine[2][3]).toBeCloseTo(-3.5 * slice, 10);
  });
});
