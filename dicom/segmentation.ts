import {
  code,
  type Derivation,
  type DicomAttributes,
  dateOf,
  equipment,
  patientAndStudy,
  structureOf,
  timeOf,
  uidOf,
  writeDicom,
} from './derived.ts';
import type { MaskFrame } from './mask-frames.ts';
import type { SliceSource } from './series.ts';
import type { VolumePlan } from './volume.ts';

const SEGMENTATION_STORAGE = '1.2.840.10008.5.1.4.1.1.66.4';

/**
 * A DICOM Segmentation (PS3.3 A.51, binary) of one organ on the images of the series themselves, one
 * frame for each image that shows it. Undefined where none does: the object must hold a frame. Memory:
 * a bit a pixel of those images.
 */
export async function dicomSegmentation(
  plan: VolumePlan,
  frames: AsyncIterable<MaskFrame>,
  derivation: Derivation,
): Promise<Uint8Array | undefined> {
  const { columns, rows } = plan.stack.slices[0]!.instance;
  const shown: SliceSource[] = [];
  const packed = new PackedBits(columns * rows, plan.stack.slices.length);
  for await (const { source, mask } of frames) {
    if (!mask.includes(1)) continue;
    shown.push(source);
    packed.add(mask);
  }
  if (shown.length === 0) return undefined;
  const [first] = shown;
  return writeDicom({
    ...(await patientAndStudy(first!.instance)),
    ...equipment(derivation),
    ...seriesAndInstance(plan, derivation),
    ...segments(derivation),
    ...functionalGroups(plan, shown),
    ...references(shown),
    Rows: rows,
    Columns: columns,
    NumberOfFrames: shown.length,
    PixelData: packed.bytes(),
    _vrMap: { PixelData: 'OB' },
  });
}

/** Frames one after the other without gaps, the first pixel in the lowest bit (PS3.5 8.1.1). */
class PackedBits {
  private readonly pixels: number;
  private readonly packed: Uint8Array;
  private at = 0;

  constructor(pixels: number, mostFrames: number) {
    this.pixels = pixels;
    this.packed = new Uint8Array(Math.ceil((pixels * mostFrames) / 8));
  }

  add(mask: Uint8Array): void {
    for (let n = 0; n < this.pixels; n++, this.at++)
      if (mask[n] !== 0) this.packed[this.at >> 3]! |= 1 << (this.at & 7);
  }

  /** Of even length, as every value in DICOM. */
  bytes(): ArrayBuffer {
    const length = Math.ceil(this.at / 16) * 2;
    const out = new Uint8Array(length);
    out.set(this.packed.subarray(0, Math.min(length, this.packed.byteLength)));
    return out.buffer;
  }
}

const DIMENSIONS = 'dimensions of the segmentation';

function seriesAndInstance(
  { stack }: VolumePlan,
  { target, runId, createdAt }: Derivation,
): DicomAttributes {
  return {
    SOPClassUID: SEGMENTATION_STORAGE,
    SOPInstanceUID: uidOf('segmentation', stack.seriesUid, runId),
    SeriesInstanceUID: uidOf('segmentation series', stack.seriesUid, runId),
    Modality: 'SEG',
    SeriesNumber: String(derivedSeriesNumber(stack.seriesNumber)),
    SeriesDescription: `sammix ${target} segmentation, research use only`.slice(0, 64),
    InstanceNumber: '1',
    ContentDate: dateOf(createdAt),
    ContentTime: timeOf(createdAt),
    ImageType: ['DERIVED', 'PRIMARY'],
    ContentLabel: contentLabel(target),
    ContentDescription: `${structureOf(target).label.slice(0, 18)}, drawn by a model and not checked by a person`,
    ContentCreatorName: 'sammix^',
    SegmentationType: 'BINARY',
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    PixelRepresentation: 0,
    BitsAllocated: 1,
    BitsStored: 1,
    HighBit: 0,
    LossyImageCompression: '00',
    BurnedInAnnotation: 'NO',
    DimensionOrganizationSequence: [
      { DimensionOrganizationUID: uidOf(DIMENSIONS, stack.seriesUid, runId) },
    ],
    DimensionIndexSequence: [
      [0x0062000b, 0x0062000a, 'ReferencedSegmentNumber'],
      [0x00200032, 0x00209113, 'ImagePositionPatient'],
    ].map(([pointer, group, label]) => ({
      DimensionOrganizationUID: uidOf(DIMENSIONS, stack.seriesUid, runId),
      DimensionIndexPointer: pointer,
      FunctionalGroupPointer: group,
      DimensionDescriptionLabel: label,
    })),
  };
}

/** A code string: capitals, digits, `_` and spaces, at most 16 (PS3.5 6.2). */
export const contentLabel = (target: string): string =>
  target
    .toUpperCase()
    .replace(/[^A-Z0-9_ ]/g, '_')
    .slice(0, 16);

/** A series number that sorts behind the images. */
export const derivedSeriesNumber = (seriesNumber: string): number =>
  Math.min(Number.parseInt(seriesNumber, 10) || 0, 2_000_000) * 100 + 90;

const segments = ({ algorithm, target }: Derivation): DicomAttributes => ({
  SegmentSequence: [
    {
      SegmentNumber: 1,
      SegmentLabel: structureOf(target).label,
      SegmentedPropertyCategoryCodeSequence: structureOf(target).category(),
      SegmentedPropertyTypeCodeSequence: structureOf(target).type(),
      SegmentAlgorithmType: 'AUTOMATIC',
      SegmentAlgorithmName: algorithm.model.slice(0, 64),
      SegmentationAlgorithmIdentificationSequence: [
        {
          AlgorithmFamilyCodeSequence: code('123110', 'DCM', 'Artificial Intelligence'),
          AlgorithmName: algorithm.model.slice(0, 64),
          AlgorithmVersion: algorithm.version,
          AlgorithmParameters: `bundle sha256 ${algorithm.bundleDigest}`,
          AlgorithmSource: 'sammix',
        },
      ],
      RecommendedDisplayCIELabValue: structureOf(target).cieLab,
      TrackingID: target.slice(0, 64),
      TrackingUID: uidOf('tracking', algorithm.bundleDigest, target),
    },
  ],
});

function functionalGroups(plan: VolumePlan, shown: readonly SliceSource[]): DicomAttributes {
  const { frame } = shown[0]!;
  const { spacingMm } = plan;
  return {
    SharedFunctionalGroupsSequence: [
      {
        PlaneOrientationSequence: [
          {
            ImageOrientationPatient: [...frame.columnDirection!, ...frame.rowDirection!].map(ds),
          },
        ],
        PixelMeasuresSequence: [
          {
            PixelSpacing: [ds(spacingMm.row), ds(spacingMm.column)],
            SliceThickness: ds(frame.thicknessMm ?? spacingMm.slice),
            ...(plan.asStored && { SpacingBetweenSlices: ds(spacingMm.slice) }),
          },
        ],
      },
    ],
    PerFrameFunctionalGroupsSequence: shown.map((source, n) => ({
      SegmentIdentificationSequence: [{ ReferencedSegmentNumber: 1 }],
      FrameContentSequence: [{ DimensionIndexValues: [1, n + 1] }],
      PlanePositionSequence: [{ ImagePositionPatient: source.frame.positionMm!.map(ds) }],
      DerivationImageSequence: [
        {
          DerivationCodeSequence: code('113076', 'DCM', 'Segmentation'),
          SourceImageSequence: [
            {
              ...referenced(source),
              SpatialLocationsPreserved: 'YES',
              PurposeOfReferenceCodeSequence: code(
                '121322',
                'DCM',
                'Source image for image processing operation',
              ),
            },
          ],
        },
      ],
    })),
  };
}

export const referenced = ({ instance, frameIndex }: SliceSource): DicomAttributes => ({
  ReferencedSOPClassUID: instance.sopClassUid,
  ReferencedSOPInstanceUID: instance.sopInstanceUid,
  ...(instance.frames.length > 1 && { ReferencedFrameNumber: String(frameIndex + 1) }),
});

/** Common Instance Reference: each object once. */
const references = (shown: readonly SliceSource[]): DicomAttributes => ({
  ReferencedSeriesSequence: [
    {
      SeriesInstanceUID: shown[0]!.instance.seriesUid,
      ReferencedInstanceSequence: [...new Set(shown.map(({ instance }) => instance))].map(
        (instance) => ({
          ReferencedSOPClassUID: instance.sopClassUid,
          ReferencedSOPInstanceUID: instance.sopInstanceUid,
        }),
      ),
    },
  ],
});

/** A decimal string: at most 16 characters, as many digits as they hold. */
export function ds(value: number): string {
  const plain = String(Number(value.toFixed(9)));
  if (plain.length <= 16) return plain;
  let digits = 15;
  while (value.toPrecision(digits).length > 16) digits -= 1;
  return value.toPrecision(digits);
}
