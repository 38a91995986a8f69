import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { DirStore } from '../../adapters/dir-store.ts';
import { InputError } from '../../core/errors.ts';
import { type DrawnValues, drawInto } from '../../core/labelling/label-plane.ts';
import type { Geometry } from '../../core/volume/geometry.ts';
import { type NiftiHeader, withoutText } from '../../core/volume/header.ts';
import { placementOn } from '../../core/volume/lattice.ts';
import { wholeMask, writeMask } from '../../core/volume/mask-writer.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { readFile } from '../files.ts';

/** Header and geometry of a scan. */
export interface Placed {
  readonly header: NiftiHeader;
  readonly geometry: Geometry;
}

export interface LabelVolume extends Placed {
  /** Values, canonical grid. */
  readonly data: Uint8Array;
}

/** One slice of it, which changes with the volume. */
export function planeOf({ geometry, data }: LabelVolume, slice: number): Uint8Array {
  const size = geometry.grid.columns * geometry.grid.rows;
  return data.subarray(slice * size, (slice + 1) * size);
}

/**
 * A label file as it lies there, or one of `ignore` alone on the scan's grid.
 *
 * @throws InputError where its values are no classes up to 255
 * @throws GeometryError where it does not lie on the scan
 */
export async function readLabelFile(
  file: string | undefined,
  image: Placed,
  { ignore }: DrawnValues,
): Promise<LabelVolume> {
  const { columns, rows, slices } = image.geometry.grid;
  const data = new Uint8Array(columns * rows * slices);
  if (file === undefined) {
    return { header: withoutText(image.header), geometry: image.geometry, data: data.fill(ignore) };
  }
  const reader = await openNifti(readFile(file), { subject: file });
  const { header, geometry } = reader;
  const placed = { subject: file, geometry };
  const { offset } = placementOn({ subject: 'its scan', geometry: image.geometry }, placed);
  const same = geometry.grid.columns === columns && geometry.grid.rows === rows;
  if (!same || geometry.grid.slices !== slices || offset.some((by) => by !== 0)) {
    await reader.close();
    throw notItsLabel(file, 'a label that is cut to another extent');
  }
  for await (const { index, hu } of reader.axialSlices())
    for (let at = 0; at < hu.length; at++) {
      const value = hu[at]!;
      if (!(Number.isInteger(value) && value >= 0 && value <= 255))
        throw notItsLabel(file, `the value ${value}`);
      data[index * columns * rows + at] = value;
    }
  return { header, geometry, data };
}

const notItsLabel = (subject: string, found: string): InputError =>
  new InputError({
    code: 'label-not-drawable',
    subject,
    expected: "a label of the scan's whole grid with whole numbers from 0 to 255",
    found,
    remedy: 'Write it anew on the grid of the scan, as integers.',
  });

/**
 * Strokes that are on the disk and not yet in a label file: one small file a slice, written whole or not at all before the
 * page is told that it is saved. What a killed process leaves is put into the label files by the next.
 */
export class Strokes {
  private readonly store: DirStore;

  constructor(folder: string) {
    this.store = new DirStore(folder);
  }

  async keep(caseId: string, slice: number, mask: Uint8Array): Promise<void> {
    await this.store.put(`${caseId}/${slice}`, gzipSync(mask));
  }

  async of(caseId: string): Promise<Map<number, Uint8Array>> {
    const found = new Map<number, Uint8Array>();
    for await (const { key } of this.store.list(`${caseId}/`))
      found.set(Number(path.basename(key)), gunzipSync(await this.store.get(key)));
    return found;
  }

  async forget(caseId: string, slice: number): Promise<void> {
    await this.store.remove(`${caseId}/${slice}`);
  }
}

/** The label with the masks drawn into their slices, in place of the file: whole or not at all. */
export async function writeLabelFile(
  root: string,
  name: string,
  label: LabelVolume,
  masks: ReadonlyMap<number, Uint8Array>,
  values: DrawnValues,
): Promise<void> {
  const { header, geometry, data } = label;
  for (const [slice, mask] of masks) drawInto(planeOf(label, slice), mask, values);
  const whole = wholeMask({ grid: geometry.grid, data });
  const options = { gzipLevel: name.endsWith('.gz') ? 6 : null };
  await new DirStore(root).put(`labelsTr/${name}`, writeMask(header, geometry, whole, options));
}
