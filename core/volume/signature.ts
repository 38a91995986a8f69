import type { Fault } from '../errors.ts';
import { latin1 } from './header-layout.ts';

interface Signature {
  readonly name: string;
  readonly at: number;
  readonly text: string;
  readonly remedy: string;
}

const CONVERT_DICOM = 'Convert the series with dcm2niix, then use the .nii.gz it writes.';
const CONVERT_IMAGE = 'Convert it to NIfTI, e.g. with SimpleITK or 3D Slicer.';

/** Formats that are mistaken for NIfTI often enough to be named. */
const SIGNATURES: readonly Signature[] = [
  { name: 'a DICOM file', at: 128, text: 'DICM', remedy: CONVERT_DICOM },
  { name: 'an NRRD file', at: 0, text: 'NRRD', remedy: CONVERT_IMAGE },
  { name: 'a MetaImage header', at: 0, text: 'ObjectType', remedy: CONVERT_IMAGE },
  { name: 'a PNG picture', at: 0, text: '\x89PNG', remedy: CONVERT_DICOM },
  { name: 'a JPEG picture', at: 0, text: '\xff\xd8\xff', remedy: CONVERT_DICOM },
  { name: 'an HDF5 or MINC file', at: 0, text: '\x89HDF', remedy: CONVERT_IMAGE },
  { name: 'a zip archive', at: 0, text: 'PK\x03\x04', remedy: 'Unpack it first.' },
  { name: 'an XML or HTML page', at: 0, text: '<', remedy: 'Download the file itself again.' },
];

/** Covers every signature above; the whole file may have been handed in. */
const LONGEST_BYTES = 512;

/** Says what a file is that is not NIfTI, as far as its first bytes tell. */
export function notNiftiFault(start: Uint8Array, subject: string): Fault {
  const text = latin1(start.subarray(0, LONGEST_BYTES));
  const known = SIGNATURES.find((signature) => text.startsWith(signature.text, signature.at));
  const empty = start.byteLength === 0;
  return {
    code: empty ? 'empty-file' : 'not-nifti',
    subject,
    expected: 'a NIfTI-1 or NIfTI-2 file (.nii, .nii.gz or .hdr with .img)',
    found: known?.name ?? (empty ? 'no bytes at all' : 'bytes that start no NIfTI header'),
    remedy: known?.remedy ?? 'Check that the file is complete and is a NIfTI image.',
  };
}
