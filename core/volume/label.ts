import { type ClassTable, headerTable } from '../dataset/class-tables.ts';
import {
  isMeaning,
  type LabelChoice,
  type LabelMeaning,
  meaningOf,
} from '../dataset/label-meaning.ts';
import { InputError } from '../errors.ts';
import type { ByteStream } from '../ports.ts';
import type { Geometry } from './geometry.ts';
import { type MaskVolume, voxelCount } from './grid.ts';
import type { NiftiHeader } from './header.ts';
import { type OpenOptions, openNifti } from './reader.ts';

export interface LabelOptions extends OpenOptions {
  /** What is said of the label's classes; without it, tables and then the values decide. */
  readonly choice?: LabelChoice | undefined;
  /** Names of its classes that lie beside it; a table in its own header goes before them. */
  readonly tables?: readonly ClassTable[] | undefined;
  /** The file is called liver, whatever number it is drawn with. */
  readonly calledLiver?: boolean | undefined;
}

export interface LabelVolume {
  readonly header: NiftiHeader;
  readonly geometry: Geometry;
  /** The liver: 0 or 1 a voxel. */
  readonly mask: MaskVolume;
  /** Voxels that no metric may look at; undefined where there are none. */
  readonly ignored: MaskVolume | undefined;
  readonly meaning: LabelMeaning;
}

/** A segmentation with more classes is taken for an image. */
const CLASS_LIMIT = 256;

/**
 * A label saved with the scaling of its CT reads back as 1.0000153: within this a value is the whole
 * number. An interpolated label is far from it.
 */
const WHOLE_NUMBER_TOLERANCE = 0.01;

/**
 * Reads a label file on its canonical grid (one byte per voxel in memory).
 * Throws `InputError`: the codes of `openNifti` and `axialSlices`; `not-a-label` where values are
 * negative, not whole numbers or more than 256 different ones; `label-channels` for one mask per class;
 * `label-class-unknown` where nothing says which class is liver.
 */
export async function readLabel(source: ByteStream, options: LabelOptions): Promise<LabelVolume> {
  const reader = await openNifti(source, options).catch((cause: unknown) => {
    throw isSeries(cause) ? oneHot(options.subject, cause) : cause;
  });
  const { header, geometry, subject } = reader;
  const { grid } = geometry;
  const data = new Uint8Array(voxelCount(grid));
  const sliceVoxels = grid.rows * grid.columns;
  const classes = new ClassCodes(subject);
  for await (const { index, hu } of reader.axialSlices()) {
    if (reader.nonFiniteVoxels > 0) throw notALabel(subject, 'NaN or infinite voxels');
    classes.mark(hu, data.subarray(index * sliceVoxels, (index + 1) * sliceVoxels));
  }
  classes.refuseAllButZero();
  const own = headerTable(header.extensions);
  const meaning = meaningOf({
    values: classes.values(),
    choice: options.choice ?? {},
    tables: [...(own ? [own] : []), ...(options.tables ?? [])],
    calledLiver: options.calledLiver ?? false,
  });
  if (!isMeaning(meaning))
    throw new InputError({ code: 'label-class-unknown', subject, ...meaning });
  const ignored = classes.select(data, meaning.ignored);
  const mask = classes.select(data, meaning.counted) ?? new Uint8Array(data.length);
  return {
    header,
    geometry,
    mask: { grid, data: mask },
    ignored: ignored && { grid, data: ignored },
    meaning,
  };
}

/** The distinct values of a label, each by a number of one byte. */
class ClassCodes {
  private readonly subject: string;
  private readonly codes = new Map<number, number>();
  /** A value that was taken for 0 and is not. */
  private nearZero: number | undefined;

  constructor(subject: string) {
    this.subject = subject;
  }

  /** Runs of equal values are long in labels: the table is asked only where the value changes. */
  mark(slice: Float32Array, out: Uint8Array): void {
    let last = Number.NaN;
    let code = 0;
    for (let n = 0; n < slice.length; n++) {
      const value = slice[n]!;
      if (value !== last) {
        code = this.codes.get(value) ?? this.admit(value);
        last = value;
      }
      out[n] = code;
    }
  }

  values(): number[] {
    return [...this.codes]
      .filter(([value]) => Number.isInteger(value))
      .map(([value]) => value)
      .sort((a, b) => a - b);
  }

  /** An empty label holds 0; one of 0 and 0.00003 was scaled, and its classes are lost. */
  refuseAllButZero(): void {
    if (this.nearZero !== undefined && this.values().every((value) => value === 0))
      throw notALabel(
        this.subject,
        `0 and ${this.nearZero} only: its scaling (scl_slope) is wrong`,
      );
  }

  /** 1 where a voxel has one of `values`; undefined where none can. */
  select(data: Uint8Array, values: readonly number[]): Uint8Array | undefined {
    const wanted = new Uint8Array(CLASS_LIMIT);
    for (const value of values) {
      const code = this.codes.get(value);
      if (code !== undefined) wanted[code] = 1;
    }
    if (!wanted.includes(1)) return undefined;
    return data.map((code) => wanted[code]!);
  }

  private admit(value: number): number {
    const whole = Math.round(value);
    if (!(Math.abs(value - whole) <= WHOLE_NUMBER_TOLERANCE) || whole < 0)
      throw notALabel(this.subject, `the value ${value}`);
    if (whole === 0 && value !== 0) this.nearZero = value;
    const known = this.codes.get(whole);
    if (known === undefined && this.values().length === CLASS_LIMIT)
      throw notALabel(this.subject, `more than ${CLASS_LIMIT} different values`);
    const code = known ?? this.values().length;
    this.codes.set(whole, code);
    this.codes.set(value, code);
    return code;
  }
}

const isSeries = (cause: unknown): boolean =>
  cause instanceof InputError && cause.code === 'four-dimensional';

const oneHot = (subject: string, cause: unknown): InputError =>
  new InputError(
    {
      code: 'label-channels',
      subject,
      expected: 'a label of one volume, whose values are the classes',
      found: 'a volume for each channel (one-hot, or a mask per structure)',
      remedy: 'Write one number per voxel instead, e.g. the argmax over the channels.',
    },
    { cause },
  );

const notALabel = (subject: string, found: string): InputError =>
  new InputError({
    code: 'not-a-label',
    subject,
    expected: `a segmentation: whole numbers from 0, at most ${CLASS_LIMIT} of them`,
    found,
    remedy: 'Check that this is the label and not the image, and that it was not interpolated.',
  });
