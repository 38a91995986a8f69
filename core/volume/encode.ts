import { type Affine, qformOfAffine } from './affine.ts';
import { DTYPES, dtypeOfArray, inByteOrder, type NiftiDtype, type VoxelArray } from './dtype.ts';
import {
  type NiftiExtension,
  type NiftiHeader,
  parseHeader,
  serialiseExtensions,
} from './header.ts';
import { DESCRIP_BYTES, HeaderFields, NIFTI1, NIFTI2 } from './header-layout.ts';

export interface HeaderSpec {
  /** Three to seven axis sizes, fastest first. */
  readonly shape: readonly number[];
  readonly dtype: NiftiDtype;
  /** Voxel to RAS+ millimetres. */
  readonly affine: Affine;
  readonly version?: 1 | 2;
  readonly littleEndian?: boolean;
  /** 0 leaves the sform out; default 1 (scanner). */
  readonly sformCode?: number;
  /** 0 leaves the qform out; default 1 (scanner). */
  readonly qformCode?: number;
  readonly sclSlope?: number;
  readonly sclInter?: number;
  /** Default 2, millimetres. */
  readonly xyztUnits?: number;
  readonly descrip?: string;
  readonly extensions?: readonly NiftiExtension[];
  /** False for the header of a `.hdr`/`.img` pair. */
  readonly singleFile?: boolean;
}

/** What `encodeNifti` takes besides the voxels; the dtype is that of the array. */
export type VolumeSpec = Omit<HeaderSpec, 'dtype'>;

/** A new header, the qform as near to the affine as a rotation can be. */
export function createHeader(spec: HeaderSpec): NiftiHeader {
  const version = spec.version ?? 1;
  const littleEndian = spec.littleEndian ?? true;
  const layout = version === 1 ? NIFTI1 : NIFTI2;
  const extensions = serialiseExtensions(spec.extensions ?? [], littleEndian);
  const bytes = new Uint8Array(layout.bytes + extensions.byteLength);
  bytes.set(extensions, layout.bytes);
  const fields = new HeaderFields(bytes, layout, littleEndian);
  const singleFile = spec.singleFile ?? true;
  const magic = singleFile ? layout.singleMagic : layout.pairMagic;
  fields.set('sizeofHdr', layout.bytes);
  fields.setText(layout.magicAt, magic.length, magic);
  fields.set('voxOffset', singleFile ? bytes.byteLength : 0);
  fields.setText(layout.descripAt, DESCRIP_BYTES, spec.descrip ?? '');
  fields.set('xyztUnits', spec.xyztUnits ?? 2);
  setVoxelFields(fields, spec);
  setAffineFields(fields, spec);
  return parseHeader(bytes, 'new header');
}

function setVoxelFields(fields: HeaderFields, spec: HeaderSpec): void {
  const { code, bytes } = DTYPES[spec.dtype];
  const padding = Array.from({ length: 7 - spec.shape.length }, () => 1);
  fields.setList('dim', [spec.shape.length, ...spec.shape, ...padding]);
  fields.set('datatype', code);
  fields.set('bitpix', bytes * 8);
  fields.set('sclSlope', spec.sclSlope ?? 1);
  fields.set('sclInter', spec.sclInter ?? 0);
}

function setAffineFields(fields: HeaderFields, spec: HeaderSpec): void {
  const { sformCode = 1, qformCode = 1, affine } = spec;
  const { qfac, quatern, qoffset, spacing } = qformOfAffine(affine);
  fields.setList('pixdim', [qfac, ...spacing, 1, 1, 1, 1]);
  fields.set('sformCode', sformCode);
  if (sformCode > 0) fields.setList('srow', affine.slice(0, 3).flat());
  fields.set('qformCode', qformCode);
  if (qformCode === 0) return;
  fields.setList('quatern', quatern);
  fields.setList('qoffset', qoffset);
}

/** Header, extensions and voxels as one uncompressed `.nii`. Voxels: stored order, first axis fastest. */
export function encodeNifti(spec: VolumeSpec, voxels: VoxelArray): Uint8Array {
  const { headerBytes, imageBytes } = encodePair({ ...spec, singleFile: true }, voxels);
  return new Uint8Array(Buffer.concat([headerBytes, imageBytes]));
}

/** The two files of a pair; `singleFile` decides the magic. */
export function encodePair(
  spec: VolumeSpec,
  voxels: VoxelArray,
): { headerBytes: Uint8Array; imageBytes: Uint8Array } {
  const header = createHeader({ singleFile: false, ...spec, dtype: dtypeOfArray(voxels) });
  const extensions = serialiseExtensions(header.extensions, header.littleEndian);
  const headerBytes = new Uint8Array(Buffer.concat([header.raw, extensions]));
  const view = new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength);
  const imageBytes = inByteOrder(view, voxels.BYTES_PER_ELEMENT, header.littleEndian);
  return { headerBytes, imageBytes };
}
