import * as z from 'zod';
import { BundleDisplay } from './bundle.ts';
import { FaultSchema } from './fault.ts';
import { Sha256 } from './ids.ts';
import {
  Backend,
  HuSummary,
  InputGeometry,
  InputIdentity,
  Parameters,
  Problem,
  SliceRecord,
} from './manifest.ts';
import { TargetMeasures } from './measures.ts';
import { CasePanel, ExtendedNumber } from './panel.ts';

/** An instance that GPU jobs ran on, as it described itself when it started. */
export const Machine = z.strictObject({
  instanceType: z.string(),
  market: z.enum(['spot', 'on-demand']).nullable(),
  gpu: z.string().nullable(),
  driver: z.string().nullable(),
  /** Id of its machine image, and the day on which that one's system was released. */
  image: z.string().nullable(),
  imageDate: z.iso.date().nullable(),
});
export type Machine = z.infer<typeof Machine>;

/** What GPU jobs cost, as an estimate. */
export const GpuCost = z.strictObject({
  /** Wall time of the GPU jobs, model load and interrupted attempts included. */
  gpuSeconds: z.number().nonnegative(),
  usdPerGpuHour: z.number().nonnegative(),
  /** `gpuSeconds` at that price; start-up of the instances and storage not included. */
  estimatedUsd: z.number().nonnegative(),
});
export type GpuCost = z.infer<typeof GpuCost>;

export const gpuCost = (gpuSeconds: number, usdPerGpuHour: number): GpuCost => ({
  gpuSeconds,
  usdPerGpuHour,
  estimatedUsd: (gpuSeconds / 3600) * usdPerGpuHour,
});

/**
 * `report.json`: what happened to one case. A case that could not be processed gets a report too,
 * with `status: "failed"` and the fault; `schemaVersion` rises with every incompatible change.
 */

/** One thing that a reader should look at before trusting the mask. */
export const QualityFlag = z.strictObject({
  code: z.enum([
    'slice-jump',
    'cam-disagreement',
    'low-predicted-iou',
    'touches-border',
    'several-components',
    'cam-empty',
    'no-liver-found',
    'nothing-found',
    'not-an-abdomen',
    'mirrored',
    'front-to-back',
    'upside-down',
    'not-axial',
    'input-warning',
  ]),
  severity: z.enum(['info', 'review']),
  message: z.string(),
  /** Canonical slice indices, where the flag belongs to slices. */
  slices: z.array(z.int().nonnegative()),
});
export type QualityFlag = z.infer<typeof QualityFlag>;

/** Protocol `paper` of one case: means over its central slices (core/metrics/paper.ts). */
export const PaperMeans = z.strictObject({
  slices: z.int().nonnegative(),
  /** Null for no slices. */
  dice: z.number().nullable(),
  hausdorffPx: ExtendedNumber.nullable(),
});
export type PaperMeans = z.infer<typeof PaperMeans>;

export const Comparison = z.strictObject({
  labelName: z.string(),
  /** Changes with the label file and what is said of it, so that a new one makes a new comparison. */
  labelVersion: z.string(),
  /** What was counted as the target, and who said so: `label 5 of 0-13 (dataset.json)`. */
  labelMeaning: z.string().optional(),
  /** How the label was stored otherwise than the image; null where it was stored alike. */
  labelPlacement: z.string().nullable().optional(),
  /** Volume protocol: all slices, the input's grid, millimetres from the header's spacing. */
  panel: CasePanel,
  /** Null where the model's slices are not 256 x 256; absent in reports of before it was measured. */
  paper: PaperMeans.nullable().optional(),
});
export type Comparison = z.infer<typeof Comparison>;

/** A file beside the report as it was written: a case is kept only while it is whole. */
export const WrittenFile = z.strictObject({
  file: z.string(),
  bytes: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type WrittenFile = z.infer<typeof WrittenFile>;

export const Provenance = z.strictObject({
  sammixVersion: z.string(),
  /** Null where the case failed before a graph ran. */
  backend: Backend.nullable(),
  node: z.string(),
  platform: z.string(),
});
export type Provenance = z.infer<typeof Provenance>;

const Common = {
  schemaVersion: z.literal(1),
  caseId: z.string(),
  runId: z.string().nullable(),
  createdAt: z.iso.datetime(),
  provenance: Provenance,
};

/** A slice in `gallery.png`, and what it was chosen for. */
export const GallerySlice = z.strictObject({
  /** Canonical slice index. */
  slice: z.int().nonnegative(),
  shows: z.array(z.enum(['largest-error', 'largest-section'])).min(1),
});
export type GallerySlice = z.infer<typeof GallerySlice>;

/** The same with the Dice of the slice, for masks that have no report. */
export const ShownSlice = z.strictObject({
  ...GallerySlice.shape,
  dice: z.number().nullable(),
});
export type ShownSlice = z.infer<typeof ShownSlice>;

/** Which slices the pictures beside the report show. */
const ReportPictures = z.strictObject({
  /** Canonical slice indices of the tiles of `overlay.png`, in reading order. */
  montage: z.array(z.int().nonnegative()),
  /** Of `gallery.png`, from left to right; the last one is that of `thumbnail.png` too. */
  gallery: z.array(GallerySlice).min(1),
});
export type ReportPictures = z.infer<typeof ReportPictures>;

export const SegmentedReport = z.strictObject({
  ...Common,
  status: z.literal('segmented'),
  input: InputIdentity,
  inputSha256: Sha256,
  geometry: InputGeometry,
  hu: HuSummary,
  problems: z.array(Problem),
  parameters: Parameters,
  bundle: BundleDisplay,
  slices: z.array(SliceRecord),
  /** Of the final mask, per canonical slice; absent in reports of before it was kept. */
  voxelsPerSlice: z.array(z.int().nonnegative()).optional(),
  volumeMl: z.number().nonnegative(),
  /** Before the clean-up; the clean-up removed or filled the difference. */
  rawVolumeMl: z.number().nonnegative(),
  components: z.int().nonnegative(),
  /** Of each organ; absent in reports of before they were measured. */
  measures: z.array(TargetMeasures).optional(),
  /** Why the image inside the mask could not be measured; the mask stands all the same. */
  measuresFault: FaultSchema.nullable().optional(),
  /** A person has changed the mask since it was drawn; all that is said of it is of the changed one. */
  maskEdited: z.literal(true).optional(),
  flags: z.array(QualityFlag),
  comparison: Comparison.nullable(),
  /**
   * Of the label that was given, whether it could be used or not; null without one, absent in reports
   * of before it was kept.
   */
  labelVersion: z.string().nullable().optional(),
  /** Why a label that was given could not be compared with; the mask stands all the same. */
  comparisonFault: FaultSchema.nullable(),
  timings: z.strictObject({
    splitSeconds: z.number(),
    classifierSeconds: z.number(),
    encoderSeconds: z.number(),
    decoderSeconds: z.number(),
    /** By the clock, beyond the split: slabs that ran at once count once. */
    segmentSeconds: z.number(),
    assembleSeconds: z.number(),
  }),
  peakMemoryMiB: z.number().nullable(),
  /** Absent in reports of before it was kept. */
  pictures: ReportPictures.optional(),
  /** Of a site's GPU jobs; null where no price applies. */
  cost: GpuCost.nullable().optional(),
  /** X-Ray's id of the upload, in every log line of the run; null on a laptop. */
  traceId: z.string().nullable().optional(),
  /** The files beside the report; absent in reports of before they were recorded. */
  outputs: z.array(WrittenFile).optional(),
  /** Of a site's GPU jobs, each kind once; absent where none was written down. */
  machines: z.array(Machine).optional(),
});
export type SegmentedReport = z.infer<typeof SegmentedReport>;

/** Voxels of the final mask per canonical slice; as drawn in reports of before they were kept. */
export const maskVoxelsPerSlice = ({
  voxelsPerSlice,
  slices,
}: {
  readonly voxelsPerSlice?: readonly number[] | undefined;
  readonly slices: readonly { readonly maskVoxels: number }[];
}): readonly number[] => voxelsPerSlice ?? slices.map(({ maskVoxels }) => maskVoxels);

type Flagged = Pick<QualityFlag, 'code' | 'severity'>;

/** Whether the scan, or the part of it with the mask, does not look like an abdomen. */
export const isNoAbdomen = (flags: readonly { readonly code: string }[]): boolean =>
  flags.some(({ code }) => code === 'not-an-abdomen');

/**
 * What tables and headlines give as the organ's volume: that of the mask, and none where the scan shows
 * no abdomen, since what was drawn there is none. `volumeMl` of the report is the mask's all the same.
 */
export const organVolumeMl = ({
  volumeMl,
  flags,
}: {
  readonly volumeMl: number;
  readonly flags: readonly { readonly code: string }[];
}): number | null => (isNoAbdomen(flags) ? null : volumeMl);

/** Codes of the flags that ask for a look. */
export const codesToReview = <Code extends string>(
  flags: readonly { readonly code: Code; readonly severity: QualityFlag['severity'] }[],
): Code[] => flags.filter(({ severity }) => severity === 'review').map(({ code }) => code);

/** Why the volume of a case must not be taken as it stands; null where no flag speaks against it. */
export function volumeDoubt(flags: readonly Flagged[]): string | null {
  const codes = codesToReview(flags);
  if (isNoAbdomen(flags)) return 'not given: the scan does not look like an abdomen';
  if (codes.includes('not-axial')) return 'not to be trusted: the slices are not axial';
  if (codes.includes('input-warning')) return 'in doubt: the input has warnings';
  if (codes.includes('touches-border')) return 'may be too small: the mask reaches the border';
  if (codes.includes('several-components')) return 'in doubt: separate pieces were drawn';
  return null;
}

export const FailedReport = z.strictObject({
  ...Common,
  status: z.literal('failed'),
  inputName: z.string(),
  stage: z.enum(['preflight', 'split', 'segment', 'assemble', 'report']),
  fault: FaultSchema,
  /** All that the preflight found where it refused the input; the fault is the first error. */
  problems: z.array(Problem).optional(),
});
export type FailedReport = z.infer<typeof FailedReport>;

export const CaseReport = z.discriminatedUnion('status', [SegmentedReport, FailedReport]);
export type CaseReport = z.infer<typeof CaseReport>;
