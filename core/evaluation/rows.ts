import type {
  EvaluatedCase,
  EvaluatedStatus,
  ScanTraits,
  ScoredSlice,
} from '../contract/evaluated-case.ts';
import type { CasePanel, PanelMetric } from '../contract/panel.ts';
import {
  type CaseReport,
  type Comparison,
  codesToReview,
  type SegmentedReport,
} from '../contract/report.ts';
import { meaningText } from '../dataset/label-meaning.ts';
import { type Fault, InputError, SammixError } from '../errors.ts';
import { boundingBox, cropMask } from '../mask/bounds.ts';
import { liverFreeSliceSpecificity, liverSliceRecall } from '../metrics/classification.ts';
import type { ByteStream } from '../ports.ts';
import {
  compareMask,
  type LabelInput,
  type MaskedImage,
  readPlacedLabel,
} from '../stage/compare.ts';
import { describeGeometry, type Geometry } from '../volume/geometry.ts';
import type { CroppedMask } from '../volume/grid.ts';
import { type NiftiHeader, withoutText } from '../volume/header.ts';
import { HuStatistics } from '../volume/histogram.ts';
import { openNifti } from '../volume/reader.ts';

/** What a report does not say of its case. */
export interface CaseFacts {
  /** The case stands for its own patient where this is left out. */
  readonly patientId?: string;
  /** Of the label that the case has; null where it has none. */
  readonly labelVersion: string | null;
}

/** The row of a case in an evaluation; all that an evaluation needs to know of it. */
export function evaluatedCase(report: CaseReport, facts: CaseFacts): EvaluatedCase {
  const { caseId, runId } = report;
  const patientId = facts.patientId ?? caseId;
  if (report.status === 'failed') {
    const { labelVersion } = facts;
    return { ...unmeasured('failed', caseId, patientId), runId, fault: report.fault, labelVersion };
  }
  const { comparison, geometry, timings } = report;
  return {
    ...unmeasured(statusOf(report), caseId, patientId),
    runId,
    fault: report.comparisonFault,
    labelVersion: comparison?.labelVersion ?? facts.labelVersion,
    ...(comparison && measuredFields(comparison)),
    predictionVolumeMl: report.volumeMl,
    scan: {
      orientation: geometry.orientation,
      spacingMm: geometry.grid.spacingMm,
      description: geometry.description ?? null,
      hu: report.hu,
    },
    scores: scoredSlices(report),
    flags: report.flags.map((flag) => flag.code),
    reviewFlags: codesToReview(report.flags),
    seconds: timings.splitSeconds + timings.segmentSeconds + timings.assembleSeconds,
  };
}

/** A row without any number: of a case that failed, or that nothing was asked of. */
export const unmeasured = (
  status: EvaluatedStatus,
  caseId: string,
  patientId: string,
): EvaluatedCase => ({
  caseId,
  patientId,
  runId: null,
  status,
  fault: null,
  labelVersion: null,
  metrics: null,
  paper: null,
  predictionVolumeMl: null,
  labelVolumeMl: null,
  liverSliceRecall: null,
  liverFreeSliceSpecificity: null,
  scan: null,
  scores: [],
  flags: [],
  seconds: null,
});

function statusOf(report: SegmentedReport): EvaluatedStatus {
  if (report.comparison) return report.comparison.panel.status;
  return report.comparisonFault ? 'label-unusable' : 'unlabelled';
}

/** What the comparison of a mask with a label gives, whoever drew the mask. */
const measuredFields = ({ panel, paper, labelMeaning }: Comparison) => ({
  ...(labelMeaning !== undefined && { labelMeaning }),
  metrics: metricsByName(panel.metrics),
  paper: paper ?? null,
  predictionVolumeMl: panel.predictionVolumeMl,
  labelVolumeMl: panel.labelVolumeMl,
  ...sliceShares(panel),
});

function metricsByName(metrics: readonly PanelMetric[]): NonNullable<EvaluatedCase['metrics']> {
  const entries = metrics.map(({ name, value }) => [name, value] as const);
  return Object.fromEntries(entries) as NonNullable<EvaluatedCase['metrics']>;
}

/** Nothing is known of slices in reports of before their voxels were kept. */
function sliceShares({
  sliceVoxels,
}: CasePanel): Pick<EvaluatedCase, 'liverSliceRecall' | 'liverFreeSliceSpecificity'> {
  const slices = (sliceVoxels?.label ?? []).map((labelVoxels, k) => ({
    labelVoxels,
    predictionVoxels: sliceVoxels?.prediction[k] ?? 0,
  }));
  return {
    liverSliceRecall: liverSliceRecall(slices),
    liverFreeSliceSpecificity: liverFreeSliceSpecificity(slices),
  };
}

function scoredSlices({ comparison, slices }: SegmentedReport): ScoredSlice[] {
  const label = comparison?.panel.sliceVoxels?.label;
  if (!label) return [];
  return slices.map(({ index, probability }) => ({
    score: probability,
    positive: (label[index] ?? 0) > 0,
  }));
}

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
  /** The row says what the image's header does, see `Parameters`. */
  readonly headerText: boolean;
}

/** A mask made elsewhere where it lies on its image, beside its label. */
export interface ComparedPrediction {
  /** Of the image, with its free text where the row has it. */
  readonly header: NiftiHeader;
  readonly geometry: Geometry;
  /** Undefined where it is empty, as the label's. */
  readonly mask: CroppedMask | undefined;
  readonly label: CroppedMask | undefined;
  readonly panel: CasePanel;
}

export interface MeasuredPrediction {
  readonly row: EvaluatedCase;
  /** Undefined where it could not be compared. */
  readonly compared?: ComparedPrediction;
}

/**
 * Compares a mask made elsewhere with a label, without a model. Reads the image as well: mask and
 * label must lie on its grid, and its intensities tell whether inputs drift. What cannot be read or
 * compared becomes the row's fault; only defects throw.
 */
export async function measurePrediction(input: PredictedCase): Promise<MeasuredPrediction> {
  const { caseId, patientId, label } = input;
  const row = { ...unmeasured('failed', caseId, patientId), labelVersion: label.version };
  const read = await faultOr(() => readScan(input));
  if (read.fault) return { row: { ...row, fault: read.fault } };
  const { image, header, scan } = read.value;
  const drawn = await faultOr(() => readPrediction(input, image));
  if (drawn.fault) return { row: { ...row, scan, fault: drawn.fault } };
  const { mask, meaning: predictionMeaning } = drawn.value;
  const found = { ...row, scan, predictionMeaning };
  const compared = await faultOr(() => compareMask(image, mask, label));
  if (compared.fault) return { row: { ...found, status: 'label-unusable', fault: compared.fault } };
  const { comparison, label: truth } = compared.value;
  const { panel } = comparison;
  return {
    row: { ...found, status: panel.status, ...measuredFields(comparison) },
    compared: { header, geometry: image.geometry, mask, label: truth, panel },
  };
}

async function readScan({ image, headerText }: PredictedCase): Promise<{
  readonly image: MaskedImage;
  readonly header: NiftiHeader;
  readonly scan: ScanTraits;
}> {
  const reader = await openNifti(image.open(), {
    subject: image.name,
    ...(image.openPaired && { imageSource: image.openPaired() }),
  });
  const statistics = new HuStatistics(reader.geometry.grid);
  for await (const { hu, index } of reader.axialSlices()) statistics.add(hu, index);
  const { orientation, grid, description } = describeGeometry(reader.header, reader.geometry);
  return {
    image: { name: image.name, geometry: reader.geometry, sliceSizePx: null },
    header: headerText ? reader.header : withoutText(reader.header),
    scan: {
      orientation,
      spacingMm: grid.spacingMm,
      description: (headerText && description) || null,
      hu: statistics.finish().summary,
    },
  };
}

async function readPrediction(
  { caseId, prediction }: PredictedCase,
  image: MaskedImage,
): Promise<{ readonly mask: CroppedMask | undefined; readonly meaning: string }> {
  if (!prediction) throw noPrediction(caseId);
  const { mask, meaning } = await readPlacedLabel(image, prediction);
  const box = boundingBox(mask);
  return { mask: box && cropMask(mask, box), meaning: meaningText(meaning) };
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
