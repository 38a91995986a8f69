import type { Problem } from '../contract/manifest.ts';
import { InputError } from '../errors.ts';
import type { ByteStream } from '../ports.ts';
import { type OrientationDoubt, orientationDoubts, showsAbdomen } from './abdomen.ts';
import type { Geometry } from './geometry.ts';
import { geometryProblems } from './geometry-problems.ts';
import type { NiftiHeader } from './header.ts';
import { type HuReport, HuStatistics } from './histogram.ts';
import { intensityProblems } from './intensity-problems.ts';
import { problemOfFault } from './problem.ts';
import { type NiftiReader, type OpenOptions, openNifti } from './reader.ts';

export interface PreflightOptions extends OpenOptions {
  /** The model's window in Hounsfield units, default [-160, 240]. */
  readonly windowHu?: readonly [number, number];
}

/** What a file is and what speaks against segmenting it. */
export interface PreflightResult {
  readonly subject: string;
  /** False where one of the problems is an error. */
  readonly usable: boolean;
  /** Errors first. */
  readonly problems: readonly Problem[];
  /** Null where the header could not be used. */
  readonly image: {
    readonly header: NiftiHeader;
    readonly geometry: Geometry;
    readonly compressed: boolean;
  } | null;
  /** Null where the voxels could not be read to their end. */
  readonly intensity: HuReport | null;
  /** Whether a run of slices may be an abdomen's; null where the voxels could not be read. */
  readonly abdomen: boolean | null;
  /** Doubts about its orientation, as far as they need no mask. */
  readonly orientationDoubts: readonly OrientationDoubt[];
}

/**
 * Reads a volume once, from the header to the last voxel, and judges it. Faults of the input become
 * problems; only other errors (the storage's, our own defects) throw. Memory and time: those of
 * `axialSlices`, and about 0.7 ms per slice of 512 x 512 for the statistics.
 */
export async function preflight(
  source: ByteStream,
  options: PreflightOptions,
): Promise<PreflightResult> {
  const { subject } = options;
  const opened = await faultOr(() => openNifti(source, options));
  if (opened.problem) return result(subject, null, null, [opened.problem]);
  const reader = opened.value;
  const read = await faultOr(() => statisticsOf(reader));
  if (read.problem) {
    const known = geometryProblems(reader.header, reader.geometry);
    return result(subject, reader, null, [...known, read.problem]);
  }
  return result(subject, reader, read.value, findProblems(reader, read.value, options.windowHu));
}

/**
 * All that speaks against a volume whose slices were read to their end.
 *
 * @param windowHu the model's window, default [-160, 240].
 */
export function findProblems(
  reader: NiftiReader,
  report: HuReport,
  windowHu?: readonly [number, number],
): Problem[] {
  const { header, geometry, nonFiniteVoxels, beyondFloat32Voxels, trailingBytes } = reader;
  const facts = { report, geometry, nonFiniteVoxels, beyondFloat32Voxels, trailingBytes };
  return [
    ...geometryProblems(header, geometry),
    ...intensityProblems({ ...facts, ...(windowHu && { windowHu }) }),
  ];
}

async function statisticsOf(reader: NiftiReader): Promise<HuReport> {
  const statistics = new HuStatistics(reader.geometry.grid);
  for await (const { hu, index } of reader.axialSlices()) statistics.add(hu, index);
  return statistics.finish();
}

type Outcome<T> =
  | { readonly value: T; readonly problem?: undefined }
  | { readonly problem: Problem };

async function faultOr<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (cause) {
    if (cause instanceof InputError) return { problem: problemOfFault(cause.fault) };
    throw cause;
  }
}

function result(
  subject: string,
  reader: NiftiReader | null,
  intensity: HuReport | null,
  problems: readonly Problem[],
): PreflightResult {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const warnings = problems.filter(({ severity }) => severity === 'warning');
  return {
    subject,
    usable: errors.length === 0,
    problems: [...errors, ...warnings],
    image: reader && {
      header: reader.header,
      geometry: reader.geometry,
      compressed: reader.compressed,
    },
    intensity,
    abdomen:
      reader && intensity && showsAbdomen(intensity.content, reader.geometry.grid.spacingMm.slice),
    orientationDoubts:
      reader && intensity
        ? orientationDoubts(intensity.content, reader.geometry.grid, undefined)
        : [],
  };
}
