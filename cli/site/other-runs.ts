import * as z from 'zod';
import type { S3Store } from '../../adapters/s3-store.ts';
import { BundleDisplay, targetOf } from '../../core/contract/bundle.ts';
import { RUN_ID } from '../../core/contract/hex.ts';
import { runKeys } from '../../core/contract/keys.ts';
import { SegmentedReport } from '../../core/contract/report.ts';
import { ConfigError } from '../../core/errors.ts';
import { byText } from '../../core/evaluation/patients.ts';
import { usableJson } from '../../core/json.ts';
import { cloudKeys } from '../../site/contract/keys.ts';

/** What tells whether two runs are of one scan and one organ, and apart from each other. */
const ComparableReport = z.object({
  ...SegmentedReport.pick({ status: true, createdAt: true, inputSha256: true }).shape,
  bundle: z.object(BundleDisplay.pick({ name: true, digest: true, target: true }).shape),
});
type ComparableReport = z.infer<typeof ComparableReport>;

/** A run whose mask can be laid over that of another. */
export interface OtherRun {
  /** Key of its mask. */
  readonly mask: string;
  /** `liver-sammix 01234567, 2026-01-02`: bundle and day. */
  readonly name: string;
}

/** `--other all`: as many as a reader chooses from, the newest. */
const ALL_RUNS = 'all';
const MOST_OTHERS = 4;

/**
 * Further runs of the very scan of a run, for the same target: of bundles before and of candidates, which an
 * evaluation leaves beside the one that is shown. A later upload under the same name is another scan.
 *
 * @param prefix of the run that is shown
 * @param wanted `all`, or ids of runs
 */
export async function otherRuns(
  store: S3Store,
  shown: { readonly dataset: string; readonly caseId: string; readonly prefix: string },
  wanted: readonly string[],
): Promise<OtherRun[]> {
  const own = await usableJson(store, runKeys(shown.prefix).report, ComparableReport);
  if (wanted.length === 0 || !own) return [];
  const found: (OtherRun & { readonly createdAt: string })[] = [];
  for (const runId of await runsOf(store, shown)) {
    if (!wanted.includes(ALL_RUNS) && !wanted.includes(runId)) continue;
    const prefix = cloudKeys.runPrefix(shown.dataset, shown.caseId, runId);
    if (prefix === shown.prefix) continue;
    const { report, mask } = runKeys(prefix);
    const other = await usableJson(store, report, ComparableReport);
    if (other && isComparable(own, other) && (await store.stat(mask)))
      found.push({ mask, name: nameOf(other), createdAt: other.createdAt });
  }
  return found.sort((a, b) => byText(b.createdAt, a.createdAt)).slice(0, MOST_OTHERS);
}

const isComparable = (own: ComparableReport, other: ComparableReport): boolean =>
  other.inputSha256 === own.inputSha256 && targetOf(other.bundle) === targetOf(own.bundle);

const nameOf = ({ bundle, createdAt }: ComparableReport): string =>
  `${bundle.name} ${bundle.digest.slice(0, 8)}, ${createdAt.slice(0, 10)}`;

/** All runs that left a report. */
async function runsOf(
  store: S3Store,
  { dataset, caseId }: { readonly dataset: string; readonly caseId: string },
): Promise<string[]> {
  const below = `${cloudKeys.case(dataset, caseId)}/`;
  const runs: string[] = [];
  for await (const { key } of store.list(below)) {
    const [runId = '', file] = key.slice(below.length).split('/');
    if (file === 'report.json' && RUN_ID.test(runId)) runs.push(runId);
  }
  return runs;
}

/** @throws ConfigError where nothing that was wanted is there */
export function refuseWithoutOthers(
  wanted: readonly string[],
  cases: readonly { readonly others?: readonly unknown[] | undefined }[],
): void {
  if (wanted.length === 0 || cases.some(({ others }) => others && others.length > 0)) return;
  throw new ConfigError({
    code: 'no-other-run',
    subject: `--other ${wanted.join(', ')}`,
    expected: `"${ALL_RUNS}", or the id of another run of the same scan and target`,
    found: 'no such run of any of the cases',
    remedy:
      'A run of another bundle comes from an evaluation with it ("sammix site evaluate"); folders below cases/<dataset>/<case>/ are called by their runs.',
  });
}
