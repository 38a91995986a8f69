import type { S3Store } from '../adapters/s3-store.ts';
import type { CaseReport } from '../core/contract/report.ts';
import type { TargetOfCase } from '../core/contract/targets.ts';
import { byText } from '../core/evaluation/patients.ts';
import { getJson } from '../core/json.ts';
import { readReport } from '../core/stage/finished-report.ts';
import { joinTargets } from '../core/stage/join-targets.ts';
import { casesBelow, cloudKeys, cloudRunKeys, parseLatest } from './contract/keys.ts';
import { LatestPointer, type RunRecord } from './contract/runs.ts';
import { movePointer } from './records.ts';
import { readLatest } from './runs.ts';
import { rowOfReport } from './summary.ts';

/** Which runs are a case's newest, and the report of them all where a site has several targets. */

/** Points to a run that has ended, for its target, and writes the case's joined report where it is one of several. */
export async function pointLatest(
  store: S3Store,
  record: RunRecord,
  report: CaseReport,
): Promise<void> {
  const { dataset, caseId, runId, uploadedAt, target, targets, input } = record;
  const name = target ?? targets?.[0];
  const pointer: LatestPointer = {
    schemaVersion: 1,
    runId,
    prefix: cloudRunKeys(dataset, caseId, runId).prefix,
    status: report.status,
    uploadedAt,
    ...rowOfReport(report, name),
    ...(targets && { of: { target: name!, targets, inputVersion: input.version } }),
  };
  await movePointer(store, cloudKeys.latest(dataset, caseId, target), LatestPointer, pointer);
  if (targets) await joinNewest(store, { dataset, caseId, targets });
}

/** What there is of a case's newest upload. */
export interface NewestRuns {
  /** In the order of the site file; one without `of` where the upload had one target. */
  readonly ended: readonly LatestPointer[];
  /** Targets that have not ended yet. */
  readonly pending: readonly string[];
}

/** Of pointers to a case's runs: those of the newest version of its image, since no report may show two. */
function ofNewestUpload(pointers: readonly LatestPointer[]): NewestRuns {
  const [newest] = [...pointers].sort((a, b) => byText(b.uploadedAt, a.uploadedAt));
  if (!newest?.of) return { ended: newest ? [newest] : [], pending: [] };
  const { inputVersion, targets } = newest.of;
  const found = targets.map((target) =>
    pointers.find(({ of }) => of?.target === target && of.inputVersion === inputVersion),
  );
  return {
    ended: found.filter((pointer) => pointer !== undefined),
    pending: targets.filter((_, at) => found[at] === undefined),
  };
}

/** The newest results of a dataset's cases, or of one of them, as a listing has them. */
export async function* newestOfCases(
  store: S3Store,
  dataset: string,
  caseId?: string,
): AsyncGenerator<NewestRuns & { readonly caseId: string }> {
  let [of, pointers]: [string | undefined, LatestPointer[]] = [undefined, []];
  const below = caseId === undefined ? casesBelow(dataset) : `${cloudKeys.case(dataset, caseId)}/`;
  for await (const { key } of store.list(below)) {
    const at = parseLatest(key);
    if (!at) continue;
    if (of !== undefined && at.caseId !== of) {
      yield { caseId: of, ...ofNewestUpload(pointers) };
      pointers = [];
    }
    of = at.caseId;
    pointers.push(await getJson(store, key, LatestPointer));
  }
  if (of !== undefined) yield { caseId: of, ...ofNewestUpload(pointers) };
}

interface SeveralTargets extends Pick<RunRecord, 'dataset' | 'caseId'> {
  readonly targets: readonly string[];
}

/**
 * Several runs of a case may end at once. Each has written its pointer before it looks, and looks again
 * after it has written: whoever writes last has seen them all.
 */
async function joinNewest(store: S3Store, several: SeveralTargets): Promise<void> {
  const { dataset, caseId } = several;
  for (let written: string | undefined; ; ) {
    const { ended, pending } = ofNewestUpload(await pointersOf(store, several));
    const found = await Promise.all(ended.map((pointer) => targetOfCase(store, pointer)));
    const targets = found.filter((one) => one !== undefined);
    const seen = JSON.stringify(targets.map(({ folder, report }) => [folder, report.createdAt]));
    if (targets.length === 0 || seen === written) return;
    await joinTargets(caseId, { targets, pending }, store.below(casesBelow(dataset)));
    written = seen;
  }
}

async function pointersOf(
  store: S3Store,
  { dataset, caseId, targets: [, ...further] }: SeveralTargets,
): Promise<LatestPointer[]> {
  const found = await Promise.all(
    [undefined, ...further].map((target) => readLatest(store, dataset, caseId, target)),
  );
  return found.filter((pointer) => pointer !== undefined);
}

/** Undefined for a run of an upload with one target, whose own report says it all. */
async function targetOfCase(
  store: S3Store,
  { of, runId, prefix }: LatestPointer,
): Promise<TargetOfCase | undefined> {
  const report = of && (await readReport(store, { report: `${prefix}/report.json` }));
  return report && { target: of.target, folder: runId, report };
}
