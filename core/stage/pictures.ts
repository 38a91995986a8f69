import type { BundleManifest } from '../contract/bundle.ts';
import type { RunKeys } from '../contract/keys.ts';
import type { CaseManifest, Letterbox, SliceRecord } from '../contract/manifest.ts';
import type { SlicePicture } from '../draw/picture.ts';
import type { BlobStore } from '../ports.ts';
import { CamPrompter } from '../slice/cam.ts';
import { decodeMasks, greySlice } from '../slice/slab-codec.ts';
import type { CroppedMask, Grid } from '../volume/grid.ts';
import { openNifti } from '../volume/reader.ts';
import { finishedSlab } from './segment.ts';

interface PictureInput {
  readonly manifest: CaseManifest;
  readonly keys: RunKeys;
  readonly slices: readonly SliceRecord[];
  /** Canonical indices of the slices to show, ascending. */
  readonly chosen: readonly number[];
  readonly mask: CroppedMask | undefined;
  readonly label: CroppedMask | undefined;
  readonly cams: CamMasks;
}

/** The classifier's prompts, sizePx x sizePx, of those of the slices that have one. */
export type CamMasks = (slices: readonly number[]) => Promise<ReadonlyMap<number, Uint8Array>>;

/** As the slabs of a run that was segmented just now hold them. */
export const camsOfSlabs =
  (manifest: CaseManifest, keys: RunKeys, store: BlobStore): CamMasks =>
  async (slices) => {
    const found = new Map<number, Uint8Array>();
    for (const { index, firstSlice, slices: count } of manifest.slabs) {
      const within = slices.filter((k) => k >= firstSlice && k < firstSlice + count);
      if (within.length === 0) continue;
      // There are records: the case has been assembled from them.
      const records = (await finishedSlab(keys, index, store))!;
      const masks = decodeMasks(await store.get(keys.slabMasks(index)), records, manifest);
      for (const k of within) {
        const cam = masks.get(k)?.cam();
        if (cam) found.set(k, cam);
      }
    }
    return found;
  };

/** From the maps that are kept beside the mask, to their 16 bits: for a run whose slabs are gone. */
export const camsOfVolume =
  (
    manifest: CaseManifest,
    records: readonly SliceRecord[],
    keys: RunKeys,
    rule: BundleManifest['cam'],
    store: BlobStore,
  ): CamMasks =>
  async (slices) => {
    const wanted = new Set(slices.filter((k) => records[k]!.camAreaPx !== null));
    const reader = await openNifti(store.read(keys.cam), { subject: keys.cam });
    const { sizePx } = manifest.letterbox;
    const prompter = new CamPrompter(reader.geometry.grid.columns, sizePx, rule);
    const found = new Map<number, Uint8Array>();
    for await (const { index, hu } of reader.axialSlices())
      if (wanted.has(index)) found.set(index, prompter.prompt(hu).mask);
    return found;
  };

/** What the report shows of the chosen slices, all in the model's square. */
export async function slicePictures(
  input: PictureInput,
  store: BlobStore,
): Promise<SlicePicture[]> {
  const { manifest, keys, chosen } = input;
  const cams = await input.cams(chosen);
  const pictures: SlicePicture[] = [];
  for (const slab of manifest.slabs) {
    const within = chosen.filter((k) => k >= slab.firstSlice && k < slab.firstSlice + slab.slices);
    if (within.length === 0) continue;
    const images = await store.get(keys.slab(slab.index));
    for (const k of within) {
      const grey = greySlice(images, k - slab.firstSlice, manifest.letterbox.sizePx);
      pictures.push(picture(input, k, grey, cams.get(k) ?? null));
    }
  }
  return pictures;
}

function picture(
  { manifest, slices, mask, label }: PictureInput,
  k: number,
  image: Uint8Array,
  cam: Uint8Array | null,
): SlicePicture {
  const { letterbox, geometry } = manifest;
  const record = slices[k]!;
  return {
    record,
    sizePx: letterbox.sizePx,
    image,
    cam,
    mask: inSquare(mask, k, letterbox, geometry.grid),
    label: label ? inSquare(label, k, letterbox, geometry.grid) : null,
  };
}

/** Slice `k` of a mask on the volume's grid, by nearest neighbour in the letterboxed square. */
export function inSquare(
  cropped: CroppedMask | undefined,
  k: number,
  letterbox: Letterbox,
  grid: Grid,
): Uint8Array {
  const { sizePx, x0, y0, width, height } = letterbox;
  const square = new Uint8Array(sizePx * sizePx);
  if (!cropped || k < cropped.box.sliceStart || k >= cropped.box.sliceEnd) return square;
  const { box, mask } = cropped;
  const plane = (k - box.sliceStart) * mask.grid.rows;
  for (let y = 0; y < height; y++) {
    const j = Math.floor(((y + 0.5) * grid.rows) / height) - box.rowStart;
    if (j < 0 || j >= mask.grid.rows) continue;
    for (let x = 0; x < width; x++) {
      const i = Math.floor(((x + 0.5) * grid.columns) / width) - box.columnStart;
      if (i < 0 || i >= mask.grid.columns) continue;
      square[(y0 + y) * sizePx + x0 + x] = mask.data[(plane + j) * mask.grid.columns + i]!;
    }
  }
  return square;
}
