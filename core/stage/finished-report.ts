import type { RunKeys } from '../contract/keys.ts';
import { CaseReport, type SegmentedReport } from '../contract/report.ts';
import { usableJson } from '../json.ts';
import type { BlobStore } from '../ports.ts';

type ReportStore = Pick<BlobStore, 'stat' | 'get'>;

/** Undefined where there is none, or none that this version understands: the case is done again. */
export const readReport = (
  store: Pick<BlobStore, 'get'>,
  { report }: Pick<RunKeys, 'report'>,
): Promise<CaseReport | undefined> => usableJson(store, report, CaseReport);

/**
 * The report of a case that is done, on a laptop and at a site alike: made by this very run, compared
 * with this very label (or with none, where none is given) by a version that measured all that an
 * evaluation needs, and with its mask beside it. Of a case that failed there is none.
 */
export async function finishedReport(
  store: ReportStore,
  keys: Pick<RunKeys, 'report' | 'mask'>,
  runId: string,
  labelVersion: string | undefined,
): Promise<SegmentedReport | undefined> {
  const report = await readReport(store, keys);
  if (report?.status !== 'segmented' || report.runId !== runId) return undefined;
  if (!isComparedWith(report, labelVersion)) return undefined;
  return (await store.stat(keys.mask)) ? report : undefined;
}

/** A label that cannot be used is not tried again; another version of it is. */
export function isComparedWith(report: SegmentedReport, labelVersion: string | undefined): boolean {
  const { comparison } = report;
  if ((report.labelVersion ?? comparison?.labelVersion) !== labelVersion) return false;
  if (!comparison) return true;
  // Older reports lack them: without voxel counts a slice's liver cannot be told from its absence.
  return comparison.panel.sliceVoxels !== undefined && comparison.paper !== undefined;
}
