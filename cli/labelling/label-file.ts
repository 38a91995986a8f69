import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { DirStore } from '../../adapters/dir-store.ts';
import { InputError } from '../../core/errors.ts';
import { type DrawnValues, drawInto, kindsOf, VOXEL } from '../../core/labelling/label-plane.ts';
import type { Geometry } from '../../core/volume/geometry.ts';
import { type NiftiHeader, withoutText } from '../../core/volume/header.ts';
import { placementOn } from '../../core/volume/lattice.ts';
import { wholeMask, writeMask } from '../../core/volume/mask-writer.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { wholeStream } from '../../core/whole-stream.ts';
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

/** What is labelled of a scan, and a mask to start from, 0 or 1 on the same grid. */
export class CaseLabel {
  readonly label: LabelVolume;
  readonly proposal: Uint8Array | undefined;
  private readonly values: DrawnValues;

  constructor(label: LabelVolume, values: DrawnValues, proposal?: Uint8Array) {
    this.label = label;
    this.values = values;
    this.proposal = proposal;
  }

  /** Kinds of VOXEL. */
  kinds(slice: number): Uint8Array {
    const { label, proposal } = this;
    return kindsOf(planeOf(label, slice), this.values, proposal && this.at(proposal, slice));
  }

  draw(slice: number, kinds: Uint8Array): void {
    drawInto(planeOf(this.label, slice), kinds, this.values);
    if (this.proposal && kinds.includes(VOXEL.proposed))
      this.at(this.proposal, slice).set(kinds.map((kind) => (kind === VOXEL.proposed ? 1 : 0)));
  }

  /** A slice is labelled where nothing of it is left to `ignore`. */
  state(slice: number): 'shown' | 'empty' | 'unlabelled' {
    const plane = planeOf(this.label, slice);
    if (plane.includes(this.values.ignore)) return 'unlabelled';
    return plane.includes(this.values.target) ? 'shown' : 'empty';
  }

  private at(volume: Uint8Array, slice: number): Uint8Array {
    return planeOf({ geometry: this.label.geometry, data: volume }, slice);
  }
}

/** One slice of it, which changes with the volume. */
function planeOf(
  { geometry, data }: Pick<LabelVolume, 'geometry' | 'data'>,
  slice: number,
): Uint8Array {
  const size = geometry.grid.columns * geometry.grid.rows;
  return data.subarray(slice * size, (slice + 1) * size);
}

/** A label in which nothing is labelled, on the scan's grid. */
export function openLabel({ header, geometry }: Placed, { ignore }: DrawnValues): LabelVolume {
  const { columns, rows, slices } = geometry.grid;
  const data = new Uint8Array(columns * rows * slices).fill(ignore);
  return { header: withoutText(header), geometry, data };
}

/**
 * A label file as it lies there.
 *
 * @throws InputError where its values are no classes up to 255
 * @throws GeometryError where it does not lie on the scan
 */
export async function readLabelFile(file: string, image: Placed): Promise<LabelVolume> {
  const { columns, rows, slices } = image.geometry.grid;
  const data = new Uint8Array(columns * rows * slices);
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

  /** @param kinds of VOXEL */
  async keep(caseId: string, slice: number, kinds: Uint8Array): Promise<void> {
    await this.store.put(`${caseId}/${slice}`, gzipSync(kinds));
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

/** The bytes of a label, gzipped where its name says so. */
export async function labelBytes(name: string, label: LabelVolume): Promise<Uint8Array> {
  const { header, geometry, data } = label;
  const whole = wholeMask({ grid: geometry.grid, data });
  const options = { gzipLevel: name.endsWith('.gz') ? 6 : null };
  return wholeStream(writeMask(header, geometry, whole, options));
}
