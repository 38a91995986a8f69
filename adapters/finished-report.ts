import type { RunKeys } from '../core/contract/keys.ts';
import { CaseReport, type SegmentedReport } from '../core/contract/report.ts';
import { fromJsonBytes } from './json-object.ts';
import type { S3Store } from './s3-store.ts';

/** The version of a case's label, and when it came. */
export interface LabelMark {
  readonly version: string;
  readonly uploadedAt: string;
}

/**
 * The report of a run that is done and was compared with this very label. A report that failed, was
 * made by an older version of sammix that measured less, or is damaged counts as none.
 */
export async function finishedReport(
  store: S3Store,
  keys: Pick<RunKeys, 'report'>,
  runId: string,
  label: LabelMark,
): Promise<SegmentedReport | undefined> {
  const report = await readReport(store, keys);
  if (report?.status !== 'segmented' || report.runId !== runId) return undefined;
  return comparedWith(report, label) ? report : undefined;
}

/** Undefined where there is none, or none that this version understands. */
export async function readReport(
  store: S3Store,
  { report: key }: Pick<RunKeys, 'report'>,
): Promise<CaseReport | undefined> {
  const found = await store.getTagged(key);
  if (!found) return undefined;
  try {
    return fromJsonBytes(CaseReport, found.body);
  } catch {
    return undefined; // Damaged, or of another schema: the case is done again.
  }
}

export function comparedWith(report: SegmentedReport, label: LabelMark): boolean {
  const { comparison, comparisonFault, createdAt, labelVersion } = report;
  if (comparison)
    // Without voxel counts a slice's liver cannot be told from its absence.
    return comparison.labelVersion === label.version && comparison.panel.sliceVoxels !== undefined;
  if (comparisonFault === null) return false;
  // Older reports do not say which label could not be used, only when it was tried.
  return labelVersion == null ? createdAt > label.uploadedAt : labelVersion === label.version;
}
