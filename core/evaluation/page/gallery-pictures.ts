import { PNG } from 'pngjs';
import type { SegmentedReport } from '../../contract/report.ts';
import { chooseMontageSlices, MONTAGE_SLICES } from '../../report/montage-choice.ts';
import { GAP_PX } from '../../report/overlay-png.ts';
import { encodePng } from '../../report/png.ts';
import type { EvaluationPicture } from './picture.ts';

/**
 * Gallery pictures of a case from what its folder holds: `report.json`, and the tiles of
 * `overlay.png`, on which CAM, box, mask and label are drawn already. The slice with the largest
 * error comes first where there is a label, then the one with the largest section if that is another.
 *
 * @param overlayPng the case's `overlay.png`
 * @returns nothing where the file is not the montage of this report, e.g. of another version
 */
export function galleryPictures(
  report: SegmentedReport,
  overlayPng: Uint8Array,
): EvaluationPicture[] {
  const slices = chooseMontageSlices(report, MONTAGE_SLICES);
  const montage = readMontage(overlayPng, report.bundle.sliceSizePx, slices.length);
  if (!montage) return [];
  const worst = report.comparison
    ? largestBy(slices, (slice) => errorOf(report, slice))
    : undefined;
  const largest = largestBy(slices, (slice) => sectionOf(report, slice));
  const chosen = new Map([
    [largest, 'largest section'],
    [worst, worst === largest ? 'largest section and largest error' : 'largest error'],
  ]);
  return [...chosen]
    .reverse()
    .flatMap(([slice, why]) =>
      slice === undefined
        ? []
        : [pictureOf(report, slice, why, cutTile(montage, slices.indexOf(slice)))],
    );
}

interface Montage {
  readonly image: PNG;
  readonly tilePx: number;
  readonly columns: number;
}

function readMontage(bytes: Uint8Array, tilePx: number, tiles: number): Montage | undefined {
  const image = PNG.sync.read(Buffer.from(bytes));
  const columns = Math.max(1, Math.ceil(Math.sqrt(tiles)));
  const rows = Math.ceil(tiles / columns);
  const fits =
    image.width === columns * (tilePx + GAP_PX) - GAP_PX &&
    image.height >= rows * (tilePx + GAP_PX) - GAP_PX;
  return fits && tiles > 0 ? { image, tilePx, columns } : undefined;
}

function cutTile({ image, tilePx, columns }: Montage, at: number): Uint8Array {
  const left = (at % columns) * (tilePx + GAP_PX);
  const top = Math.floor(at / columns) * (tilePx + GAP_PX);
  const rgb = new Uint8Array(tilePx * tilePx * 3);
  for (let y = 0; y < tilePx; y++) {
    for (let x = 0; x < tilePx; x++) {
      const from = ((top + y) * image.width + left + x) * 4;
      const to = (y * tilePx + x) * 3;
      for (let channel = 0; channel < 3; channel++) rgb[to + channel] = image.data[from + channel]!;
    }
  }
  return encodePng(rgb, tilePx, tilePx, 'rgb');
}

/** Voxels of mask and label in a slice, 0 where the report does not say. */
function voxelsOf(report: SegmentedReport, slice: number): { mask: number; label: number } {
  const counts = report.comparison?.panel.sliceVoxels;
  return {
    mask: counts?.prediction[slice] ?? report.slices[slice]?.maskVoxels ?? 0,
    label: counts?.label[slice] ?? 0,
  };
}

/** Voxels in one of mask and label only: |P| + |L| - 2 |P and L|, from the slice's Dice. */
function errorOf(report: SegmentedReport, slice: number): number {
  const dice = report.comparison?.panel.sliceDice[slice];
  const { mask, label } = voxelsOf(report, slice);
  return typeof dice === 'number' ? (1 - dice) * (mask + label) : 0;
}

function sectionOf(report: SegmentedReport, slice: number): number {
  const { mask, label } = voxelsOf(report, slice);
  return Math.max(mask, label);
}

/** The first of those with the largest value; the middle one where all are 0. */
function largestBy(
  slices: readonly number[],
  value: (slice: number) => number,
): number | undefined {
  const most = Math.max(0, ...slices.map(value));
  return most === 0
    ? slices[Math.floor(slices.length / 2)]
    : slices.find((slice) => value(slice) === most);
}

function pictureOf(
  report: SegmentedReport,
  slice: number,
  why: string,
  png: Uint8Array,
): EvaluationPicture {
  const dice = report.comparison?.panel.sliceDice[slice];
  const record = report.slices.find(({ index }) => index === slice);
  const { mask, label } = voxelsOf(report, slice);
  const drawn = [
    record?.box ? 'CAM and its box' : 'no CAM: the gate left the slice out',
    mask > 0 ? 'mask outline' : 'no mask',
    label > 0 && 'label outline',
  ].filter(Boolean);
  return {
    caseId: report.caseId,
    slice,
    caption: typeof dice === 'number' ? `${why}, Dice ${dice.toFixed(3)}` : why,
    alt: `Axial CT slice ${slice} of ${report.caseId}: ${drawn.join(', ')}.`,
    png,
  };
}
