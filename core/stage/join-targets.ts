import { runKeys } from '../contract/keys.ts';
import { type LabelMap, type TargetOfCase, TargetsReport } from '../contract/targets.ts';
import { isSameName } from '../dataset/class-names.ts';
import { toJsonBytes, usableJson } from '../json.ts';
import { liverToSpleen } from '../measure/liver-to-spleen.ts';
import type { BlobStore } from '../ports.ts';

/** The joined report of a case; undefined where there is none, or that of a single target. */
export const readTargets = (
  store: Pick<BlobStore, 'get'>,
  caseId: string,
): Promise<TargetsReport | undefined> => usableJson(store, runKeys(caseId).report, TargetsReport);

/**
 * Where the results of one target lie: in the case's own folder where it has no other, else in that
 * target's; undefined where the case has several and not this one.
 */
export async function folderOfTarget(
  store: Pick<BlobStore, 'get'>,
  caseId: string,
  target: string,
): Promise<string | undefined> {
  const joined = await readTargets(store, caseId);
  if (!joined) return caseId;
  const found = joined.targets.find((one) => isSameName(one.target, target));
  return found && `${caseId}/${found.folder}`;
}

export interface JoinedTargets {
  readonly targets: readonly TargetOfCase[];
  /** Those that have not ended yet. */
  readonly pending?: readonly string[];
  readonly labelMap?: LabelMap | undefined;
}

/**
 * Writes `report.json` and `report.html` of a case whose targets are done, each in its own folder. Both
 * are made of what lies in those folders, so that they can be made again at any time.
 */
export async function joinTargets(
  caseId: string,
  { targets, pending = [], labelMap }: JoinedTargets,
  store: BlobStore,
): Promise<TargetsReport> {
  const keys = runKeys(caseId);
  const measures = targets.flatMap(({ report }) =>
    report.status === 'segmented' ? (report.measures ?? []) : [],
  );
  const ratio = liverToSpleen(measures);
  const joined: TargetsReport = {
    schemaVersion: 1,
    status: 'several-targets',
    caseId,
    targets: [...targets],
    ...(pending.length > 0 && { pending: [...pending] }),
    ...(labelMap && { labelMap }),
    ...(ratio && { liverToSpleen: ratio }),
  };
  const { renderTargetsReport } = await import('../report/targets-page.ts');
  const pictures = await Promise.all(
    targets.map(async ({ folder }) => {
      const { overlay } = runKeys(`${caseId}/${folder}`);
      return (await store.stat(overlay)) ? store.get(overlay) : null;
    }),
  );
  const page = renderTargetsReport(joined, pictures);
  await store.put(keys.reportHtml, Buffer.from(page), 'text/html');
  // Last, as everywhere: a case with a report is done.
  await store.put(keys.report, toJsonBytes(joined), 'application/json');
  return joined;
}
