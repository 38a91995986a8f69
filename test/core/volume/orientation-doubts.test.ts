import { describe, expect, it } from 'vitest';
import type { SliceContent } from '../../../core/contract/manifest.ts';
import { boundingBox, cropMask } from '../../../core/mask/bounds.ts';
import { orientationDoubts } from '../../../core/volume/abdomen.ts';
import type { Grid } from '../../../core/volume/grid.ts';
import { ScanContent } from '../../../core/volume/scan-content.ts';
import { phantomCase } from '../../../phantom/phantom.ts';

const phantom = phantomCase({ seed: 5, columns: 80, rows: 80, slices: 48 });
const { columns, rows, slices } = phantom.grid;
type Axes = readonly [number, number, number];

/** The phantom as a program stores it that takes `voxel(i, j, k)` for the voxel at i, j, k. */
function stored(shape: Axes, voxel: (at: Axes) => Axes) {
  const hu: Float32Array[] = [];
  const label = new Uint8Array(shape[0] * shape[1] * shape[2]);
  for (let k = 0; k < shape[2]; k++) {
    const slice = new Float32Array(shape[0] * shape[1]);
    for (let j = 0; j < shape[1]; j++)
      for (let i = 0; i < shape[0]; i++) {
        const [x, y, z] = voxel([i, j, k]);
        const from = (z * rows + y) * columns + x;
        slice[j * shape[0] + i] = phantom.hu[from]!;
        label[(k * shape[1] + j) * shape[0] + i] = phantom.label[from]! > 0 ? 1 : 0;
      }
    hu.push(slice);
  }
  const { column, row, slice } = phantom.grid.spacingMm;
  const mm = [column, row, slice] as const;
  const along = [0, 1, 2].map((axis) => {
    const step = voxel([Number(axis === 0), Number(axis === 1), Number(axis === 2)]);
    const origin = voxel([0, 0, 0]);
    return mm[[0, 1, 2].find((n) => step[n] !== origin[n])!]!;
  });
  const grid: Grid = {
    ...{ columns: shape[0], rows: shape[1], slices: shape[2] },
    spacingMm: { column: along[0]!, row: along[1]!, slice: along[2]! },
  };
  const content = new ScanContent(grid);
  for (const [index, slice] of hu.entries()) content.add(slice, index);
  return { grid, content: content.slices() as SliceContent[], label };
}

function doubts(shape: Axes, voxel: (at: Axes) => Axes) {
  const { grid, content, label } = stored(shape, voxel);
  const mask = { grid, data: label };
  return orientationDoubts(content, grid, cropMask(mask, boundingBox(mask)!));
}

describe('the way round in which a phantom lies', () => {
  it('is right', () => {
    expect(doubts([columns, rows, slices], (at) => at)).toEqual([]);
  });

  it('is not axial where axes were taken for each other', () => {
    const sagittal = doubts([rows, slices, columns], ([i, j, k]) => [k, i, slices - 1 - j]);
    expect(sagittal).toEqual(['not-axial']);
    const coronal = doubts([columns, slices, rows], ([i, j, k]) => [i, k, slices - 1 - j]);
    expect(coronal).toEqual(['not-axial']);
  });

  it('is mirrored where left and right were', () => {
    const mirrored = doubts([columns, rows, slices], ([i, j, k]) => [columns - 1 - i, j, k]);
    expect(mirrored).toEqual(['mirrored']);
  });

  it('is front to back where these were exchanged', () => {
    const turned = doubts([columns, rows, slices], ([i, j, k]) => [i, rows - 1 - j, k]);
    expect(turned).toContain('front-to-back');
  });
});
