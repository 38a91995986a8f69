import { runKeys, targetFolder } from '../core/contract/keys.ts';
import { LABEL_MAP_FILE, type LabelMap, type TargetOfCase } from '../core/contract/targets.ts';
import { ConfigError } from '../core/errors.ts';
import { joinTargets, readTargets } from '../core/stage/join-targets.ts';
import { writeLabelMap } from '../core/stage/label-map.ts';
import { isToBeSplit } from '../core/stage/run-case.ts';
import type { SplitTarget } from '../core/stage/split.ts';
import { bundleFolder } from './bundle-folder.ts';
import type { LabelCase } from './cases.ts';
import {
  closeRun,
  identify,
  keysOf,
  type LocalOutcome,
  type LocalRun,
  labelOf,
  type ModelOptions,
  openRun,
  planRun,
  type RunToBe,
  runLocally,
} from './local.ts';
import type { Progress } from './progress.ts';
import type { RunOptions } from './run.ts';

/** How a case ended, or one target of it. */
export interface TargetOutcome extends LocalOutcome {
  /** Where the run has several; and their folder in that of the case. */
  readonly target?: string;
  readonly folder?: string;
}

/**
 * Opens a run for each bundle that was named, the default one where none was; `closeRun` must follow for
 * each of them.
 *
 * @throws ConfigError where two of them have the same target, or a label map is wanted of one target
 */
export async function openRuns(options: RunOptions, progress: Progress): Promise<LocalRun[]> {
  const bundles = bundlesOf(options);
  refuseOptions(options, bundles);
  const runs: LocalRun[] = [];
  try {
    for (const given of bundles)
      runs.push(await openRun(await optionsOf(options, given), progress));
    return runs.length === 1 ? runs : inFolders(runs, bundles);
  } catch (error) {
    for (const run of runs) await closeRun(run);
    throw error;
  }
}

/** The runs as they would be, without their graphs. */
export async function planRuns(options: RunOptions): Promise<RunToBe[]> {
  const bundles = bundlesOf(options);
  refuseOptions(options, bundles);
  const runs: RunToBe[] = [];
  for (const given of bundles) runs.push(await planRun(await optionsOf(options, given)));
  return runs.length === 1 ? runs : inFolders(runs, bundles);
}

const optionsOf = async (
  { bundle: _, ...options }: RunOptions,
  given: string | undefined,
): Promise<ModelOptions> => ({
  ...options,
  ...(given !== undefined && { bundle: await bundleFolder(given) }),
});

/** As named; one undefined for the default bundle where none was. */
const bundlesOf = ({ bundle }: Pick<RunOptions, 'bundle'>): (string | undefined)[] =>
  bundle === undefined ? [undefined] : [bundle].flat();

/** Every target's results lie in a folder of its own in that of the case. */
function inFolders<Run extends Pick<LocalRun, 'bundle'>>(
  runs: readonly Run[],
  named: readonly (string | undefined)[],
): (Run & { readonly folder: string })[] {
  const seen = new Map<string, string | undefined>();
  return runs.map((run, at) => {
    const target = run.bundle.manifest.target.name;
    const folder = targetFolder(target);
    if (seen.has(folder)) throw sameTarget(target, seen.get(folder), named[at]);
    seen.set(folder, named[at]);
    return { ...run, folder };
  });
}

function refuseOptions(
  { labelMap, labelValue, labelName }: RunOptions,
  bundles: readonly unknown[],
): void {
  if (bundles.length === 1 && labelMap)
    throw new ConfigError({
      code: 'label-map-of-one',
      subject: '--label-map',
      expected: 'several bundles, each of another target',
      found: 'one',
      remedy: 'Leave it out: of one target mask.nii.gz is the label map.',
    });
  if (bundles.length > 1 && (labelValue ?? labelName))
    throw new ConfigError({
      code: 'label-of-several',
      subject: labelValue ? '--label-value' : '--label-name',
      expected: 'one target',
      found: `${bundles.length} bundles, and one class cannot be all of their targets`,
      remedy:
        "Leave it out: classes are found by the targets' names in the dataset.json beside the labels.",
    });
}

/**
 * A folder has the results of one target in a case's own folder, or those of several in folders below.
 * What lies there may have been corrected by hand: it is not moved, and not written over. Only one target
 * has a mask beside its report: reports are read where a case has none, which is where all has failed.
 *
 * @throws ConfigError where a case has results of the other kind
 */
export async function refuseOtherLayout(
  runs: readonly LocalRun[],
  cases: readonly LabelCase[],
): Promise<void> {
  const { store } = runs[0]!;
  for (const { caseId } of cases) {
    const single = (await store.stat(runKeys(caseId).mask)) !== undefined;
    if (runs.length > 1 && single) throw otherLayout(store.root, caseId, 'one target');
    if (runs.length === 1 && !single && (await readTargets(store, caseId)) !== undefined)
      throw otherLayout(store.root, caseId, 'several targets');
  }
}

/** All targets of a case, each as it would be alone; the image is read once for all their slices. */
export async function runTargets(
  runs: readonly LocalRun[],
  input: LabelCase,
  labelMap: boolean,
): Promise<TargetOutcome[]> {
  const { caseId, label } = input;
  if (runs.length === 1) return [await runLocally(runs[0]!, input, label)];
  const split = new Set<LocalRun>();
  const outcomes: (TargetOutcome & { readonly target: string; readonly folder: string })[] = [];
  for (const [at, run] of runs.entries()) {
    const also = async (): Promise<SplitTarget[]> => {
      const later: SplitTarget[] = [];
      for (const other of runs.slice(at + 1)) {
        const target = split.has(other) ? undefined : await splitTarget(other, input);
        if (!target) continue;
        later.push(target);
        split.add(other);
      }
      return later;
    };
    const outcome = await runLocally(run, input, label, { also, alreadySplit: split.has(run) });
    outcomes.push({ ...outcome, target: run.bundle.manifest.target.name, folder: run.folder! });
  }
  await join(runs[0]!, caseId, outcomes, labelMap);
  return outcomes;
}

/** Undefined where the run is done or split already. */
async function splitTarget(run: LocalRun, input: LabelCase): Promise<SplitTarget | undefined> {
  const { store, force, keepEdited, bundle } = run;
  const identity = await identify(run, input);
  const keys = keysOf(run, input.caseId);
  const labelVersion = (await labelOf(run, input.label))?.version;
  const needed = await isToBeSplit(
    { keys, run: identity, labelVersion },
    { store, force, keepEdited, exclusive: true },
  );
  return needed ? { run: identity, keys, bundle: bundle.manifest } : undefined;
}

async function join(
  { store }: LocalRun,
  caseId: string,
  outcomes: readonly (TargetOutcome & TargetOfCase)[],
  labelMap: boolean,
): Promise<void> {
  const targets = outcomes.map(({ target, folder, report }) => ({ target, folder, report }));
  const map = await currentLabelMap({ store }, caseId, outcomes, labelMap);
  await joinTargets(caseId, { targets, labelMap: map }, store);
}

/** As it lies there where no mask has changed; made where it is wanted; of other masks it is removed. */
async function currentLabelMap(
  { store }: Pick<LocalRun, 'store'>,
  caseId: string,
  outcomes: readonly (TargetOutcome & TargetOfCase)[],
  wanted: boolean,
): Promise<LabelMap | undefined> {
  const key = `${caseId}/${LABEL_MAP_FILE}`;
  const earlier = (await readTargets(store, caseId))?.labelMap;
  const same =
    earlier?.classes.map(({ target }) => target).join() ===
    outcomes.map(({ target }) => target).join();
  const kept = outcomes.every(({ resumed }) => resumed) && same && (await store.stat(key));
  if (kept) return earlier;
  const masks = outcomes.map(({ target, folder, report }) => ({
    target,
    key: report.status === 'segmented' ? runKeys(`${caseId}/${folder}`).mask : undefined,
  }));
  if (wanted && masks.some((mask) => mask.key !== undefined))
    return writeLabelMap(masks, store, { store, key });
  await store.remove(key);
  return undefined;
}

const sameTarget = (
  target: string,
  first: string | undefined,
  second: string | undefined,
): ConfigError =>
  new ConfigError({
    code: 'same-target',
    subject: `--bundle ${second}`,
    expected: 'a bundle of another target',
    found: `${target}, which is the target of --bundle ${first} too`,
    remedy: 'Name one of the two, or give each its own --out to compare them.',
  });

const otherLayout = (out: string, caseId: string, found: string): ConfigError =>
  new ConfigError({
    code: 'other-targets',
    subject: `${out}/${caseId}`,
    expected: `results of ${found === 'one target' ? 'several targets' : 'one target'}, or none`,
    found: `those of ${found}`,
    remedy: 'Name another --out: results, which may have been corrected by hand, are not mixed.',
  });
