import { InputError } from '../errors.ts';
import type { ByteStream } from '../ports.ts';
import type { Geometry } from './geometry.ts';
import { type MaskVolume, voxelCount } from './grid.ts';
import type { NiftiHeader } from './header.ts';
import { type NiftiReader, type OpenOptions, openNifti } from './reader.ts';

export interface LabelOptions extends OpenOptions {
  /**
   * Classes that count as the target. Default: every class above 0, so that tumours (2 in LiTS) count
   * as liver.
   */
  readonly targetValues?: readonly number[];
}

export interface LabelVolume {
  readonly header: NiftiHeader;
  readonly geometry: Geometry;
  readonly mask: MaskVolume;
  /** The distinct values of the file, ascending, 0 included where it occurs. */
  readonly values: readonly number[];
}

/** A segmentation with more classes is taken for an image. */
const CLASS_LIMIT = 256;

/**
 * Reads a label file as a binary mask on its canonical grid (one byte per voxel in memory).
 * Throws `InputError`: the codes of `openNifti` and `axialSlices`, and `not-a-label` where values are
 * negative, not whole numbers or more than 256 different ones.
 */
export async function readLabel(source: ByteStream, options: LabelOptions): Promise<LabelVolume> {
  const reader = await openNifti(source, options);
  const { header, geometry } = reader;
  const { grid } = geometry;
  const data = new Uint8Array(voxelCount(grid));
  const sliceVoxels = grid.rows * grid.columns;
  const classes = new ClassTable(reader, options.targetValues);
  for await (const { index, hu } of reader.axialSlices()) {
    classes.mark(hu, data.subarray(index * sliceVoxels, (index + 1) * sliceVoxels));
  }
  if (reader.nonFiniteVoxels > 0) throw notALabel(reader.subject, 'values that are not finite');
  return { header, geometry, mask: { grid, data }, values: classes.values() };
}

class ClassTable {
  private readonly subject: string;
  private readonly targets: ReadonlySet<number> | undefined;
  private readonly isTarget = new Map<number, 0 | 1>();

  constructor({ subject }: NiftiReader, targetValues: readonly number[] | undefined) {
    this.subject = subject;
    this.targets = targetValues && new Set(targetValues);
  }

  /** Runs of equal values are long in labels: the table is asked only where the value changes. */
  mark(slice: Float32Array, out: Uint8Array): void {
    let last = Number.NaN;
    let mark: 0 | 1 = 0;
    for (let n = 0; n < slice.length; n++) {
      const value = slice[n]!;
      if (value !== last) {
        mark = this.isTarget.get(value) ?? this.admit(value);
        last = value;
      }
      out[n] = mark;
    }
  }

  values(): number[] {
    return [...this.isTarget.keys()].sort((a, b) => a - b);
  }

  private admit(value: number): 0 | 1 {
    if (!Number.isInteger(value) || value < 0) throw notALabel(this.subject, `the value ${value}`);
    if (this.isTarget.size === CLASS_LIMIT) {
      throw notALabel(this.subject, `more than ${CLASS_LIMIT} different values`);
    }
    const target = this.targets === undefined ? value > 0 : this.targets.has(value);
    const mark = target ? 1 : 0;
    this.isTarget.set(value, mark);
    return mark;
  }
}

const notALabel = (subject: string, found: string): InputError =>
  new InputError({
    code: 'not-a-label',
    subject,
    expected: `a segmentation: whole numbers from 0, at most ${CLASS_LIMIT} of them`,
    found,
    remedy: 'Check that this is the label and not the image, and that it was not interpolated.',
  });
