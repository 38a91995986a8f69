import { describe, expect, it } from 'vitest';
import { runId } from '../../../core/contract/keys.ts';
import { NativeGridMapper } from '../../../core/slice/native.ts';
import { createHeader } from '../../../core/volume/encode.ts';
import { geometryOf } from '../../../core/volume/geometry.ts';
import { writeProbabilities } from '../../../core/volume/mask-writer.ts';
import { openNifti } from '../../../core/volume/reader.ts';

const letterbox = { sizePx: 8, x0: 0, y0: 1, width: 8, height: 6 };

describe('probabilities', () => {
  it('are the sigmoid of the interpolated logits, and agree with the mask at any threshold', () => {
    const logits = Float32Array.from({ length: 64 }, (_, at) => Math.sin(at * 1.7) * 4);
    const native = new NativeGridMapper(letterbox, 30, 40);
    const probabilities = native.probabilities(logits).slice();
    for (const p of [0.2, 0.5, 0.8]) {
      const mask = native.mask(logits, Math.log(p / (1 - p)));
      mask.forEach((set, at) => {
        // Rounded to 1/255: on either side of the threshold by half of that.
        const value = probabilities[at]! / 255;
        if (set === 1) expect(value).toBeGreaterThanOrEqual(p - 0.5 / 255);
        else expect(value).toBeLessThanOrEqual(p + 0.5 / 255);
      });
    }
    expect(Math.max(...probabilities)).toBeGreaterThan(200);
  });

  it.each([
    ['as scanners write it', [0, 1, 2], [-1, -1, 1]],
    ['flipped', [0, 1, 2], [1, 1, -1]],
    ['coronal', [0, 2, 1], [-1, 1, 1]],
  ] as const)('come back from a file %s', async (_, order, signs) => {
    const sizes = [4, 3, 5];
    const shape = order.map((_axis, n) => sizes[order[n]!]!);
    const affine = [0, 1, 2].map((row) => [
      ...[0, 1, 2].map((n) => (order[n] === row ? signs[n]! * 2 : 0)),
      10 * row,
    ]);
    const header = createHeader({
      shape,
      dtype: 'int16',
      affine: [...affine, [0, 0, 0, 1]] as never,
    });
    const geometry = geometryOf(header, 'image');
    const { columns, rows } = geometry.grid;
    const slice = (k: number) =>
      Uint8Array.from({ length: columns * rows }, (__, at) => (k * 40 + at * 3) % 256);
    const file = writeProbabilities(header, geometry, async (k) =>
      k === 1 ? undefined : slice(k),
    );
    const reader = await openNifti(file, { subject: 'probability.nii.gz' });
    expect(reader.geometry.affine).toEqual(geometry.affine);
    for await (const { index, hu } of reader.axialSlices())
      slice(index).forEach((value, at) => {
        expect(hu[at]).toBeCloseTo(index === 1 ? 0 : value / 255, 6);
      });
  });
});

describe('the name of a run', () => {
  const input = { name: 'a.nii', version: 'sha256:0' };
  const plain = { largestComponent3d: true, fillHoles: true };
  it('changes with the threshold and the map, and not without them', () => {
    const names = [
      runId(input, 'b', plain),
      runId(input, 'b', { ...plain, maskProbability: 0.4 }),
      runId(input, 'b', { ...plain, maskProbability: 0.6 }),
      runId(input, 'b', { ...plain, probabilityMap: true }),
    ];
    expect(new Set(names).size).toBe(4);
    // As it was before there was a threshold.
    expect(names[0]).toBe('d61739251583c439');
  });
});
