import { type Contour, cutCorners, traceContours } from '../core/draw/contour.ts';
import {
  type Derivation,
  type DicomAttributes,
  dateOf,
  equipment,
  patientAndStudy,
  type Structure,
  structureOf,
  timeOf,
  uidOf,
  writeDicom,
} from './derived.ts';
import type { Instance } from './instance.ts';
import type { MaskFrame } from './mask-frames.ts';
import { contentLabel, derivedSeriesNumber, ds, referenced } from './segmentation.ts';
import type { SliceSource } from './series.ts';
import type { VolumePlan } from './volume.ts';

const STRUCTURE_SET_STORAGE = '1.2.840.10008.5.1.4.1.1.481.3';
const STUDY_COMPONENT = '1.2.840.10008.3.1.2.3.1';

/**
 * An RT Structure Set (PS3.3 A.19) with one organ as closed planar contours on the images that show it.
 * A contour runs through the midpoints between pixels, so that a pixel's centre is inside where the mask
 * is set; holes hang on the contour around them by a line without width. Undefined for an empty mask.
 */
export async function structureSet(
  plan: VolumePlan,
  frames: AsyncIterable<MaskFrame>,
  derivation: Derivation,
): Promise<Uint8Array | undefined> {
  const contours: DicomAttributes[] = [];
  let first: Instance | undefined;
  for await (const { source, mask } of frames) {
    const { columns, rows } = source.instance;
    for (const polygon of withoutHoles(traceContours(mask, columns, rows).map(cutCorners))) {
      first ??= source.instance;
      contours.push(planarContour(source, polygon));
    }
  }
  if (!first) return undefined;
  return writeDicom({
    ...(await patientAndStudy(first)),
    ...equipment(derivation),
    ...seriesAndInstance(plan, derivation),
    ...frameOfReference(plan),
    ...structure(plan, contours, structureOf(derivation.target)),
  });
}

function seriesAndInstance(
  { stack }: VolumePlan,
  { target, runId, createdAt }: Derivation,
): DicomAttributes {
  return {
    SOPClassUID: STRUCTURE_SET_STORAGE,
    SOPInstanceUID: uidOf('structure set', stack.seriesUid, runId),
    SeriesInstanceUID: uidOf('structure set series', stack.seriesUid, runId),
    Modality: 'RTSTRUCT',
    SeriesNumber: String(derivedSeriesNumber(stack.seriesNumber) + 1),
    SeriesDescription: `sammix ${target} contours, research use only`.slice(0, 64),
    OperatorsName: '',
    InstanceNumber: '1',
    StructureSetLabel: contentLabel(target),
    StructureSetDescription: 'Drawn by a model and not checked by a person',
    StructureSetDate: dateOf(createdAt),
    StructureSetTime: timeOf(createdAt),
    ApprovalStatus: 'UNAPPROVED',
  };
}

function frameOfReference({ stack }: VolumePlan): DicomAttributes {
  const { instance } = stack.slices[0]!;
  return {
    ReferencedFrameOfReferenceSequence: [
      {
        FrameOfReferenceUID: instance.frameOfReferenceUid,
        RTReferencedStudySequence: [
          {
            ReferencedSOPClassUID: STUDY_COMPONENT,
            ReferencedSOPInstanceUID: instance.studyUid,
            RTReferencedSeriesSequence: [
              {
                SeriesInstanceUID: stack.seriesUid,
                ContourImageSequence: stack.slices.map(referenced),
              },
            ],
          },
        ],
      },
    ],
  };
}

const structure = (
  { stack }: VolumePlan,
  contours: readonly DicomAttributes[],
  { label, rgb, type }: Structure,
): DicomAttributes => ({
  StructureSetROISequence: [
    {
      ROINumber: '1',
      ReferencedFrameOfReferenceUID: stack.slices[0]!.instance.frameOfReferenceUid,
      ROIName: label,
      ROIGenerationAlgorithm: 'AUTOMATIC',
    },
  ],
  ROIContourSequence: [
    { ReferencedROINumber: '1', ROIDisplayColor: rgb.map(String), ContourSequence: contours },
  ],
  RTROIObservationsSequence: [
    {
      ObservationNumber: '1',
      ReferencedROINumber: '1',
      RTROIInterpretedType: 'ORGAN',
      ROIInterpreter: '',
      RTROIIdentificationCodeSequence: type(),
    },
  ],
});

function planarContour(source: SliceSource, polygon: Contour): DicomAttributes {
  const { positionMm, columnDirection, rowDirection, spacingMm } = source.frame;
  const data: string[] = [];
  for (let n = 0; n < polygon.length; n += 2) {
    // Pixel (0, 0) covers corners 0 to 1 and has its centre, the image's position, at one half.
    const acrossMm = (polygon[n]! - 0.5) * spacingMm!.column;
    const downMm = (polygon[n + 1]! - 0.5) * spacingMm!.row;
    for (const axis of [0, 1, 2] as const)
      data.push(
        ds(positionMm![axis] + columnDirection![axis] * acrossMm + rowDirection![axis] * downMm),
      );
  }
  return {
    ContourImageSequence: [referenced(source)],
    ContourGeometricType: 'CLOSED_PLANAR',
    NumberOfContourPoints: String(polygon.length / 2),
    ContourData: data,
  };
}

/**
 * Outer contours with their holes joined to them: there and back on one line, which has no width and so
 * no area, whichever rule a reader fills by.
 */
export function withoutHoles(contours: readonly Contour[]): Contour[] {
  const outer = contours.filter((contour) => signedArea(contour) > 0);
  const holes = contours.filter((contour) => signedArea(contour) < 0);
  const joined = outer.map((contour) => [...contour]);
  for (const hole of holes) {
    // Of the contours around it the smallest: others lie around that one.
    const around = joined
      .map((contour, n) => ({ contour, area: signedArea(outer[n]!) }))
      .filter(({ contour }) => contains(contour, hole[0]!, hole[1]!))
      .sort((a, b) => a.area - b.area)[0];
    if (around) join(around.contour, hole);
  }
  return joined;
}

/** Positive for outer contours, negative for holes (`Contour`). */
function signedArea(contour: Contour): number {
  let twice = 0;
  for (let n = 0; n < contour.length; n += 2) {
    const next = (n + 2) % contour.length;
    twice += contour[n]! * contour[next + 1]! - contour[next]! * contour[n + 1]!;
  }
  return twice / 2;
}

/** By the crossings of a ray; points on the outline may count either way. */
function contains(contour: Contour, x: number, y: number): boolean {
  let inside = false;
  for (let n = 0, last = contour.length - 2; n < contour.length; last = n, n += 2) {
    const [x0, y0, x1, y1] = [contour[last]!, contour[last + 1]!, contour[n]!, contour[n + 1]!];
    if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) inside = !inside;
  }
  return inside;
}

/** Puts `hole` into `contour` at the two points that are nearest to each other. */
function join(contour: number[], hole: Contour): void {
  let best = { distance: Number.POSITIVE_INFINITY, at: 0, from: 0 };
  for (let at = 0; at < contour.length; at += 2)
    for (let from = 0; from < hole.length; from += 2) {
      const distance = Math.hypot(contour[at]! - hole[from]!, contour[at + 1]! - hole[from + 1]!);
      if (distance < best.distance) best = { distance, at, from };
    }
  const { at, from } = best;
  const turned = [...hole.slice(from), ...hole.slice(0, from)];
  contour.splice(at + 2, 0, ...turned, turned[0]!, turned[1]!, contour[at]!, contour[at + 1]!);
}
