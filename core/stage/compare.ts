import type { CaseManifest } from '../contract/manifest.ts';
import type { CasePanel } from '../contract/panel.ts';
import type { Comparison } from '../contract/report.ts';
import { type LabelMeaning, meaningText } from '../dataset/label-meaning.ts';
import { boundingBox, cropMask, unionBox } from '../mask/bounds.ts';
import { comparisonPanel } from '../metrics/panel.ts';
import { PAPER_SLICE_SIZE_PX, paperMeans } from '../metrics/paper.ts';
import type { ByteStream } from '../ports.ts';
import { maskToSquare } from '../slice/letterbox.ts';
import type { Geometry } from '../volume/geometry.ts';
import {
  type CroppedMask,
  type Grid,
  type MaskVolume,
  type VoxelBox,
  voxelCount,
} from '../volume/grid.ts';
import { type LabelOptions, readLabel } from '../volume/label.ts';
import { onGridOf, placementOn } from '../volume/lattice.ts';
import { storedImage } from './stored-image.ts';

/** A label, or a mask made elsewhere, that may or may not be read. */
export interface LabelInput extends Pick<LabelOptions, 'choice' | 'tables' | 'calledLiver'> {
  readonly name: string;
  /** Changes with the content, and with what is said of its classes. */
  readonly version: string;
  open(): ByteStream;
  /** The `.img` of a `.hdr`/`.img` pair. */
  readonly openPaired?: (() => ByteStream) | undefined;
}

/** A label where it lies on an image. */
export interface PlacedLabel {
  /** On the image's grid, 0 or 1 a voxel. */
  readonly mask: MaskVolume;
  readonly ignored: MaskVolume | undefined;
  readonly meaning: LabelMeaning;
  /** How it was stored otherwise than the image; null where it was not. */
  readonly placement: string | null;
}

/**
 * Reads a label, or a mask made elsewhere, onto the grid of its image.
 *
 * @throws GeometryError where it lies on another lattice, InputError where it is no label
 */
export async function readPlacedLabel(
  image: Pick<MaskedImage, 'name' | 'geometry'>,
  source: Omit<LabelInput, 'version'>,
): Promise<PlacedLabel> {
  const { name: subject, choice, tables, calledLiver } = source;
  const imageSource = source.openPaired?.();
  const label = await readLabel(source.open(), {
    subject,
    choice,
    tables,
    calledLiver,
    ...(imageSource && { imageSource }),
  });
  const placedImage = { subject: image.name, geometry: image.geometry };
  const placement = placementOn(placedImage, { subject, geometry: label.geometry });
  const { ignored } = label;
  return {
    mask: onGridOf(placedImage, label.mask, placement, subject),
    ignored: ignored && onGridOf(placedImage, ignored, placement, subject),
    meaning: label.meaning,
    placement: placement.difference,
  };
}

export interface ComparedCase {
  readonly comparison: Comparison;
  /** Undefined where the label is empty. */
  readonly label: CroppedMask | undefined;
}

/** Where a mask lies: the image that it was drawn on. */
export interface MaskedImage {
  /** Names the image in faults. */
  readonly name: string;
  readonly geometry: Geometry;
  /** Side of the model's square; null where no model drew the mask, which is taken for 256. */
  readonly sliceSizePx: number | null;
}

/**
 * Measures the mask of a run against a label of the same grid.
 *
 * @throws GeometryError where the label lies on another grid, InputError where it is no label
 */
export const compareWithLabel = (
  manifest: CaseManifest,
  mask: CroppedMask | undefined,
  source: LabelInput,
): Promise<ComparedCase> =>
  compareMask(
    {
      name: manifest.run.input.name,
      geometry: storedImage(manifest).geometry,
      sliceSizePx: manifest.letterbox.sizePx,
    },
    mask,
    source,
  );

/**
 * Measures a mask, whoever drew it, against a label. Both are cut to their common bounding box first:
 * every metric of the panel takes what lies outside a volume for background, so the numbers are
 * those of the whole volumes.
 *
 * @throws GeometryError where the label lies on another grid, InputError where it is no label
 */
export async function compareMask(
  image: MaskedImage,
  mask: CroppedMask | undefined,
  source: LabelInput,
): Promise<ComparedCase> {
  const { grid } = image.geometry;
  const { mask: drawn, ignored, meaning, placement } = await readPlacedLabel(image, source);
  if (ignored) erase(drawn, ignored);
  const seen = ignored && mask ? withoutIgnored(mask, ignored) : mask;
  const labelBox = boundingBox(drawn);
  // Where both are empty any box will do: one voxel of background.
  const box = unionBox(seen?.box, labelBox) ?? ONE_VOXEL;
  const truth = cropMask(drawn, box);
  const prediction = expand(seen, box, truth.mask.grid);
  const label = labelBox && truth;
  const paper = (image.sliceSizePx ?? PAPER_SLICE_SIZE_PX) === PAPER_SLICE_SIZE_PX;
  return {
    label,
    comparison: {
      labelName: source.name,
      labelVersion: source.version,
      labelMeaning: meaningText(meaning),
      labelPlacement: placement,
      panel: inVolume(comparisonPanel(prediction, truth.mask), box, grid.slices),
      paper: paper
        ? paperMeans(seen, label, grid.slices, maskToSquare(grid, PAPER_SLICE_SIZE_PX))
        : null,
    },
  };
}

/** What a label says to ignore is background in both: no metric can tell that anything was there. */
function erase(mask: MaskVolume, ignored: MaskVolume): void {
  ignored.data.forEach((ignore, at) => {
    if (ignore) mask.data[at] = 0;
  });
}

function withoutIgnored({ mask, box }: CroppedMask, ignored: MaskVolume): CroppedMask {
  const data = mask.data.slice();
  erase({ grid: mask.grid, data }, cropMask(ignored, box).mask);
  return { mask: { grid: mask.grid, data }, box };
}

/** A panel of a box as one of the volume: its slices at their places, nothing in the others. */
function inVolume(panel: CasePanel, box: VoxelBox, slices: number): CasePanel {
  const spread = <T>(values: readonly T[], rest: T): T[] =>
    Array.from({ length: slices }, (_, k) => values[k - box.sliceStart] ?? rest);
  return {
    ...panel,
    sliceDice: spread<number | null>(panel.sliceDice, null),
    ...(panel.sliceVoxels && {
      sliceVoxels: {
        prediction: spread(panel.sliceVoxels.prediction, 0),
        label: spread(panel.sliceVoxels.label, 0),
      },
    }),
  };
}

const ONE_VOXEL: VoxelBox = {
  columnStart: 0,
  columnEnd: 1,
  rowStart: 0,
  rowEnd: 1,
  sliceStart: 0,
  sliceEnd: 1,
};

/** The same mask in a larger box; `grid` is that box's grid. */
function expand(cropped: CroppedMask | undefined, box: VoxelBox, grid: Grid): MaskVolume {
  const data = new Uint8Array(voxelCount(grid));
  if (!cropped) return { grid, data };
  const { mask, box: inner } = cropped;
  const { columns, rows, slices } = mask.grid;
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++) {
      const from = (k * rows + j) * columns;
      const slice = inner.sliceStart - box.sliceStart + k;
      const row = inner.rowStart - box.rowStart + j;
      const to = (slice * grid.rows + row) * grid.columns + inner.columnStart - box.columnStart;
      data.set(mask.data.subarray(from, from + columns), to);
    }
  return { grid, data };
}
