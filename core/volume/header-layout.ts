/**
 * Where the fields of a NIfTI header lie. Offsets and types from nifti1.h and nifti2.h; fields that
 * the pipeline neither reads nor changes are left out and stay in the raw bytes.
 */

type FieldType = 'u8' | 'i16' | 'i32' | 'i64' | 'f32' | 'f64';

export type FieldName =
  | 'sizeofHdr'
  | 'dim'
  | 'datatype'
  | 'bitpix'
  | 'pixdim'
  | 'voxOffset'
  | 'sclSlope'
  | 'sclInter'
  | 'calMax'
  | 'calMin'
  | 'xyztUnits'
  | 'qformCode'
  | 'sformCode'
  | 'quatern'
  | 'qoffset'
  | 'srow';

export interface HeaderLayout {
  readonly bytes: number;
  /** Least offset of the voxels in a single file: the header and the four extension-flag bytes. */
  readonly dataOffset: number;
  readonly magicAt: number;
  readonly singleMagic: string;
  readonly pairMagic: string;
  readonly descripAt: number;
  /** Free text, and numbers that no reader uses: whatever a converter has put there. */
  readonly text: readonly (readonly [offset: number, bytes: number])[];
  readonly fields: Readonly<Record<FieldName, readonly [offset: number, type: FieldType]>>;
}

export const DESCRIP_BYTES = 80;

export const NIFTI1: HeaderLayout = {
  bytes: 348,
  dataOffset: 352,
  magicAt: 344,
  singleMagic: 'n+1\0',
  pairMagic: 'ni1\0',
  descripAt: 148,
  // data_type, db_name, extents and session_error; intent_name; descrip; aux_file
  text: [
    [4, 34],
    [328, 16],
    [148, 80],
    [228, 24],
  ],
  fields: {
    sizeofHdr: [0, 'i32'],
    dim: [40, 'i16'],
    datatype: [70, 'i16'],
    bitpix: [72, 'i16'],
    pixdim: [76, 'f32'],
    voxOffset: [108, 'f32'],
    sclSlope: [112, 'f32'],
    sclInter: [116, 'f32'],
    xyztUnits: [123, 'u8'],
    calMax: [124, 'f32'],
    calMin: [128, 'f32'],
    qformCode: [252, 'i16'],
    sformCode: [254, 'i16'],
    quatern: [256, 'f32'],
    qoffset: [268, 'f32'],
    srow: [280, 'f32'],
  },
};

export const NIFTI2: HeaderLayout = {
  bytes: 540,
  dataOffset: 544,
  magicAt: 4,
  singleMagic: 'n+2\0\r\n\x1a\n',
  pairMagic: 'ni2\0\r\n\x1a\n',
  descripAt: 240,
  // intent_name; descrip; aux_file; unused_str
  text: [
    [508, 16],
    [240, 80],
    [320, 24],
    [525, 15],
  ],
  fields: {
    sizeofHdr: [0, 'i32'],
    datatype: [12, 'i16'],
    bitpix: [14, 'i16'],
    dim: [16, 'i64'],
    pixdim: [104, 'f64'],
    voxOffset: [168, 'i64'],
    sclSlope: [176, 'f64'],
    sclInter: [184, 'f64'],
    calMax: [192, 'f64'],
    calMin: [200, 'f64'],
    qformCode: [344, 'i32'],
    sformCode: [348, 'i32'],
    quatern: [352, 'f64'],
    qoffset: [376, 'f64'],
    srow: [400, 'f64'],
    xyztUnits: [500, 'i32'],
  },
};

const FIELD_BYTES: Readonly<Record<FieldType, number>> = {
  u8: 1,
  i16: 2,
  i32: 4,
  i64: 8,
  f32: 4,
  f64: 8,
};

/** Reads and changes the fields of one header in its own byte order. */
export class HeaderFields {
  readonly layout: HeaderLayout;
  readonly littleEndian: boolean;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, layout: HeaderLayout, littleEndian: boolean) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.layout = layout;
    this.littleEndian = littleEndian;
  }

  get(field: FieldName, index = 0): number {
    const [offset, type] = this.layout.fields[field];
    const at = offset + index * FIELD_BYTES[type];
    switch (type) {
      case 'u8':
        return this.view.getUint8(at);
      case 'i16':
        return this.view.getInt16(at, this.littleEndian);
      case 'i32':
        return this.view.getInt32(at, this.littleEndian);
      case 'i64':
        return Number(this.view.getBigInt64(at, this.littleEndian));
      case 'f32':
        return this.view.getFloat32(at, this.littleEndian);
      case 'f64':
        return this.view.getFloat64(at, this.littleEndian);
    }
  }

  list(field: FieldName, length: number): number[] {
    return Array.from({ length }, (_, index) => this.get(field, index));
  }

  set(field: FieldName, value: number, index = 0): void {
    const [offset, type] = this.layout.fields[field];
    const at = offset + index * FIELD_BYTES[type];
    if (type === 'u8') this.view.setUint8(at, value);
    else if (type === 'i16') this.view.setInt16(at, value, this.littleEndian);
    else if (type === 'i32') this.view.setInt32(at, value, this.littleEndian);
    else if (type === 'i64') this.view.setBigInt64(at, BigInt(value), this.littleEndian);
    else if (type === 'f32') this.view.setFloat32(at, value, this.littleEndian);
    else this.view.setFloat64(at, value, this.littleEndian);
  }

  setList(field: FieldName, values: readonly number[]): void {
    for (const [index, value] of values.entries()) this.set(field, value, index);
  }

  /** Latin-1 text without what follows the first NUL. */
  text(at: number, length: number): string {
    const text = latin1(this.bytes.subarray(at, at + length));
    const end = text.indexOf('\0');
    return end < 0 ? text : text.slice(0, end);
  }

  /** The text is cut, or filled with NUL, to `length` bytes. */
  setText(at: number, length: number, text: string): void {
    this.bytes.fill(0, at, at + length);
    for (let n = 0; n < Math.min(length, text.length); n++) this.bytes[at + n] = text.charCodeAt(n);
  }

  magic(): string {
    const { magicAt, singleMagic } = this.layout;
    const end = magicAt + singleMagic.length;
    return latin1(this.bytes.subarray(magicAt, end));
  }
}

/** Not `TextDecoder`, whose "latin1" is Windows-1252; nor `Buffer`, which a browser does not have. */
export const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
