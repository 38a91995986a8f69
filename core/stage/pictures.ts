import type { RunKeys } from '../contract/keys.ts';
import type { CaseManifest, Letterbox, SliceRecord } from '../contract/manifest.ts';
import type { SlicePicture } from '../draw/picture.ts';
import type { BlobStore } from '../ports.ts';
import { decodeMasks, greySlice } from '../slice/slab-codec.ts';
import type { CroppedMask, Grid } from '../volume/grid.ts';
import { finishedSlab } from './segment.ts';

interface PictureInput {
  readonly manifest: CaseManifest;
  readonly keys: RunKeys;
  readonly slices: readonly SliceRecord[];
  /** Canonical indices of the slices to show, ascending. */
  readonly chosen: readonly number[];
  readonly mask: CroppedMask | undefined;
  readonly label: CroppedMask | undefined;
}

/** What the report shows of the chosen slices, all in the model's square. */
export async function slicePictures(
  input: PictureInput,
  store: BlobStore,
): Promise<SlicePicture[]> {
  const { manifest, keys, chosen } = input;
  const pictures: SlicePicture[] = [];
  for (const slab of manifest.slabs) {
    const within = chosen.filter((k) => k >= slab.firstSlice && k < slab.firstSlice + slab.slices);
    if (within.length === 0) continue;
    const images = await store.get(keys.slab(slab.index));
    // There are records: the case has been assembled from them.
    const records = (await finishedSlab(keys, slab.index, store))!;
    const cams = decodeMasks(await store.get(keys.slabMasks(slab.index)), records, manifest);
    for (const k of within) {
      const grey = greySlice(images, k - slab.firstSlice, manifest.letterbox.sizePx);
      pictures.push(picture(input, k, grey, cams.get(k)?.cam() ?? null));
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
function inSquare(
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
