import { InputError } from '../errors.ts';
import { DTYPES, dtypeOfCode, type NiftiDtype, unsupportedDtypeName } from './dtype.ts';
import { DESCRIP_BYTES, HeaderFields, type HeaderLayout, NIFTI1, NIFTI2 } from './header-layout.ts';
import { notNiftiFault } from './signature.ts';

export interface NiftiExtension {
  /** NIfTI extension code, e.g. 2 = DICOM, 4 = AFNI, 6 = comment. */
  readonly code: number;
  /** Content including its padding to a multiple of 16 bytes less 8. */
  readonly data: Uint8Array;
}

/**
 * One NIfTI-1 or NIfTI-2 header. `raw` holds every byte as read (348 or 540), so that what is not
 * spelt out here survives into the mask. Lengths and affines are in the unit of `xyztUnits`.
 */
export interface NiftiHeader {
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
  /** True for header and voxels in one file (`n+1`), false for a `.hdr`/`.img` pair (`ni1`). */
  readonly singleFile: boolean;
  readonly dtype: NiftiDtype;
  /** `dim[0]` = number of axes, `dim[1..7]` their sizes. */
  readonly dim: readonly number[];
  /** `pixdim[0]` = qfac, `pixdim[1..7]` spacings. */
  readonly pixdim: readonly number[];
  /** Byte offset of the first voxel in the (uncompressed) file that holds the voxels. */
  readonly voxOffset: number;
  readonly sclSlope: number;
  readonly sclInter: number;
  readonly xyztUnits: number;
  readonly qformCode: number;
  readonly sformCode: number;
  /** Quaternion b, c, d. */
  readonly quatern: readonly number[];
  readonly qoffset: readonly number[];
  /** The three sform rows, 12 numbers. */
  readonly srow: readonly number[];
  readonly descrip: string;
  readonly extensions: readonly NiftiExtension[];
  readonly raw: Uint8Array;
}

/** Bytes that must be at hand before `headerSize` and `parseHeader` can be called. */
export const SMALLEST_HEADER_BYTES = 348;

/** More than any tool writes; beyond it the offset is taken for damage, not for extensions. */
const LARGEST_EXTENSION_BYTES = 32 * 2 ** 20;

/** Finds version and byte order from the first four bytes. Throws `InputError` (`not-nifti`). */
function identify(start: Uint8Array, subject: string): { layout: HeaderLayout; little: boolean } {
  if (start.byteLength >= 4) {
    const view = new DataView(start.buffer, start.byteOffset, 4);
    for (const little of [true, false]) {
      const size = view.getInt32(0, little);
      if (size === NIFTI1.bytes) return { layout: NIFTI1, little };
      if (size === NIFTI2.bytes) return { layout: NIFTI2, little };
    }
  }
  throw new InputError(notNiftiFault(start, subject));
}

/** Size of the fixed header, 348 or 540 bytes, from the first bytes of the file. */
export const headerSize = (start: Uint8Array, subject: string): number =>
  identify(start, subject).layout.bytes;

/**
 * Parses the fixed header and, where `bytes` goes on, the extensions that follow it.
 * Throws `InputError`: `not-nifti`, `wrong-magic`, `truncated-data`, `unsupported-dtype`, `bad-dim`,
 * `bad-offset`.
 */
export function parseHeader(bytes: Uint8Array, subject: string): NiftiHeader {
  const { layout, little } = identify(bytes, subject);
  if (bytes.byteLength < layout.bytes) throw shortHeader(layout.bytes, bytes.byteLength, subject);
  // Not slice(): that of a Buffer is a view of memory that its owner may use again.
  const raw = new Uint8Array(bytes.subarray(0, layout.bytes));
  const fields = new HeaderFields(raw, layout, little);
  const singleFile = isSingleFile(fields, subject);
  const dtype = readDtype(fields, subject);
  const dim = readDim(fields, subject);
  const voxOffset = readVoxOffset(fields, singleFile, subject);
  const end = singleFile ? Math.min(voxOffset, bytes.byteLength) : bytes.byteLength;
  return {
    version: layout === NIFTI1 ? 1 : 2,
    littleEndian: little,
    singleFile,
    dtype,
    dim,
    pixdim: fields.list('pixdim', 8),
    voxOffset,
    sclSlope: fields.get('sclSlope'),
    sclInter: fields.get('sclInter'),
    xyztUnits: fields.get('xyztUnits'),
    qformCode: fields.get('qformCode'),
    sformCode: fields.get('sformCode'),
    quatern: fields.list('quatern', 3),
    qoffset: fields.list('qoffset', 3),
    srow: fields.list('srow', 12),
    descrip: fields.text(layout.descripAt, DESCRIP_BYTES),
    extensions: parseExtensions(bytes.subarray(layout.bytes, end), little),
    raw,
  };
}

/** A header that says where and what the voxels are, and nothing that somebody wrote into it. */
export function withoutText(header: NiftiHeader): NiftiHeader {
  const raw = header.raw.slice();
  for (const [at, bytes] of (header.version === 1 ? NIFTI1 : NIFTI2).text)
    raw.fill(0, at, at + bytes);
  return { ...header, descrip: '', extensions: [], raw };
}

/**
 * Header and extensions as bytes that `parseHeader` reads back: what a manifest keeps of the input.
 * The voxel offset is left as read.
 */
export function serialiseHeader(header: NiftiHeader): Uint8Array {
  const extensions = serialiseExtensions(header.extensions, header.littleEndian);
  const bytes = new Uint8Array(header.raw.byteLength + extensions.byteLength);
  bytes.set(header.raw);
  bytes.set(extensions, header.raw.byteLength);
  return bytes;
}

/** The four extension-flag bytes and the extensions, each padded to a multiple of 16 bytes. */
export function serialiseExtensions(
  extensions: readonly NiftiExtension[],
  littleEndian: boolean,
): Uint8Array {
  const sizes = extensions.map(({ data }) => Math.ceil((data.byteLength + 8) / 16) * 16);
  const bytes = new Uint8Array(4 + sizes.reduce((sum, size) => sum + size, 0));
  if (extensions.length > 0) bytes[0] = 1;
  const view = new DataView(bytes.buffer);
  let at = 4;
  for (const [index, { code, data }] of extensions.entries()) {
    view.setInt32(at, sizes[index]!, littleEndian);
    view.setInt32(at + 4, code, littleEndian);
    bytes.set(data, at + 8);
    at += sizes[index]!;
  }
  return bytes;
}

/** A chain that breaks ends the list: what precedes it is kept, as other readers do. */
function parseExtensions(bytes: Uint8Array, littleEndian: boolean): NiftiExtension[] {
  if (bytes.byteLength < 4 || bytes[0] === 0) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const extensions: NiftiExtension[] = [];
  let at = 4;
  while (at + 16 <= bytes.byteLength) {
    const size = view.getInt32(at, littleEndian);
    if (size < 16 || size % 16 !== 0 || at + size > bytes.byteLength) break;
    const code = view.getInt32(at + 4, littleEndian);
    extensions.push({ code, data: new Uint8Array(bytes.subarray(at + 8, at + size)) });
    at += size;
  }
  return extensions;
}

function isSingleFile(fields: HeaderFields, subject: string): boolean {
  const { singleMagic, pairMagic } = fields.layout;
  const magic = fields.magic();
  if (magic === singleMagic) return true;
  if (magic === pairMagic) return false;
  throw new InputError({
    code: 'wrong-magic',
    subject,
    expected: `the NIfTI magic ${JSON.stringify(singleMagic)} or ${JSON.stringify(pairMagic)}`,
    found: JSON.stringify(magic),
    remedy: 'An Analyze 7.5 or damaged header carries no orientation: convert the series anew.',
  });
}

function readDtype(fields: HeaderFields, subject: string): NiftiDtype {
  const code = fields.get('datatype');
  const dtype = dtypeOfCode(code);
  const bitpix = fields.get('bitpix');
  if (dtype !== undefined && bitpix === DTYPES[dtype].bytes * 8) return dtype;
  throw new InputError({
    code: 'unsupported-dtype',
    subject,
    expected: 'one integer or floating-point number of 8 to 64 bits per voxel',
    found: dtype === undefined ? unsupportedDtypeName(code) : `${dtype} with bitpix ${bitpix}`,
    remedy: 'Export the CT as signed 16-bit Hounsfield units.',
  });
}

function readDim(fields: HeaderFields, subject: string): number[] {
  const dim = fields.list('dim', 8);
  const axes = dim[0]!;
  const sizes = dim.slice(1, axes + 1);
  if (axes >= 1 && axes <= 7 && sizes.every((size) => size >= 1)) return dim;
  throw new InputError({
    code: 'bad-dim',
    subject,
    expected: 'dim[0] of 1 to 7 and positive sizes',
    found: `dim = [${dim.join(', ')}]`,
    remedy: 'The header is damaged: convert the series anew.',
  });
}

/** Zero means "right after the header", as nibabel reads it (with a warning). */
function readVoxOffset(fields: HeaderFields, singleFile: boolean, subject: string): number {
  const stored = Math.trunc(fields.get('voxOffset'));
  const least = singleFile ? fields.layout.dataOffset : 0;
  if (stored === 0) return least;
  if (stored >= least && stored <= least + LARGEST_EXTENSION_BYTES) return stored;
  throw new InputError({
    code: 'bad-offset',
    subject,
    expected: `a voxel offset of ${least} or somewhat more`,
    found: `vox_offset ${stored}`,
    remedy: 'The header is damaged: convert the series anew.',
  });
}

const shortHeader = (needed: number, found: number, subject: string): InputError =>
  new InputError({
    code: 'truncated-data',
    subject,
    expected: `a header of ${needed} bytes`,
    found: `${found} bytes`,
    remedy: 'The file is cut off: copy or download it again.',
  });
