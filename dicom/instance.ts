import { inflateRawSync } from 'node:zlib';
import dicomParser, { type DataSet, type Element } from 'dicom-parser';
import { InputError, StorageError } from '../core/errors.ts';
import type { RangedFile } from '../core/ports.ts';
import type { Vector3 } from '../core/volume/matrix3.ts';

/** What one frame says of itself: PS3.3 C.7.6.2 and C.8.2.1, or the macros of an enhanced object. */
export interface Frame {
  /** Image Position (Patient), LPS+ millimetres: the centre of the first pixel. */
  readonly positionMm: Vector3 | undefined;
  /** Unit vectors (LPS+) along which the column index and the row index grow. */
  readonly columnDirection: Vector3 | undefined;
  readonly rowDirection: Vector3 | undefined;
  /** Between neighbouring columns, and between neighbouring rows. */
  readonly spacingMm: { readonly column: number; readonly row: number } | undefined;
  readonly thicknessMm: number | undefined;
  readonly slope: number;
  readonly intercept: number;
  /** Rescale Type; Hounsfield units where a CT does not say (PS3.3 C.11.1.1.2). */
  readonly rescaleType: string;
  readonly imageType: readonly string[];
  /** Values that tell volumes of one series apart where they share positions. */
  readonly phase: readonly (string | undefined)[];
}

/** One DICOM object (SOP instance) with pixels, as far as a volume needs it. */
export interface Instance {
  readonly file: RangedFile;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly frameOfReferenceUid: string;
  readonly seriesNumber: string;
  readonly modality: string;
  readonly columns: number;
  readonly rows: number;
  readonly samplesPerPixel: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly signed: boolean;
  /** Stored values that mark pixels outside the reconstruction. */
  readonly padding: { readonly from: number; readonly to: number } | undefined;
  readonly transferSyntaxUid: string;
  readonly frames: readonly Frame[];
  /** Undefined where the object holds no pixels. `bytes` is that of a native pixel element. */
  readonly pixels:
    | { readonly offset: number; readonly bytes: number; readonly encapsulated: boolean }
    | undefined;
}

export const DEFLATED = '1.2.840.10008.1.2.1.99';
const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2';
const PIXEL_DATA = 'x7fe00010';
/** Of a file whose header has not ended by then, four times as much is read, and so on. */
const FIRST_READ_BYTES = 64 * 1024;
/** The functional groups of 10 000 frames take less. */
const HEADER_LIMIT_BYTES = 64 * 2 ** 20;
/** Inflated bytes of a deflated object; also of its pixels, which lie in the same stream. */
const INFLATED_LIMIT_BYTES = 2 ** 31;
const FRAME_LIMIT = 65_536;

/**
 * Reads the header of a file. Files without the preamble of PS3.10 are tried as implicit little
 * endian, which is what they are where old archives write them.
 *
 * @returns undefined where the file is no DICOM
 * @throws InputError (`dicom-damaged`) where it begins as DICOM and cannot be read on
 */
export async function readInstance(file: RangedFile): Promise<Instance | undefined> {
  const start = await file.read(0, Math.min(file.bytes, FIRST_READ_BYTES));
  const part10 = hasPreamble(start);
  if (!part10 && !looksLikeDataSet(start)) return undefined;
  try {
    const dataSet = await parseHeader(file, start, part10);
    return describe(file, dataSet);
  } catch (cause) {
    // The parser throws strings and objects of its own.
    if (!part10 && !(cause instanceof StorageError)) return undefined;
    throw unreadableObject(file.name, cause);
  }
}

/** All bytes of an object as they would be without deflation, for objects that are read whole. */
export async function wholeObject(file: RangedFile): Promise<DataSet> {
  const bytes = await file.read(0, file.bytes);
  return parse(bytes, hasPreamble(bytes), undefined);
}

export const hasPreamble = (start: Uint8Array): boolean =>
  start.byteLength >= 132 && String.fromCharCode(...start.subarray(128, 132)) === 'DICM';

/** Group 8 (or 2) in little endian, element below 0x1000, as the first tag of a bare data set. */
function looksLikeDataSet(start: Uint8Array): boolean {
  if (start.byteLength < 16) return false;
  const group = start[0]! | (start[1]! << 8);
  const length = new DataView(start.buffer, start.byteOffset).getUint32(4, true);
  return (group === 8 || group === 2) && start[3] === 0 && length < 256 && length % 2 === 0;
}

async function parseHeader(file: RangedFile, start: Uint8Array, part10: boolean): Promise<DataSet> {
  let bytes = start;
  for (;;) {
    try {
      return parse(bytes, part10, PIXEL_DATA);
    } catch (cause) {
      const more = Math.min(file.bytes, bytes.byteLength * 4);
      if (bytes.byteLength >= file.bytes || more > HEADER_LIMIT_BYTES) throw cause;
      bytes = await file.read(0, more);
    }
  }
}

function parse(bytes: Uint8Array, part10: boolean, untilTag: string | undefined): DataSet {
  return dicomParser.parseDicom(bytes, {
    ...(untilTag !== undefined && { untilTag }),
    ...(!part10 && { TransferSyntaxUID: IMPLICIT_LITTLE_ENDIAN }),
    inflater: (deflated: Uint8Array, position: number) => inflate(deflated, position),
  } as Parameters<typeof dicomParser.parseDicom>[1]);
}

/** The parser takes back the group 2 elements, which are never deflated, followed by the rest. */
function inflate(bytes: Uint8Array, position: number): Uint8Array {
  const rest = inflateRawSync(bytes.subarray(position), { maxOutputLength: INFLATED_LIMIT_BYTES });
  const joined = new Uint8Array(position + rest.byteLength);
  joined.set(bytes.subarray(0, position));
  joined.set(rest, position);
  return joined;
}

function describe(file: RangedFile, dataSet: DataSet): Instance {
  const text = (tag: string): string => dataSet.string(tag)?.trim() ?? '';
  const bitsAllocated = dataSet.uint16('x00280100') ?? 16;
  const bitsStored = dataSet.uint16('x00280101') ?? bitsAllocated;
  const signed = dataSet.uint16('x00280103') === 1;
  return {
    file,
    sopClassUid: text('x00080016') || text('x00020002'),
    sopInstanceUid: text('x00080018'),
    studyUid: text('x0020000d'),
    seriesUid: text('x0020000e'),
    frameOfReferenceUid: text('x00200052'),
    seriesNumber: text('x00200011'),
    modality: text('x00080060'),
    columns: dataSet.uint16('x00280011') ?? 0,
    rows: dataSet.uint16('x00280010') ?? 0,
    samplesPerPixel: dataSet.uint16('x00280002') ?? 1,
    bitsAllocated,
    bitsStored,
    highBit: dataSet.uint16('x00280102') ?? bitsStored - 1,
    signed,
    padding: paddingOf(dataSet, signed),
    transferSyntaxUid: text('x00020010') || IMPLICIT_LITTLE_ENDIAN,
    frames: framesOf(dataSet),
    pixels: pixelsOf(dataSet),
  };
}

function pixelsOf({ elements }: DataSet): Instance['pixels'] {
  const element = elements[PIXEL_DATA];
  if (!element) return undefined;
  const encapsulated = element.hadUndefinedLength === true || element.length === 0xffffffff;
  return { offset: element.dataOffset, bytes: encapsulated ? 0 : element.length, encapsulated };
}

function paddingOf(dataSet: DataSet, signed: boolean): Instance['padding'] {
  const value = (tag: string): number | undefined =>
    signed ? dataSet.int16(tag) : dataSet.uint16(tag);
  const padding = value('x00280120');
  if (padding === undefined) return undefined;
  const limit = value('x00280121') ?? padding;
  return { from: Math.min(padding, limit), to: Math.max(padding, limit) };
}

function framesOf(dataSet: DataSet): Frame[] {
  const perFrame = dataSet.elements.x52009230?.items;
  const count = perFrame?.length ?? Number(dataSet.string('x00280008') ?? 1);
  if (!(count >= 0 && count <= FRAME_LIMIT)) throw new Error(`${count} frames`);
  const shared = dataSet.elements.x52009229?.items?.[0]?.dataSet;
  const frames: Frame[] = [];
  for (let n = 0; n < count; n++) frames.push(frameOf(dataSet, shared, perFrame?.[n]?.dataSet));
  return frames;
}

/** A macro of a frame lies in its own groups, in the shared ones, or (classic objects) at the top. */
function frameOf(top: DataSet, shared: DataSet | undefined, own: DataSet | undefined): Frame {
  const macro = (tag: string): DataSet =>
    firstItem(own?.elements[tag]) ?? firstItem(shared?.elements[tag]) ?? top;
  const orientation = numbers(macro('x00209116'), 'x00200037', 6);
  const measures = macro('x00289110');
  const spacing = numbers(measures, 'x00280030', 2);
  const rescale = macro('x00289145');
  const content = macro('x00209111');
  const typed = macro('x00189329');
  return {
    positionMm: numbers(macro('x00209113'), 'x00200032', 3) as [number, number, number] | undefined,
    columnDirection: unit(orientation?.slice(0, 3)),
    rowDirection: unit(orientation?.slice(3, 6)),
    spacingMm:
      spacing && spacing[0]! > 0 && spacing[1]! > 0
        ? { row: spacing[0]!, column: spacing[1]! }
        : undefined,
    thicknessMm: numbers(measures, 'x00180050', 1)?.[0],
    slope: numbers(rescale, 'x00281053', 1)?.[0] ?? 1,
    intercept: numbers(rescale, 'x00281052', 1)?.[0] ?? 0,
    rescaleType: rescale.string('x00281054')?.trim() || 'HU',
    imageType: (typed.string('x00089007') ?? top.string('x00080008') ?? '')
      .split('\\')
      .map((value) => value.trim().toUpperCase()),
    phase: [
      top.string('x00200012') ?? content.uint16('x00209156')?.toString(),
      top.string('x00200100') ?? content.uint32('x00209128')?.toString(),
      content.string('x00209056'),
      top.string('x00181060'),
      top.string('x00181210'),
      top.string('x00080032'),
    ],
  };
}

const firstItem = (element: Element | undefined): DataSet | undefined =>
  element?.items?.[0]?.dataSet;

/** A value of several decimal strings; undefined where one is missing or no finite number. */
function numbers(dataSet: DataSet, tag: string, count: number): number[] | undefined {
  const values = dataSet.string(tag)?.split('\\') ?? [];
  if (values.length < count) return undefined;
  const parsed = values.slice(0, count).map((value) => (value.trim() === '' ? NaN : Number(value)));
  return parsed.every(Number.isFinite) ? parsed : undefined;
}

function unit(values: readonly number[] | undefined): Vector3 | undefined {
  if (!values) return undefined;
  const length = Math.hypot(...values);
  if (!(length > 0.5 && length < 2)) return undefined;
  return [values[0]! / length, values[1]! / length, values[2]! / length];
}

export const causeText = (cause: unknown): string => {
  if (typeof cause === 'string') return cause;
  if (cause instanceof Error) return cause.message;
  const inner = (cause as { exception?: unknown } | null)?.exception;
  return inner === undefined ? 'data that cannot be parsed' : causeText(inner);
};

/** Damage, unless the bytes themselves could not be had: then another attempt may have them. */
export const unreadableObject = (subject: string, cause: unknown): Error =>
  cause instanceof StorageError ? cause : damaged(subject, causeText(cause), cause);

export const damaged = (subject: string, found: string, cause?: unknown): InputError =>
  new InputError(
    {
      code: 'dicom-damaged',
      subject,
      expected: 'a complete DICOM object',
      found,
      remedy: 'Export or copy the series again.',
    },
    { cause },
  );
