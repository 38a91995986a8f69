import type { Grid } from '../../core/volume/grid.ts';
import { type DicomAttributes, uidOf, writeDicom } from '../../dicom/derived.ts';
import { ds } from '../../dicom/segmentation.ts';
import { type PhantomOptions, phantomCase } from '../../phantom/phantom.ts';
import type { ZipEntry } from './zip.ts';

const CT = '1.2.840.10008.5.1.4.1.1.2';

/** Of whom a drawn series is, and what tells it from others. */
export interface SeriesNames {
  /** Of its identifiers: the same name gives the same. */
  readonly name: string;
  readonly number?: string;
  readonly patientName?: string;
  readonly patientId?: string;
  readonly accessionNumber?: string;
  readonly imageType?: readonly string[];
  /** Tells the volumes of one series apart. */
  readonly acquisition?: string;
  /** Of its files in a zip. */
  readonly folder?: string;
}

export const studyUidOf = ({ name }: SeriesNames): string => uidOf('study', name);
export const seriesUidOf = ({ name }: SeriesNames): string => uidOf('series', name);

/** A drawn scan as a DICOM series of explicit little endian files, one a slice, feet first. */
export async function drawnSeries(
  options: PhantomOptions,
  names: SeriesNames,
): Promise<ZipEntry[]> {
  const { grid, hu } = phantomCase(options);
  const plane = grid.columns * grid.rows;
  const entries: ZipEntry[] = [];
  for (let k = 0; k < grid.slices; k++) {
    const pixels = hu.slice(k * plane, (k + 1) * plane).buffer;
    const bytes = await writeDicom({ ...common(grid, names), ...image(grid, names, k, pixels) });
    entries.push({
      name: `${names.folder ?? names.name}/${names.acquisition ?? ''}${k + 1}.dcm`,
      bytes,
    });
  }
  return entries;
}

const common = ({ columns, rows, spacingMm }: Grid, names: SeriesNames): DicomAttributes => ({
  SOPClassUID: CT,
  StudyInstanceUID: studyUidOf(names),
  SeriesInstanceUID: seriesUidOf(names),
  FrameOfReferenceUID: uidOf('frame of reference', names.name),
  Modality: 'CT',
  ImageType: names.imageType ?? ['ORIGINAL', 'PRIMARY', 'AXIAL'],
  PatientName: names.patientName ?? 'Phantom^Drawn',
  PatientID: names.patientId ?? 'phantom',
  AccessionNumber: names.accessionNumber ?? '',
  StudyDate: '20260101',
  SeriesNumber: names.number ?? '1',
  AcquisitionNumber: names.acquisition ?? '1',
  ImageOrientationPatient: [1, 0, 0, 0, 1, 0],
  PixelSpacing: [ds(spacingMm.row), ds(spacingMm.column)],
  SliceThickness: ds(spacingMm.slice),
  Rows: rows,
  Columns: columns,
  SamplesPerPixel: 1,
  PhotometricInterpretation: 'MONOCHROME2',
  BitsAllocated: 16,
  BitsStored: 16,
  HighBit: 15,
  PixelRepresentation: 1,
  RescaleSlope: '1',
  RescaleIntercept: '0',
});

/** Slice `k` from the feet. */
function image(
  { columns, rows, slices, spacingMm }: Grid,
  { name, acquisition = '1' }: SeriesNames,
  k: number,
  pixels: ArrayBuffer,
): DicomAttributes {
  const middle = (count: number, mm: number): number => ((count - 1) * mm) / 2;
  return {
    SOPInstanceUID: uidOf('image', name, acquisition, String(k)),
    InstanceNumber: String(slices - k),
    ImagePositionPatient: [
      -middle(columns, spacingMm.column),
      -middle(rows, spacingMm.row),
      k * spacingMm.slice - middle(slices, spacingMm.slice),
    ].map(ds),
    PixelData: pixels,
    _vrMap: { PixelData: 'OW' },
  };
}
