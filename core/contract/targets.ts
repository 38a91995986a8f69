import * as z from 'zod';
import { CaseReport } from './report.ts';

/**
 * `report.json` of a case that several bundles segmented: one report for each target, each as it would
 * be alone. A target's files lie in its own folder of the case, `CASE/<folder>/`, and so does its own
 * `report.json`; this one joins them. A case of one target has no such report: its `report.json` is a
 * `CaseReport`.
 */

export const LABEL_MAP_FILE = 'labels.nii.gz';

/** All targets in one volume, on the input's grid. */
export const LabelMap = z.strictObject({
  file: z.literal(LABEL_MAP_FILE),
  /** Counted from 1 in the order in which the bundles were named; 0 is none of them. */
  classes: z.array(z.strictObject({ value: z.int().min(1).max(255), target: z.string() })).min(1),
  /** Voxels that more than one mask holds: the target that was named first has them. */
  overlapVoxels: z.int().nonnegative(),
});
export type LabelMap = z.infer<typeof LabelMap>;

/** Of the eroded masks; see `core/measure/liver-to-spleen.ts`. */
export const LiverToSpleen = z.strictObject({
  liverMeanHu: z.number(),
  spleenMeanHu: z.number().positive(),
  /** Liver over spleen. */
  ratio: z.number(),
  /** Liver minus spleen. */
  differenceHu: z.number(),
});
export type LiverToSpleen = Readonly<z.infer<typeof LiverToSpleen>>;

export const TargetsReport = z.strictObject({
  schemaVersion: z.literal(1),
  status: z.literal('several-targets'),
  caseId: z.string(),
  /** In the order in which the bundles were named. */
  targets: z
    .array(z.strictObject({ target: z.string(), folder: z.string(), report: CaseReport }))
    .min(1),
  /** Targets that were asked for and have not ended yet: at a site each ends by itself. */
  pending: z.array(z.string()).optional(),
  labelMap: LabelMap.optional(),
  /** Where the case has both. */
  liverToSpleen: LiverToSpleen.optional(),
});
export type TargetsReport = z.infer<typeof TargetsReport>;
export type TargetOfCase = TargetsReport['targets'][number];
