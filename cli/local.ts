import { availableParallelism } from 'node:os';
import { DirStore } from '../adapters/dir-store.ts';
import type { Runtime } from '../adapters/onnx.ts';
import { openRuntimeInThread } from '../adapters/onnx-thread.ts';
import { peakMemoryMiB, provenance } from '../adapters/provenance.ts';
import { WriteBehindStore } from '../adapters/write-behind.ts';
import { type RunKeys, runId, runKeys } from '../core/contract/keys.ts';
import {
  type InputIdentity,
  type Parameters,
  parametersOf,
  type RunIdentity,
} from '../core/contract/manifest.ts';
import type { CaseReport } from '../core/contract/report.ts';
import {
  BundleError,
  DEFECT,
  DefectError,
  InputError,
  type SammixError,
  StorageError,
} from '../core/errors.ts';
import type { LabelInput } from '../core/stage/compare.ts';
import { finishedReport } from '../core/stage/finished-report.ts';
import { type OpenBundle, openBundle } from '../core/stage/open-bundle.ts';
import { type CaseOutcome, type CaseToRun, runCase } from '../core/stage/run-case.ts';
import type { SplitTarget } from '../core/stage/split.ts';
import { imageName, imageVersion, openImage } from './case-image.ts';
import type { CaseLabel } from './cases.ts';
import { DEFAULT_BUNDLE, type Device, PROVIDERS } from './command.ts';
import { writeSegmentation } from './dicom-seg.ts';
import { isWithin, sha256Of } from './files.ts';
import type { CaseInput } from './inputs.ts';
import { type Progress, printDefect } from './progress.ts';
import { slabQueue } from './slab-queue.ts';
import { recordSources } from './sources.ts';

/** How a command that runs the model on this machine was called. */
export interface ModelOptions {
  readonly out: string;
  readonly bundle?: string;
  readonly threads?: number;
  readonly device?: Device;
  readonly slicesPerJob: number;
  readonly postprocess: boolean;
  readonly force: boolean;
  /** Voxels above this probability are drawn; without it the bundle's own threshold decides. */
  readonly threshold?: number;
  /** Also write probability.nii.gz. */
  readonly probability?: boolean;
  /** Masks and reports keep the free text of the input's header. */
  readonly headerText?: boolean;
  /** False has the model draw again what a person has corrected: an evaluation is of the model. */
  readonly keepEdited?: boolean;
  /** False leaves the DICOM-SEG out of cases that came from DICOM. */
  readonly dicomSeg?: boolean;
}

/** What the cases of one command share: the models are opened once. */
export interface LocalRun {
  readonly store: DirStore;
  readonly bundle: OpenBundle;
  /** A promise while the graphs are still being loaded. */
  readonly runtime: Runtime | Promise<Runtime>;
  readonly parameters: Parameters;
  readonly slicesPerSlab: number;
  readonly force: boolean;
  readonly dicomSeg?: boolean;
  /** Measure masks that a person has corrected, instead of drawing them again. */
  readonly keepEdited: boolean;
  readonly progress: Progress;
  /** The folder of its results in that of a case; undefined where a case has one target. */
  readonly folder?: string;
}

/** What the other targets of a case have to do with one of them. */
export interface Beside {
  /** Runs that are to be split in the same reading. */
  readonly also: () => Promise<readonly SplitTarget[]>;
  /** The run was in another's `also`. */
  readonly alreadySplit: boolean;
}

export interface LocalOutcome {
  readonly report: CaseReport;
  /** True where an earlier run had done the same and nothing was computed. */
  readonly resumed: boolean;
  readonly seconds: number;
}

/** What decides whether a case is done already. */
export type RunToBe = Pick<LocalRun, 'store' | 'bundle' | 'parameters' | 'folder'>;

export const keysOf = ({ folder }: Pick<LocalRun, 'folder'>, caseId: string): RunKeys =>
  runKeys(folder === undefined ? caseId : `${caseId}/${folder}`);

/** The label of a case as its only target reads it, or as one of several. */
export const labelOf = (
  { bundle, folder }: Pick<LocalRun, 'bundle' | 'folder'>,
  label: CaseLabel | undefined,
): Promise<LabelInput | undefined> | undefined =>
  folder === undefined
    ? label?.read(bundle.manifest.target.name)
    : label?.readFor(bundle.manifest.target.name);

const openBundleOf = ({ bundle = DEFAULT_BUNDLE }: ModelOptions): Promise<OpenBundle> =>
  openBundle(new DirStore(bundle), bundle);

/** The run as it would be, without its graphs. */
export async function planRun(options: ModelOptions): Promise<RunToBe> {
  const bundle = await openBundleOf(options);
  return {
    store: new DirStore(options.out),
    bundle,
    parameters: parametersFor(bundle, options),
  };
}

/** Whether `runLocally` would keep what lies in the output folder. */
export async function isDone(
  run: RunToBe,
  input: CaseInput,
  label: CaseLabel | undefined,
): Promise<boolean> {
  const { runId: id } = await identify(run, input);
  const labelVersion = (await labelOf(run, label))?.version;
  const keys = keysOf(run, input.caseId);
  return (await finishedReport(run.store, keys, id, labelVersion, 'bytes')) !== undefined;
}

/** Opens the bundle and begins to load its graphs; `closeRun` must follow. */
export async function openRun(options: ModelOptions, progress: Progress): Promise<LocalRun> {
  const opening = openBundleOf(options);
  // Not awaited: the graphs are loaded while the first input is read.
  const runtime = openRuntimeInThread(opening, {
    threads: options.threads ?? availableParallelism(),
    providers: PROVIDERS[options.device ?? 'auto'],
  });
  runtime.catch(() => undefined);
  const bundle = await opening;
  return {
    store: new DirStore(options.out),
    bundle,
    runtime,
    parameters: parametersFor(bundle, options),
    slicesPerSlab: options.slicesPerJob,
    force: options.force,
    dicomSeg: options.dicomSeg ?? true,
    keepEdited: options.keepEdited ?? true,
    progress,
  };
}

const parametersFor = (
  { manifest }: OpenBundle,
  { postprocess, threshold, probability, headerText }: ModelOptions,
): Parameters => ({
  ...(postprocess ? parametersOf(manifest) : { largestComponent3d: false, fillHoles: false }),
  ...(threshold !== undefined && { maskProbability: threshold }),
  ...(probability && { probabilityMap: true }),
  ...(headerText && { headerText }),
});

/** A runtime that did not open has nothing to close, and whoever needed it has been told. */
export async function closeRun({ runtime }: LocalRun): Promise<void> {
  const opened = await Promise.resolve(runtime).catch(() => undefined);
  await opened?.close();
}

/**
 * Runs a case in the output folder. A case that fails ends in a failure report; only an output folder
 * that cannot be written and a bundle that does not load are thrown.
 */
export async function runLocally(
  run: LocalRun,
  input: CaseInput,
  label: CaseLabel | undefined,
  beside?: Beside,
): Promise<LocalOutcome> {
  const startedMs = performance.now();
  const left = await run.store.stat(keysOf(run, input.caseId).manifest);
  const first = await attempt(run, input, label, beside);
  // What an earlier run left may be damaged. It went with the failure: the case is done from its start.
  const last = left && mayBeOfLeftovers(first) ? await attempt(run, input, label) : first;
  if (last.defect !== undefined) printDefect(last.defect);
  const seconds = (performance.now() - startedMs) / 1000;
  return { report: last.report, resumed: last.state === 'kept', seconds };
}

/** How one attempt ended, with what was thrown where that is a defect of ours. */
type Attempt = Exclude<CaseOutcome, { readonly state: 'interrupted' }> & {
  readonly defect: unknown;
};

const LEFTOVER_FAULTS: readonly string[] = [DEFECT, 'blob-missing', 'slab-missing'];

const mayBeOfLeftovers = ({ report }: Attempt): boolean =>
  report.status === 'failed' && LEFTOVER_FAULTS.includes(report.fault.code);

async function attempt(
  run: LocalRun,
  input: CaseInput,
  label: CaseLabel | undefined,
  beside?: Beside,
): Promise<Attempt> {
  const store = new WriteBehindStore(run.store);
  const one = caseToRun(run, input, label, beside);
  let defect: unknown;
  try {
    // Only this process writes here: what an earlier one left half-written is of no more use.
    await run.store.sweep(one.keys.prefix, { deep: true });
    await recordSources(run.store, one.keys, input, label?.file ?? undefined);
    const outcome = await runCase(one, {
      store,
      unbufferedStore: run.store,
      bundle: async () => run.bundle,
      slabs: slabQueue(run, one, store),
      slicesPerSlab: run.slicesPerSlab,
      force: run.force,
      alreadySplit: beside?.alreadySplit ?? false,
      keepEdited: run.keepEdited,
      exclusive: true,
      endsTheRun: (error) => endsTheRun(run, error),
      onDefect: (error) => {
        defect = error;
        return new DefectError(input.caseId, error);
      },
      provenance,
      peakMemoryMiB,
    });
    if (outcome.state === 'interrupted') throw new Error('no local run stops its slabs');
    await store.flush();
    if (outcome.state !== 'failed' && run.dicomSeg)
      await writeSegmentation(run, one.keys, input, outcome.report, (error) =>
        endsTheRun(run, error),
      );
    return { ...outcome, defect };
  } finally {
    // Nothing may be written after the caller has been told how the case ended.
    await store.flush();
  }
}

/** Where the output cannot be written, or the bundle does not load, no case can be done. */
const endsTheRun = ({ store }: LocalRun, error: SammixError): boolean =>
  error instanceof BundleError ||
  (error instanceof StorageError &&
    !LEFTOVER_FAULTS.includes(error.code) &&
    isWithin(store.root, error.fault.subject));

/** Whether a case failed by a fault of ours. */
export const isDefect = (report: CaseReport): boolean =>
  report.status === 'failed' && report.fault.code === DEFECT;

const caseToRun = (
  run: LocalRun,
  input: CaseInput,
  label: CaseLabel | undefined,
  beside?: Beside,
): CaseToRun => ({
  caseId: input.caseId,
  inputName: imageName(input),
  keys: keysOf(run, input.caseId),
  identify: () => identify(run, input),
  label: async () => labelOf(run, label),
  ...(beside && { also: beside.also }),
  open: async ({ input: { version } }) => {
    const { imageSource, ...image } = await openImage(input);
    return {
      ...image,
      ...(imageSource && { pairedSource: imageSource }),
      inputSha256: sha256Of(version),
    };
  },
});

export async function identify(run: RunToBe, input: CaseInput): Promise<RunIdentity> {
  if (input.fault) throw new InputError(input.fault);
  const identity: InputIdentity = { name: imageName(input), ...(await imageVersion(input)) };
  return {
    runId: runId(identity, run.bundle.digest, run.parameters),
    caseId: input.caseId,
    input: identity,
    bundleDigest: run.bundle.digest,
    parameters: run.parameters,
  };
}
