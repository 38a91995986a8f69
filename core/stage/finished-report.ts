import { createHash } from 'node:crypto';
import type { RunKeys } from '../contract/keys.ts';
import { CaseReport, type SegmentedReport, type WrittenFile } from '../contract/report.ts';
import { usableJson } from '../json.ts';
import type { BlobStore } from '../ports.ts';

type ReportStore = Pick<BlobStore, 'stat' | 'get'>;

/** Undefined where there is none, or none that this version understands: the case is done again. */
export const readReport = (
  store: Pick<BlobStore, 'get'>,
  { report }: Pick<RunKeys, 'report'>,
): Promise<CaseReport | undefined> => usableJson(store, report, CaseReport);

/**
 * The report of a case that is done, on a laptop and at a site alike: `segmentedBefore`, and compared with
 * this very label (or with none, where none is given) by a version that measured all that an evaluation
 * needs.
 */
export async function finishedReport(
  store: ReportStore,
  keys: Pick<RunKeys, 'prefix' | 'report' | 'mask'>,
  runId: string,
  labelVersion: string | undefined,
  look: 'sizes' | 'bytes' = 'sizes',
): Promise<SegmentedReport | undefined> {
  const report = await segmentedBefore(store, keys, runId, look);
  return report && isComparedWith(report, labelVersion) ? report : undefined;
}

/**
 * The report of a case that this very run has segmented, whatever label it was compared with, all of its
 * files beside it as they were written. Of a case that failed there is none.
 *
 * @param look at the files' sizes, or at all of their bytes (where reading them costs nothing)
 */
export async function segmentedBefore(
  store: ReportStore,
  keys: Pick<RunKeys, 'prefix' | 'report' | 'mask'>,
  runId: string,
  look: 'sizes' | 'bytes' = 'sizes',
): Promise<SegmentedReport | undefined> {
  const report = await readReport(store, keys);
  if (report?.status !== 'segmented' || report.runId !== runId) return undefined;
  // Older reports do not say what was written.
  if (!report.outputs) return (await store.stat(keys.mask)) ? report : undefined;
  for (const written of report.outputs)
    if (!(await isWhole(store, `${keys.prefix}/${written.file}`, written, look))) return undefined;
  return report;
}

export async function isWhole(
  store: ReportStore,
  key: string,
  { bytes, sha256 }: WrittenFile,
  look: 'sizes' | 'bytes',
): Promise<boolean> {
  if ((await store.stat(key))?.bytes !== bytes) return false;
  return look === 'sizes' || writtenFile(key, await store.get(key)).sha256 === sha256;
}

/** What a report keeps of a file that lies beside it. */
export const writtenFile = (key: string, content: Uint8Array): WrittenFile => ({
  file: key.slice(key.lastIndexOf('/') + 1),
  bytes: content.byteLength,
  sha256: createHash('sha256').update(content).digest('hex'),
});

/** A label that cannot be used is not tried again; another version of it is. */
export function isComparedWith(report: SegmentedReport, labelVersion: string | undefined): boolean {
  const { comparison } = report;
  if ((report.labelVersion ?? comparison?.labelVersion) !== labelVersion) return false;
  if (!comparison) return true;
  // Older reports lack them: without voxel counts a slice's liver cannot be told from its absence.
  return comparison.panel.sliceVoxels !== undefined && comparison.paper !== undefined;
}
