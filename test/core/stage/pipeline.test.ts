import { gunzipSync } from 'node:zlib';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DirStore } from '../../../adapters/dir-store.ts';
import type { Runtime } from '../../../adapters/onnx.ts';
import { runKeys } from '../../../core/contract/keys.ts';
import { CaseManifest } from '../../../core/contract/manifest.ts';
import { metricValue } from '../../../core/contract/panel.ts';
import { CaseReport } from '../../../core/contract/report.ts';
import { InputError, PreflightError } from '../../../core/errors.ts';
import { greySlice } from '../../../core/slice/slab-codec.ts';
import type { OpenBundle } from '../../../core/stage/open-bundle.ts';
import { reportCase, reportFailure } from '../../../core/stage/report.ts';
import { segmentSlab } from '../../../core/stage/segment.ts';
import { splitCase } from '../../../core/stage/split.ts';
import { encodeNifti } from '../../../core/volume/encode.ts';
import { readLabel } from '../../../core/volume/label.ts';
import { phantomAffine } from '../../../phantom/phantom.ts';
import {
  identityOf,
  once,
  openTinyBundle,
  openTinyRuntime,
  phantomFile,
  stageCase,
  temporaryFolder,
} from '../../support/case.ts';

const SHAPE = { seed: 5, columns: 64, rows: 56, slices: 20 };
const provenance = { sammixVersion: '0', backend: null, node: 'v0', platform: 'test' };

let bundle: OpenBundle;
let runtime: Runtime;
beforeAll(async () => {
  bundle = await openTinyBundle();
  runtime = await openTinyRuntime();
});
afterAll(() => runtime.close());

const newStore = async (): Promise<DirStore> => new DirStore(await temporaryFolder());
/** A square of a picture, as the bytes of its pixels. */
const crop = ({ data, width }: PNG, left: number, top: number, side: number): Buffer =>
  Buffer.concat(
    Array.from({ length: side }, (_, row) => {
      const from = ((top + row) * width + left) * 4;
      return data.subarray(from, from + side * 4);
    }),
  );
const mean = (bytes: Uint8Array): number =>
  bytes.reduce((sum, value) => sum + value, 0) / bytes.length;
/** Matchers compare element by element and take seconds over a megabyte. */
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const json = async (store: DirStore, key: string): Promise<unknown> =>
  JSON.parse(Buffer.from(await store.get(key)).toString('utf8'));

describe('split', () => {
  it('writes a manifest that its schema accepts and slabs that cover every slice once', async () => {
    const store = await newStore();
    const { image } = phantomFile(SHAPE);
    const { keys } = await stageCase(image, bundle, runtime, store);
    const manifest = CaseManifest.parse(await json(store, keys.manifest));
    expect(manifest.slabs.map((slab) => [slab.firstSlice, slab.slices])).toEqual([
      [0, 8],
      [8, 8],
      [16, 4],
    ]);
    expect(manifest.inputSha256).toBe(manifest.run.input.version.replace('sha256:', ''));
    const slab = await store.stat(keys.slab(2));
    expect(slab?.bytes).toBe(4 * 256 * 256 * 2);
  });

  it('gives the same slabs for the same volume stored in another orientation', async () => {
    const { image, phantom } = phantomFile(SHAPE);
    const { columns, rows, slices, spacingMm: mm } = phantom.grid;
    // Stored slices first, rows upwards: k is the fastest axis, j runs from posterior to anterior.
    const turned = new Int16Array(phantom.hu.length);
    for (let k = 0; k < slices; k++)
      for (let j = 0; j < rows; j++)
        for (let i = 0; i < columns; i++)
          turned[(i * rows + (rows - 1 - j)) * slices + k] =
            phantom.hu[(k * rows + j) * columns + i]!;
    const [[, , , x], [, , , y], [, , , z]] = phantomAffine(phantom.grid);
    const affine = [
      [0, 0, -mm.column, x],
      [0, mm.row, 0, y - mm.row * (rows - 1)],
      [mm.slice, 0, 0, z],
      [0, 0, 0, 1],
    ] as const;
    const other = encodeNifti({ shape: [slices, rows, columns], affine }, turned);
    const [first, second] = [await newStore(), await newStore()];
    const a = await stageCase(image, bundle, runtime, first);
    const b = await stageCase(other, bundle, runtime, second);
    expect(b.manifest.geometry.orientation).toBe('SAL');
    for (const { index } of a.manifest.slabs)
      expect(same(await second.get(b.keys.slab(index)), await first.get(a.keys.slab(index)))).toBe(
        true,
      );
    // And so the masks are the same voxels of the patient, each in its file's own orientation.
    const [maskA, maskB] = await Promise.all(
      [first, second].map(async (store) =>
        readLabel(once(await store.get(a.keys.mask)), { subject: 'mask' }),
      ),
    );
    expect(maskB!.geometry.shape).toEqual([slices, rows, columns]);
    expect(same(maskB!.mask.data, maskA!.mask.data)).toBe(true);
  });

  it('refuses a truncated file without a manifest', async () => {
    const store = await newStore();
    const { image } = phantomFile(SHAPE);
    const keys = runKeys('phantom');
    const cut = image.subarray(0, image.length - 1000);
    const splitting = splitCase(
      {
        run: identityOf(cut, bundle),
        source: once(cut),
        bundle: bundle.manifest,
        keys,
        slicesPerSlab: 8,
      },
      { store },
    );
    await expect(splitting).rejects.toThrow(InputError);
    await expect(splitting).rejects.toMatchObject({ code: 'truncated-data' });
    expect(await store.stat(keys.manifest)).toBeUndefined();
  });
});

describe('refused by the preflight', () => {
  it('names every problem in the report, the fault being the first error', async () => {
    const store = await newStore();
    const keys = runKeys('phantom');
    // A mask of thick slices: no Hounsfield units, and a warning of its own.
    const affine = phantomAffine({ ...phantomFile(SHAPE).phantom.grid, slices: 4 });
    const thick = affine.map((row) => [row[0], row[1], row[2] * 2, row[3]]) as never;
    const voxels = Int16Array.from({ length: 64 * 56 * 4 }, (_, at) => at % 2);
    const image = encodeNifti({ shape: [64, 56, 4], affine: thick }, voxels);
    const splitting = splitCase(
      {
        run: identityOf(image, bundle),
        source: once(image),
        bundle: bundle.manifest,
        keys,
        slicesPerSlab: 8,
      },
      { store },
    );
    const error = await splitting.then(
      () => expect.unreachable('it was taken'),
      (reason: unknown) => reason as PreflightError,
    );
    expect(error).toBeInstanceOf(PreflightError);
    expect(error.code).toBe('not-hu');
    expect(error.problems.length).toBeGreaterThan(1);
    const failure = { keys, caseId: 'a', runId: null, inputName: 'a.nii', stage: 'split' as const };
    await reportFailure({ ...failure, error, provenance }, { store });
    const report = CaseReport.parse(await json(store, keys.report));
    expect(report).toMatchObject({ fault: error.fault, problems: error.problems });
  });
});

describe('segment and assemble', () => {
  it('draw the same mask whatever the slab size', async () => {
    const { image } = phantomFile(SHAPE);
    const masks = await Promise.all(
      [1, 7, 64].map(async (slicesPerSlab) => {
        const store = await newStore();
        const { keys } = await stageCase(image, bundle, runtime, store, { slicesPerSlab });
        return gunzipSync(await store.get(keys.mask));
      }),
    );
    expect(masks[1]!.equals(masks[0]!)).toBe(true);
    expect(masks[2]!.equals(masks[0]!)).toBe(true);
  });

  it('write the mask that the assembled case holds, on the input grid', async () => {
    const store = await newStore();
    const { image, phantom } = phantomFile(SHAPE);
    const { keys, assembled, manifest } = await stageCase(image, bundle, runtime, store);
    const mask = await readLabel(once(await store.get(keys.mask)), { subject: 'mask' });
    expect(mask.geometry.affine).toEqual(manifest.geometry.affine);
    expect(mask.mask.grid).toEqual(manifest.geometry.grid);
    expect(mask.mask.data.length).toBe(phantom.hu.length);
    expect(mask.mask.data.reduce((sum, voxel) => sum + voxel, 0)).toBe(assembled.voxels);
    expect(assembled.voxels).toBeGreaterThan(0);
  });

  it('keep every drawn voxel where the clean-up is off, one component where it is on', async () => {
    const { image } = phantomFile(SHAPE);
    const off = { largestComponent3d: false, fillHoles: false };
    const raw = await stageCase(image, bundle, runtime, await newStore(), { parameters: off });
    const drawn = raw.assembled.slices.reduce((sum, slice) => sum + slice.maskVoxels, 0);
    expect(raw.assembled.voxels).toBe(drawn);
    const largest = { largestComponent3d: true, fillHoles: false };
    const one = await stageCase(image, bundle, runtime, await newStore(), { parameters: largest });
    expect(one.assembled.voxels).toBe(one.assembled.largestVoxels);
    expect(one.assembled.rawVoxels).toBe(drawn);
  });

  it('do not run a finished slab again', async () => {
    const store = await newStore();
    const { image } = phantomFile(SHAPE);
    const { manifest, keys } = await stageCase(image, bundle, runtime, store);
    const infer = () => Promise.reject(new Error('the models were asked'));
    const model = () => ({ manifest: bundle.manifest, infer, backend: runtime.backend });
    const input = { manifest, slabIndex: 1, keys };
    const { records, reused } = await segmentSlab(input, { store, model });
    expect(reused).toBe(true);
    expect(records.slices.map((slice) => slice.index)).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
    await store.remove(keys.slabRecords(1));
    await expect(segmentSlab(input, { store, model })).rejects.toThrow('the models were asked');
  });
});

describe('report', () => {
  it('holds the numbers, writes the three files, and compares with a label', async () => {
    const store = await newStore();
    const { image, label } = phantomFile(SHAPE);
    const { manifest, assembled, keys } = await stageCase(image, bundle, runtime, store);
    const mask = await store.get(keys.mask);
    const cases = { manifest, assembled, bundle, keys, provenance, peakMemoryMiB: null };
    // Against itself the mask is perfect, against the phantom's liver it is what it is.
    const self = { name: 'self.nii.gz', version: '1', open: () => once(mask) };
    const perfect = await reportCase({ ...cases, label: self }, { store });
    expect(metricValue(perfect.comparison!.panel, 'dice')).toBe(1);
    expect(metricValue(perfect.comparison!.panel, 'hd95Mm')).toBe(0);
    expect(perfect.comparison!.panel.sliceDice).toHaveLength(20);
    const truth = { name: 'label.nii', version: '2', open: () => once(label) };
    const report = await reportCase({ ...cases, label: truth }, { store });
    expect(CaseReport.parse(await json(store, keys.report))).toEqual(report);
    expect(report.voxelsPerSlice).toHaveLength(20);
    expect(report.voxelsPerSlice!.reduce((sum, voxels) => sum + voxels, 0)).toBe(assembled.voxels);
    expect(report.volumeMl).toBeCloseTo(
      assembled.voxels *
        1e-3 *
        Object.values(manifest.geometry.grid.spacingMm).reduce((a, b) => a * b),
    );
    const html = Buffer.from(await store.get(keys.reportHtml)).toString('utf8');
    expect(html).toContain('not a medical device');
  });

  it('shows in its gallery the slices that it names, as its montage draws them', async () => {
    const store = await newStore();
    const { image, label } = phantomFile(SHAPE);
    const { manifest, assembled, keys } = await stageCase(image, bundle, runtime, store);
    const truth = { name: 'label.nii', version: '2', open: () => once(label) };
    const input = { manifest, assembled, bundle, keys, provenance, peakMemoryMiB: null };
    const { pictures } = await reportCase({ ...input, label: truth }, { store });
    const { montage, gallery } = pictures!;
    expect(gallery).toHaveLength(2);
    const png = async (key: string) => PNG.sync.read(Buffer.from(await store.get(key)));
    const [overlay, tiles, small] = [
      await png(keys.overlay),
      await png(keys.gallery),
      await png(keys.thumbnail),
    ];
    const sizePx = manifest.letterbox.sizePx;
    expect([tiles.width, tiles.height]).toEqual([2 * sizePx, sizePx]);
    const columns = Math.ceil(Math.sqrt(montage.length));
    for (const [at, { slice }] of gallery.entries()) {
      const place = montage.indexOf(slice);
      const left = (place % columns) * (sizePx + 2);
      const top = Math.floor(place / columns) * (sizePx + 2);
      // Beside what only the montage has: the caption above, R and L at the sides.
      const drawn = crop(tiles, at * sizePx + 30, 60, sizePx - 60);
      expect(same(drawn, crop(overlay, left + 30, top + 60, sizePx - 60))).toBe(true);
      // Where no line is drawn it is the very slice, as it was stored for the model.
      const slab = manifest.slabs.find((one) => slice < one.firstSlice + one.slices)!;
      const images = await store.get(keys.slab(slab.index));
      const grey = greySlice(images, slice - slab.firstSlice, sizePx);
      const tile = crop(tiles, at * sizePx, 0, sizePx);
      const undrawn = [...grey.keys()].filter((n) =>
        [1, 2].every((channel) => tile[n * 4] === tile[n * 4 + channel]),
      );
      expect(undrawn.length).toBeGreaterThan(grey.length / 2);
      // A line may happen to come out grey.
      const others = undrawn.filter((n) => tile[n * 4] !== grey[n]);
      expect(others.length).toBeLessThan(undrawn.length / 1000);
    }
    const section = crop(tiles, sizePx, 0, sizePx);
    expect(mean(crop(small, 0, 0, small.width))).toBeCloseTo(mean(section), 0);
  });

  it('keeps the mask and says why where the label lies on another grid', async () => {
    const store = await newStore();
    const { image } = phantomFile(SHAPE);
    const { label } = phantomFile({ ...SHAPE, slices: 19 });
    const { manifest, assembled, keys } = await stageCase(image, bundle, runtime, store);
    const other = { name: 'other.nii', version: '1', open: () => once(label) };
    const report = await reportCase(
      { manifest, assembled, bundle, keys, label: other, provenance, peakMemoryMiB: null },
      { store },
    );
    expect(report.comparison).toBeNull();
    expect(report.comparisonFault).toMatchObject({ code: 'shape-differs', subject: 'other.nii' });
  });

  it('of a failed case names the fault', async () => {
    const store = await newStore();
    const error = new InputError({
      code: 'truncated-data',
      subject: 'a.nii',
      expected: '10 bytes',
      found: '5',
      remedy: 'Copy it again.',
    });
    const keys = runKeys('a');
    const failure = { keys, caseId: 'a', runId: null, inputName: 'a.nii', stage: 'split' as const };
    await reportFailure({ ...failure, error, provenance }, { store });
    const report = CaseReport.parse(await json(store, keys.report));
    expect(report).toMatchObject({ status: 'failed', fault: { code: 'truncated-data' } });
    expect(Buffer.from(await store.get(keys.reportHtml)).toString('utf8')).toContain(
      'Copy it again',
    );
  });
});
