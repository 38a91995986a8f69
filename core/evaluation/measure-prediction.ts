import type { EvaluatedCase, ScanTraits } from '../contract/evaluation.ts';
import { type Fault, InputError, SammixError } from '../errors.ts';
import { boundingBox, type CroppedMask, cropMask } from '../mask/bounds.ts';
import type { ByteStream } from '../ports.ts';
import { compareMask, type LabelInput, type MaskedImage } from '../stage/compare.ts';
import { assertSameGrid, describeGeometry, type Geometry } from '../volume/geometry.ts';
import { HuStatistics } from '../volume/histogram.ts';
import { readLabel } from '../volume/label.ts';
import { openNifti } from '../volume/reader.ts';
import { measuredFields, unmeasured } from './from-report.ts';

/** A case whose mask was made elsewhere. */
export interface PredictedCase {
  readonly caseId: string;
  readonly patientId: string;
  readonly image: {
    readonly name: string;
    open(): ByteStream;
    /** The `.img` of a `.hdr`/`.img` pair. */
    readonly openPaired?: (() => ByteStream) | undefined;
  };
  /** Undefined where there is none: the case has failed. */
  readonly prediction: Omit<LabelInput, 'version'> | undefined;
  readonly label: LabelInput;
}

/**
 * Compares a mask made elsewhere with a label, without a model. Reads the image as well: mask and
 * label must lie on its grid, and its intensities tell whether inputs drift. What cannot be read or
 * compared becomes the row's fault; only defects throw.
 */
export async function measurePrediction(input: PredictedCase): Promise<EvaluatedCase> {
  const { caseId, patientId, label } = input;
  const row = { ...unmeasured('failed', caseId, patientId), labelVersion: label.version };
  const read = await faultOr(() => readScan(input));
  if (read.fault) return { ...row, fault: read.fault };
  const { image, scan } = read.value;
  const drawn = await faultOr(() => readPrediction(input, image));
  if (drawn.fault) return { ...row, scan, fault: drawn.fault };
  const compared = await faultOr(() => compareMask(image, drawn.value, label));
  if (compared.fault) return { ...row, scan, status: 'label-unusable', fault: compared.fault };
  const { comparison } = compared.value;
  return { ...row, scan, status: comparison.panel.status, ...measuredFields(comparison) };
}

async function readScan({
  image,
}: PredictedCase): Promise<{ readonly image: MaskedImage; readonly scan: ScanTraits }> {
  const reader = await openNifti(image.open(), {
    subject: image.name,
    ...(image.openPaired && { imageSource: image.openPaired() }),
  });
  const statistics = new HuStatistics(reader.geometry.grid);
  for await (const { hu, index } of reader.axialSlices()) statistics.add(hu, index);
  const { orientation, grid, description } = describeGeometry(reader.header, reader.geometry);
  return {
    image: { name: image.name, geometry: reader.geometry, sliceSizePx: null },
    scan: {
      orientation,
      spacingMm: grid.spacingMm,
      description: description ?? null,
      hu: statistics.finish().summary,
    },
  };
}

async function readPrediction(
  { caseId, prediction }: PredictedCase,
  image: { readonly name: string; readonly geometry: Geometry },
): Promise<CroppedMask | undefined> {
  if (!prediction) throw noPrediction(caseId);
  const mask = await readLabel(prediction.open(), { subject: prediction.name });
  assertSameGrid(
    { subject: image.name, geometry: image.geometry },
    { subject: prediction.name, geometry: mask.geometry },
  );
  const box = boundingBox(mask.mask);
  return box && cropMask(mask.mask, box);
}

type Outcome<T> = { readonly value: T; readonly fault?: undefined } | { readonly fault: Fault };

async function faultOr<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof SammixError) return { fault: error.fault };
    throw error;
  }
}

const noPrediction = (caseId: string): InputError =>
  new InputError({
    code: 'prediction-missing',
    subject: caseId,
    expected: 'a mask of this case among the predictions',
    found: 'none',
    remedy: 'Name it <case>.nii.gz, <case>_mask.nii.gz or <case>/mask.nii.gz.',
  });
