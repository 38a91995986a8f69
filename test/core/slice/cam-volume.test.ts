import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DirStore } from '../../../adapters/dir-store.ts';
import type { Runtime } from '../../../adapters/onnx.ts';
import { encodeCamVolume } from '../../../core/slice/cam.ts';
import {
  bilinearFilter,
  filterColumns,
  filterRows,
  SlicePreprocessor,
} from '../../../core/slice/letterbox.ts';
import type { OpenBundle } from '../../../core/stage/open-bundle.ts';
import type { Affine } from '../../../core/volume/affine.ts';
import { encodeNifti } from '../../../core/volume/encode.ts';
import { openNifti } from '../../../core/volume/reader.ts';
import {
  once,
  openTinyBundle,
  openTinyRuntime,
  phantomFile,
  stageCase,
  temporaryFolder,
} from '../../support/case.ts';
import { affines } from '../volume/arbitraries.ts';

describe('the CAM volume lies over the input', () => {
  const [sizePx, gridPx] = [64, 8];

  /** Where one hot voxel of an input is found again through the model's square and the CAM's header. */
  async function foundAt(affine: Affine, shape: number[], hot: number[]): Promise<number[]> {
    const [nx, ny, nz] = shape as [number, number, number];
    const voxels = new Int16Array(nx * ny * nz);
    voxels[(hot[2]! * ny + hot[1]!) * nx + hot[0]!] = 1000;
    const reader = await openNifti(once(encodeNifti({ shape, affine }, voxels)), { subject: 'ct' });
    const preprocessor = new SlicePreprocessor(reader.geometry.grid, [0, 1000], sizePx);
    const square = new Float32Array(sizePx * sizePx);
    let centre: number[] = [];
    for await (const { index, hu } of reader.axialSlices()) {
      preprocessor.apply(hu, square);
      const found = centroid(square, sizePx);
      if (found) centre = [...found, index];
    }
    const cell = sizePx / gridPx;
    const index = [(centre[0]! + 0.5) / cell - 0.5, (centre[1]! + 0.5) / cell - 0.5, centre[2]!];
    const stack = {
      activations: new Float32Array(gridPx ** 2 * reader.geometry.grid.slices),
      gridPx,
    };
    const cam = encodeCamVolume(stack, reader, preprocessor.letterbox);
    return apply((await openNifti(cam, { subject: 'cam' })).geometry.affine, index);
  }

  it('in every orientation, spacing and shape: within a quarter of a pixel of the square', async () => {
    await fc.assert(
      fc.asyncProperty(
        affines,
        fc.tuple(...Array.from({ length: 3 }, () => fc.integer({ min: 17, max: 40 }))),
        fc.tuple(
          ...Array.from({ length: 3 }, () => fc.double({ min: 0.2, max: 0.8, noNaN: true })),
        ),
        async (affine, shape, share) => {
          const hot = shape.map((size, axis) => Math.floor(size * share[axis]!));
          const expected = apply(affine, hot);
          const got = await foundAt(affine, shape, hot);
          const longestMm = Math.max(...shape.map((n, axis) => n * columnLength(affine, axis)));
          const distance = Math.hypot(...got.map((value, axis) => value - expected[axis]!));
          expect(distance).toBeLessThan(0.25 * (longestMm / sizePx));
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });
});

describe('the CAM volume of a case', () => {
  let bundle: OpenBundle;
  let runtime: Runtime;
  beforeAll(async () => {
    bundle = await openTinyBundle();
    runtime = await openTinyRuntime();
  });
  afterAll(() => runtime.close());

  it('gives back the box that prompted SAM, slice by slice, and shows the slices that the gate ended', async () => {
    const store = new DirStore(await temporaryFolder());
    const { image } = phantomFile({ seed: 5, columns: 64, rows: 48, slices: 20 });
    const { keys, manifest, assembled } = await stageCase(image, bundle, runtime, store);
    const { gridPx, slices } = await camSlices(await store.get(keys.cam));
    expect(slices).toHaveLength(manifest.geometry.grid.slices);
    const boxed = assembled.slices.filter((slice) => slice.box && !slice.camEmpty);
    expect(boxed.length).toBeGreaterThan(5);
    for (const { box, index } of boxed) {
      const enlarged = enlarge(slices[index]!, gridPx, manifest.letterbox.sizePx);
      const found = boxOf(enlarged, manifest.letterbox.sizePx, bundle.manifest.cam.thresholdOfMax);
      // The file's 16 bits may move an edge by a pixel, and the box is of the largest component only.
      for (const at of [0, 1]) expect(found[at]!).toBeLessThanOrEqual(box![at]! + 1);
      for (const at of [2, 3]) expect(found[at]!).toBeGreaterThanOrEqual(box![at]! - 1);
    }
    const same = boxed.filter(({ box, index }) => {
      const enlarged = enlarge(slices[index]!, gridPx, manifest.letterbox.sizePx);
      const found = boxOf(enlarged, manifest.letterbox.sizePx, bundle.manifest.cam.thresholdOfMax);
      return found.every((edge, at) => Math.abs(edge - box![at]!) <= 1);
    });
    expect(same.length).toBeGreaterThan(boxed.length / 2);
  });

  it('is the same whatever the slab size', async () => {
    const { image } = phantomFile({ seed: 5, columns: 64, rows: 48, slices: 20 });
    const files = await Promise.all(
      [1, 7, 64].map(async (slicesPerSlab) => {
        const store = new DirStore(await temporaryFolder());
        const { keys } = await stageCase(image, bundle, runtime, store, { slicesPerSlab });
        return Buffer.from(await store.get(keys.cam));
      }),
    );
    expect(files[1]!.equals(files[0]!)).toBe(true);
    expect(files[2]!.equals(files[0]!)).toBe(true);
  });
});

const apply = (affine: Affine, index: readonly number[]): number[] =>
  affine
    .slice(0, 3)
    .map((row) => row[0] * index[0]! + row[1] * index[1]! + row[2] * index[2]! + row[3]);

const columnLength = (affine: Affine, axis: number): number =>
  Math.hypot(affine[0][axis]!, affine[1][axis]!, affine[2][axis]!);

/** Centre of mass in pixel indices; undefined where the slice is empty. */
function centroid(square: Float32Array, sizePx: number): [number, number] | undefined {
  let [sum, x, y] = [0, 0, 0];
  square.forEach((value, at) => {
    sum += value;
    x += value * (at % sizePx);
    y += value * Math.floor(at / sizePx);
  });
  return sum > 0 ? [x / sum, y / sum] : undefined;
}

async function camSlices(file: Uint8Array): Promise<{ gridPx: number; slices: Float32Array[] }> {
  const reader = await openNifti(once(file), { subject: 'cam' });
  const slices: Float32Array[] = [];
  for await (const { index, hu } of reader.axialSlices()) slices[index] = Float32Array.from(hu);
  return { gridPx: reader.geometry.grid.columns, slices };
}

function enlarge(map: Float32Array, gridPx: number, sizePx: number): Float32Array {
  const bank = bilinearFilter(gridPx, sizePx);
  const widened = new Float32Array(gridPx * sizePx);
  const enlarged = new Float32Array(sizePx * sizePx);
  filterRows(bank, map, gridPx, gridPx, widened, sizePx);
  filterColumns(bank, widened, sizePx, enlarged, 0, sizePx);
  return enlarged;
}

function boxOf(map: Float32Array, sizePx: number, share: number): number[] {
  const threshold = share * map.reduce((peak, value) => Math.max(peak, value), 0);
  const inside = [...map.keys()].filter((at) => map[at]! >= threshold);
  const x = inside.map((at) => at % sizePx);
  const y = inside.map((at) => Math.floor(at / sizePx));
  return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
}
