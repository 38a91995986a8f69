import { outputKeys, type RunKeys } from '../contract/keys.ts';
import { type Backend, CaseManifest, type RunIdentity } from '../contract/manifest.ts';
import type { CaseReport, FailedReport, Provenance, SegmentedReport } from '../contract/report.ts';
import { SammixError } from '../errors.ts';
import { usableJson } from '../json.ts';
import type { BlobStore } from '../ports.ts';
import { assembleCase } from './assemble.ts';
import type { LabelInput } from './compare.ts';
import { isComparedWith, readReport, segmentedBefore } from './finished-report.ts';
import type { OpenBundle } from './open-bundle.ts';
import { failedReport, reportCase, reportFailure } from './report.ts';
import { editedBefore, reportAgain } from './report-again.ts';
import type { SlabQueue } from './slab-queue.ts';
import { type SplitInput, type SplitTarget, splitCase } from './split.ts';

/** What a case needs to be run: who it is, where its bytes are, and where its results go. */
export interface CaseToRun {
  readonly caseId: string;
  /** Names the image in a failure report. */
  readonly inputName: string;
  readonly keys: RunKeys;
  /** May read the whole image, whose content can be its version, and so may fail as any stage. */
  identify(): Promise<RunIdentity>;
  label(): Promise<LabelInput | undefined>;
  /** Opens the image of the identified version. */
  open(
    run: RunIdentity,
  ): Promise<
    Pick<SplitInput, 'source' | 'pairedSource' | 'fileBytes' | 'inputSha256' | 'sourceProblems'>
  >;
  /** Other bundles' runs of the same image that are to be split too: one reading serves all. */
  also?(): Promise<readonly SplitTarget[]>;
}

export interface RunCasePorts {
  readonly store: BlobStore;
  /** For split, which uses its buffers again: here an object is written when `put` says so. */
  readonly unbufferedStore: BlobStore;
  readonly bundle: () => Promise<Pick<OpenBundle, 'manifest' | 'digest'>>;
  readonly slabs: SlabQueue;
  readonly slicesPerSlab: number;
  /** Do the case again even where it is done. */
  readonly force: boolean;
  /** True where this command has split the run already, beside another: `force` does not split it again. */
  readonly alreadySplit?: boolean;
  /** Measure a mask that a person has corrected, instead of drawing it again; else it is drawn again. */
  readonly keepEdited?: boolean;
  /**
   * True where nobody else works under these keys: what can be made again is removed at the end, and so
   * is all that a failed attempt or another run has left. At a site the keys are this run's alone, but
   * an upload's own run and an evaluation may both be working there.
   */
  readonly exclusive: boolean;
  /** What another case may not have either (a bundle that does not load, a full disk): it is thrown. */
  readonly endsTheRun: (error: SammixError) => boolean;
  /** Makes a defect of ours the case's own failure; where it is left out, defects are thrown. */
  readonly onDefect?: (error: unknown) => SammixError;
  readonly provenance: (backend: Backend | null) => Provenance;
  readonly peakMemoryMiB: () => number | null;
}

export type CaseOutcome =
  | { readonly state: 'kept' | 'reported'; readonly report: SegmentedReport }
  | { readonly state: 'failed'; readonly report: FailedReport }
  /** The machine is being taken away; finished slabs are there for the next attempt. */
  | { readonly state: 'interrupted' };

/**
 * The four stages of one case, in their order: split, segment, assemble, report. This is the only place
 * where that order stands. A case that is done is kept; one that fails ends in a failure report.
 */
export async function runCase(input: CaseToRun, ports: RunCasePorts): Promise<CaseOutcome> {
  const attempt: Attempt = { stage: 'preflight', run: undefined };
  try {
    return await runStages(input, ports, attempt);
  } catch (error) {
    // What is being made must not come back after the outputs were removed.
    await ports.slabs.stop();
    const fault = error instanceof SammixError ? error : ports.onDefect?.(error);
    if (fault === undefined || ports.endsTheRun(fault)) throw error;
    return await fail(fault, input, ports, attempt);
  }
}

/** How far an attempt has come. */
interface Attempt {
  stage: FailedReport['stage'];
  run: RunIdentity | undefined;
}

async function runStages(
  input: CaseToRun,
  ports: RunCasePorts,
  attempt: Attempt,
): Promise<CaseOutcome> {
  const { keys } = input;
  const { store, slabs } = ports;
  const run = await input.identify();
  attempt.run = run;
  const label = await input.label();
  const before = await doneBefore(keys, run.runId, label?.version, ports);
  if (before.kept) {
    // Whoever wrote the report may have been stopped before its work was removed.
    if (ports.exclusive) await removeWork(store, keys);
    return { state: 'kept', report: before.kept };
  }
  if (before.standing) {
    attempt.stage = 'report';
    const { standing, edited } = before;
    return reportStanding({ standing, edited, label, run }, input, ports);
  }

  attempt.stage = 'split';
  const manifest = await split(run, input, ports);
  attempt.stage = 'segment';
  if ((await slabs.done()) === 'interrupted') return { state: 'interrupted' };
  attempt.stage = 'assemble';
  const earlier = await readReport(store, keys);
  if (ports.exclusive && earlier?.runId !== run.runId) await removeOutputs(store, keys);
  const assembled = await assembleCase({ manifest, keys }, { store });
  attempt.stage = 'report';
  const report = await reportCase(
    {
      manifest,
      assembled,
      bundle: await ports.bundle(),
      keys,
      label,
      openImage: () => input.open(run),
      provenance: ports.provenance(assembled.backend),
      peakMemoryMiB: ports.peakMemoryMiB(),
      ...accountOf(earlier),
    },
    { store },
  );
  if (ports.exclusive) await removeWork(store, keys);
  return { state: 'reported', report };
}

/** What an earlier attempt has left of a run. */
interface DoneBefore {
  /** All is done, with this very label. */
  readonly kept?: SegmentedReport;
  /** The mask stands; what is said of it is not up to date. */
  readonly standing?: SegmentedReport;
  /** A person has changed that mask. */
  readonly edited: boolean;
}

type DonePorts = Pick<RunCasePorts, 'store' | 'exclusive' | 'force' | 'keepEdited'>;

async function doneBefore(
  keys: RunKeys,
  runId: string,
  labelVersion: string | undefined,
  { store, exclusive, force, keepEdited }: DonePorts,
): Promise<DoneBefore> {
  if (force) return { edited: false };
  const look = exclusive ? 'bytes' : 'sizes';
  const done = await segmentedBefore(store, keys, runId, look);
  const isTheModels = !done?.maskEdited || keepEdited;
  if (done && isTheModels && isComparedWith(done, labelVersion))
    return { kept: done, edited: false };
  // At a site another run may be at work here, and nobody edits what lies there.
  if (!exclusive) return { edited: false };
  const edited = done || !keepEdited ? undefined : await editedBefore(store, keys, runId);
  const standing = (isTheModels ? done : undefined) ?? edited;
  return { ...(standing && { standing }), edited: edited !== undefined };
}

/** Whether `runCase` would read the image for its slices: the run is not done, nor split already. */
export async function isToBeSplit(
  {
    keys,
    run,
    labelVersion,
  }: { keys: RunKeys; run: RunIdentity; labelVersion: string | undefined },
  ports: DonePorts,
): Promise<boolean> {
  const before = await doneBefore(keys, run.runId, labelVersion, ports);
  if (before.kept) return false;
  return (await splitBefore(run, keys, ports)) === undefined;
}

interface Standing {
  readonly standing: SegmentedReport;
  readonly edited: boolean;
  readonly label: LabelInput | undefined;
  readonly run: RunIdentity;
}

async function reportStanding(
  { standing: done, edited, label, run }: Standing,
  input: CaseToRun,
  ports: RunCasePorts,
): Promise<CaseOutcome> {
  const { keys } = input;
  const { store } = ports;
  const bundle = await ports.bundle();
  const manifest = (await splitBefore(run, keys, ports)) ?? (await splitNow(run, input, ports));
  const openImage = () => input.open(run);
  const report = await reportAgain(
    { done, edited, label, manifest, keys, bundle, openImage },
    { store },
  );
  await removeWork(store, keys);
  return { state: 'reported', report };
}

/** Goes on from the slabs of an earlier attempt of the same run; queues every slab. */
async function split(
  run: RunIdentity,
  input: CaseToRun,
  ports: RunCasePorts,
): Promise<CaseManifest> {
  const { slabs } = ports;
  const left = await splitBefore(run, input.keys, ports);
  if (!left) return splitNow(run, input, ports, (known, index) => slabs.add(known, index));
  for (const { index } of left.slabs) slabs.add(left, index);
  return left;
}

/** By an earlier attempt of the same run, or while another bundle's run was split. */
async function splitBefore(
  { runId }: RunIdentity,
  keys: RunKeys,
  { store, force, alreadySplit }: Pick<RunCasePorts, 'store' | 'force' | 'alreadySplit'>,
): Promise<CaseManifest | undefined> {
  if (force && !alreadySplit) return undefined;
  const left = await usableJson(store, keys.manifest, CaseManifest);
  return left?.run.runId === runId ? left : undefined;
}

async function splitNow(
  run: RunIdentity,
  input: CaseToRun,
  { store, unbufferedStore, bundle, slicesPerSlab, exclusive }: RunCasePorts,
  onSlab?: SplitTarget['onSlab'],
): Promise<CaseManifest> {
  const { keys } = input;
  const also = (await input.also?.()) ?? [];
  if (exclusive) for (const one of [{ keys }, ...also]) await removeWork(store, one.keys);
  return splitCase(
    {
      run,
      ...(await input.open(run)),
      bundle: (await bundle()).manifest,
      keys,
      slicesPerSlab,
      ...(onSlab && { onSlab }),
      also,
    },
    { store: unbufferedStore },
  );
}

/** What only the upload's own run knows of itself: its trace, and what its jobs cost. */
function accountOf(earlier: CaseReport | undefined) {
  if (earlier?.status !== 'segmented') return {};
  const { cost, traceId, machines } = earlier;
  return { ...(cost && { cost }), ...(traceId && { traceId }), ...(machines && { machines }) };
}

/**
 * A mask that the same run has finished before stays, whatever this attempt met; anything else must not
 * stand beside the report of a failure.
 */
async function fail(
  error: SammixError,
  { caseId, inputName, keys }: CaseToRun,
  { store, exclusive, provenance }: RunCasePorts,
  { stage, run }: Attempt,
): Promise<CaseOutcome> {
  const runId = run?.runId ?? null;
  const failure = { keys, caseId, runId, inputName, stage, error, provenance: provenance(null) };
  if (exclusive) await removeWork(store, keys);
  const standing = await readReport(store, keys);
  if (standing?.status === 'segmented' && standing.runId === runId)
    return { state: 'failed', report: failedReport(failure) };
  if (exclusive) {
    await removeOutputs(store, keys);
    await store.remove(keys.sources);
  }
  return { state: 'failed', report: await reportFailure(failure, { store }) };
}

async function removeWork(store: BlobStore, keys: RunKeys): Promise<void> {
  for await (const { key } of store.list(keys.work)) await store.remove(key);
}

/** The report goes first, so that no report stands for what is being removed. */
async function removeOutputs(store: BlobStore, keys: RunKeys): Promise<void> {
  const { report, probability, dicomSeg } = keys;
  for (const key of [report, ...outputKeys(keys), probability, dicomSeg]) await store.remove(key);
}
