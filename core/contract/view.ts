import * as z from 'zod';
import { BundleDisplay } from './bundle.ts';
import { InputGeometry, Problem, SliceRecord } from './manifest.ts';
import { ExtendedNumber, fromExtended } from './panel.ts';
import {
  codesToReview,
  FailedReport,
  organVolumeMl,
  QualityFlag,
  SegmentedReport,
} from './report.ts';

/**
 * What the viewer's page (`viewer/`) is given. Locally it fetches a `ViewIndex` as `cases.json`; in
 * a site's bucket the index travels in the fragment of the page's address, which no server sees.
 */

/** A volume that the page may fetch: an address relative to the page, or a presigned one. */
export const ViewVolume = z.strictObject({
  url: z.string().min(1),
  /** File name, shown to the reader. */
  name: z.string(),
});
export type ViewVolume = z.infer<typeof ViewVolume>;

export const ViewCase = z.strictObject({
  caseId: z.string(),
  status: z.enum(['segmented', 'failed']),
  volumeMl: z.number().nullable(),
  dice: z.number().nullable(),
  /** Codes of the flags that ask for a review. */
  reviewFlags: z.array(z.string()),
  /** Address of `report.json`. */
  report: z.string(),
  /** Address of `overlay.png`, shown where a browser cannot draw volumes. */
  overlay: z.string().nullable(),
  mask: ViewVolume.nullable(),
  cam: ViewVolume.nullable(),
  image: ViewVolume.nullable(),
  label: ViewVolume.nullable(),
  /** Masks to compare with, of other tools or earlier bundles; the page lays one at a time over the result. */
  others: z.array(ViewVolume).optional(),
  /** Masks of the case's other targets, named by them; absent where the case has one. */
  beside: z.array(ViewVolume).optional(),
  /** What the mask is of; absent for the liver alone. */
  target: z.string().optional(),
  /** Address of `report.html`. */
  page: z.string().nullable().optional(),
  /** Why there is no image, and what to do. */
  imageMissing: z.string().nullable(),
});
export type ViewCase = z.infer<typeof ViewCase>;

export const ViewIndex = z.strictObject({
  schemaVersion: z.literal(1),
  title: z.string(),
  /** When presigned addresses end; null for those that last as long as their server. */
  expiresAt: z.iso.datetime().nullable(),
  cases: z.array(ViewCase).min(1),
});
export type ViewIndex = z.infer<typeof ViewIndex>;

/**
 * The parts of `report.json` that the page shows. Unknown fields pass: a page must open the reports of
 * other versions.
 */
export const ViewedReport = z.discriminatedUnion('status', [
  z.object({
    ...FailedReport.pick({ status: true, caseId: true }).shape,
    ...FailedReport.pick({ inputName: true, stage: true }).shape,
    fault: z.object({ ...FailedReport.shape.fault.shape }),
    problems: z.array(z.object({ ...Problem.shape, code: z.string() })).optional(),
  }),
  z.object({
    ...SegmentedReport.pick({
      status: true,
      caseId: true,
      volumeMl: true,
      voxelsPerSlice: true,
    }).shape,
    geometry: z.object(InputGeometry.pick({ shape: true, dtype: true }).shape),
    /** The target also of a mask that was made elsewhere, where it is said which. */
    bundle: z.object(BundleDisplay.pick({ windowHu: true, sliceSizePx: true, target: true }).shape),
    slices: z.array(
      z.object(
        SliceRecord.pick({ index: true, probability: true, box: true, maskVoxels: true }).shape,
      ),
    ),
    flags: z.array(z.object({ ...QualityFlag.shape, code: z.string() })),
    comparison: z
      .object({
        panel: z.object({
          metrics: z.array(z.object({ name: z.string(), value: ExtendedNumber })),
        }),
      })
      .nullable(),
    /** Nobody here drew it: there is no model, and nothing was checked. */
    madeElsewhere: z.literal(true).optional(),
  }),
]);
export type ViewedReport = z.infer<typeof ViewedReport>;

/** Of a mask that was made elsewhere: its folder in that of the case, and what stands for its report. */
export const PREDICTION = { folder: 'prediction', report: 'view.json' } as const;

/**
 * `sources.json` in a case's folder: where a run on this machine found its files, as absolute paths,
 * so that `sammix view` can show the image. Paths may name patients: it never leaves the machine.
 */
export const CaseSources = z.strictObject({
  schemaVersion: z.literal(1),
  image: z.string(),
  /** The `.img` of a `.hdr`/`.img` pair. */
  pairedImage: z.string().nullable(),
  label: z.string().nullable(),
  /** Which series of the DICOM folder or zip `image` it is; absent where the image is a file. */
  series: z.strictObject({ uid: z.string(), part: z.int().nullable() }).optional(),
});
export type CaseSources = z.infer<typeof CaseSources>;

/** What the page's case list says of a case. */
export function viewFacts(
  report: ViewedReport,
): Pick<ViewCase, 'caseId' | 'status' | 'target' | 'volumeMl' | 'dice' | 'reviewFlags'> {
  const { caseId, status } = report;
  if (report.status === 'failed')
    return { caseId, status, volumeMl: null, dice: null, reviewFlags: [] };
  const dice = report.comparison?.panel.metrics.find(({ name }) => name === 'dice');
  return {
    caseId,
    status,
    ...(report.bundle.target !== undefined && { target: report.bundle.target }),
    volumeMl: organVolumeMl(report),
    dice: dice ? fromExtended(dice.value) : null,
    reviewFlags: codesToReview(report.flags),
  };
}
