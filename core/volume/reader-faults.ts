import { InputError } from '../errors.ts';
import { DTYPES } from './dtype.ts';
import type { Geometry } from './geometry.ts';
import type { NiftiHeader } from './header.ts';
import type { Scaling } from './scaling.ts';

/** What is wrong with a volume whose header could be read, and what is known by then. */
export interface VolumeFacts {
  readonly subject: string;
  readonly header: NiftiHeader;
  readonly geometry: Geometry;
  readonly scaling: Scaling;
  /** Whether the voxels are gzipped. */
  readonly compressed: boolean;
}

/** Deflate makes at most 1032 bytes of one (zlib's documentation). */
const LARGEST_INFLATION = 1032;

/** Volumes that do not stream are held as stored: no clinical CT comes near this. */
const HELD_LIMIT_BYTES = 4 * 2 ** 30;

/** Refuses what the file cannot hold, or this machine, before anything is allocated for it. */
export function requireRoom(facts: VolumeFacts, fileBytes: number | undefined): void {
  const { header, geometry, compressed } = facts;
  const [columns, rows, slices] = geometry.shape;
  const needed = columns * rows * slices * DTYPES[header.dtype].bytes;
  const most = (fileBytes ?? Number.POSITIVE_INFINITY) * (compressed ? LARGEST_INFLATION : 1);
  if (needed > most) throw truncated(facts, needed, most, compressed ? 'at most ' : '');
  if (needed > HELD_LIMIT_BYTES && geometry.transform.storedAxis[2] !== 2) throw tooLarge(facts);
}

export const tooLarge = (
  { subject, geometry, header }: Pick<VolumeFacts, 'subject' | 'geometry' | 'header'>,
  cause?: unknown,
): InputError =>
  new InputError(
    {
      code: 'volume-too-large',
      subject,
      expected: 'a volume that fits into memory',
      found: `${geometry.shape.join(' x ')} ${header.dtype}, orientation ${geometry.orientation}`,
      remedy: 'Reorient it so that axial slices follow each other (e.g. to RAS or LPS).',
    },
    { cause },
  );

export const truncated = (
  volume: { subject: string; geometry: Geometry; header: NiftiHeader },
  expected: number,
  found: number,
  bound = '',
): InputError =>
  new InputError({
    code: 'truncated-data',
    subject: volume.subject,
    expected: `${expected} bytes of voxels (${volume.geometry.shape.join(' x ')} ${volume.header.dtype})`,
    found: `${bound}${found}`,
    remedy: 'The file is cut off: copy or download it again.',
  });

export const pairWithoutImage = (subject: string): InputError =>
  new InputError({
    code: 'pair-without-image',
    subject,
    expected: 'the voxels (.img) beside the header (.hdr)',
    found: 'a header only',
    remedy: 'Put the .img file of the same name beside the .hdr file.',
  });
