import type { RunKeys } from '../contract/keys.ts';
import type { GallerySlice, ShownSlice } from '../contract/report.ts';
import { PREDICTION, type ViewedReport } from '../contract/view.ts';
import { chooseGallerySlices } from '../draw/chosen-slices.ts';
import { renderGalleryPng } from '../draw/overlay.ts';
import type { DrawnSlice } from '../draw/picture.ts';
import { putJson } from '../json.ts';
import type { BlobStore } from '../ports.ts';
import { SlicePreparation } from '../slice/prepare.ts';
import { greyOf } from '../slice/slab-codec.ts';
import { inSquare } from '../stage/pictures.ts';
import { writeMask } from '../volume/mask-writer.ts';
import { openNifti } from '../volume/reader.ts';
import type { ComparedPrediction, MeasuredPrediction, PredictedCase } from './rows.ts';

/** Soft tissue, and the square of all pictures of an evaluation. */
const PICTURED = { windowHu: [-160, 240], sizePx: 256 } as const;

/**
 * Draws a mask that was made elsewhere: `gallery.png`, and what `sammix view` needs besides the image, the mask on
 * its grid and the few facts that its page asks a report for. Reads the image once more, as a stream.
 *
 * @param target what it is of, where that is said; the liver else
 * @returns which slices the gallery shows
 */
export async function drawPrediction(
  { row }: MeasuredPrediction,
  compared: ComparedPrediction,
  image: PredictedCase['image'],
  target: string | undefined,
  keys: RunKeys,
  store: BlobStore,
): Promise<ShownSlice[]> {
  const { header, geometry, mask, panel } = compared;
  const voxelsPerSlice = panel.sliceVoxels?.prediction ?? [];
  const gallery = chooseGallerySlices({
    slices: voxelsPerSlice.map((maskVoxels) => ({ maskVoxels })),
    comparison: { panel },
  });
  const pictures = await pictured(gallery, compared, image);
  await store.put(keys.gallery, renderGalleryPng(pictures), 'image/png');
  await store.put(keys.mask, writeMask(header, geometry, mask), 'application/gzip');
  const viewed: ViewedReport = {
    status: 'segmented',
    madeElsewhere: true,
    caseId: row.caseId,
    volumeMl: row.predictionVolumeMl ?? 0,
    voxelsPerSlice,
    geometry: { shape: [...geometry.shape], dtype: header.dtype },
    bundle: {
      windowHu: [...PICTURED.windowHu],
      sliceSizePx: PICTURED.sizePx,
      ...(target !== undefined && { target }),
    },
    slices: [],
    flags: [],
    comparison: { panel: { metrics: [...panel.metrics] } },
  };
  await putJson(store, `${keys.prefix}/${PREDICTION.report}`, viewed);
  return gallery.map((one) => ({ ...one, dice: panel.sliceDice[one.slice] ?? null }));
}

async function pictured(
  gallery: readonly GallerySlice[],
  { mask, label, geometry }: ComparedPrediction,
  image: PredictedCase['image'],
): Promise<DrawnSlice[]> {
  const reader = await openNifti(image.open(), {
    subject: image.name,
    ...(image.openPaired && { imageSource: image.openPaired() }),
  });
  const preparation = new SlicePreparation(reader, [PICTURED]);
  const [letterbox] = preparation.letterboxes;
  const greys = new Map<number, Uint8Array>();
  for await (const { index, squares } of preparation.slices())
    if (gallery.some(({ slice }) => slice === index)) greys.set(index, greyOf(squares[0]!));
  return gallery.map(({ slice }) => ({
    record: { box: null },
    sizePx: PICTURED.sizePx,
    image: greys.get(slice)!,
    cam: null,
    mask: inSquare(mask, slice, letterbox!, geometry.grid),
    label: label ? inSquare(label, slice, letterbox!, geometry.grid) : null,
  }));
}
