import { createHash } from 'node:crypto';
import path from 'node:path';
import type { DirStore } from '../adapters/dir-store.ts';
import type { Runtime } from '../adapters/onnx.ts';
import { peakMemoryMiB, provenance } from '../adapters/provenance.ts';
import { WriteBehindStore } from '../adapters/write-behind.ts';
import { type RunKeys, runId, runKeys } from '../core/contract/keys.ts';
import {
  CaseManifest,
  type InputIdentity,
  type Parameters,
  type RunIdentity,
} from '../core/contract/manifest.ts';
import { CaseReport, type FailedReport, type SegmentedReport } from '../core/contract/report.ts';
import { BundleError, SammixError, StorageError } from '../core/errors.ts';
import { assembleCase } from '../core/stage/assemble.ts';
import type { LabelInput } from '../core/stage/compare.ts';
import type { OpenBundle } from '../core/stage/open-bundle.ts';
import { reportCase, reportFailure } from '../core/stage/report.ts';
import { splitCase } from '../core/stage/split.ts';
import { fileVersion, readFile } from './files.ts';
import type { CaseInput } from './inputs.ts';
import type { Progress } from './progress.ts';
import { SlabQueue } from './slab-queue.ts';
import { recordSources } from './sources.ts';

/** What one `sammix run` shares between its cases: the models are opened once. */
export interface LocalRun {
  readonly store: DirStore;
  readonly bundle: OpenBundle;
  /** A promise while the graphs are still being loaded. */
  readonly runtime: Runtime | Promise<Runtime>;
  readonly parameters: Parameters;
  readonly slicesPerSlab: number;
  readonly force: boolean;
  readonly progress: Progress;
}

export interface CaseOutcome {
  readonly report: CaseReport;
  /** True where an earlier run had done the same and nothing was computed. */
  readonly resumed: boolean;
  readonly seconds: number;
}

/**
 * The same stages as the cloud's, one after the other, over a folder. A case that fails ends in a
 * failure report; only an output folder that cannot be written and a bundle that does not load stop
 * the run.
 */
export async function runCase(
  run: LocalRun,
  input: CaseInput,
  labelFile: string | undefined,
): Promise<CaseOutcome> {
  const startedMs = performance.now();
  const keys = runKeys(input.caseId);
  const outcome = (report: CaseReport, resumed = false): CaseOutcome => ({
    report,
    resumed,
    seconds: (performance.now() - startedMs) / 1000,
  });
  let stage: FailedReport['stage'] = 'preflight';
  let identity: RunIdentity | undefined;
  const store = new WriteBehindStore(run.store);
  const slabs = new SlabQueue(run, keys, store);
  try {
    identity = await identify(run, input);
    const label = labelFile === undefined ? undefined : await identifyLabel(labelFile);
    await recordSources(run.store, keys, input, labelFile);
    const finished = run.force ? undefined : await finishedReport(run, keys, identity, label);
    if (finished) return outcome(finished, true);
    stage = 'split';
    const manifest = await split(run, input, keys, identity, slabs);
    stage = 'segment';
    await slabs.done();
    stage = 'assemble';
    const assembled = await assembleCase({ manifest, keys }, { store });
    stage = 'report';
    const report = await reportCase(
      {
        manifest,
        assembled,
        bundle: run.bundle,
        keys,
        label,
        provenance: provenance(assembled.backend),
        peakMemoryMiB: peakMemoryMiB(),
      },
      { store },
    );
    await store.flush();
    await removeWork(run.store, keys);
    return outcome(report);
  } catch (error) {
    // What is being made and written must not come back after the outputs were removed.
    await slabs.stop();
    await store.flush().catch(() => undefined);
    if (!(error instanceof SammixError) || isOutputFault(run, error)) throw error;
    await removeOutputs(run.store, keys);
    // Of the model, which is loaded meanwhile: no case can be segmented.
    if (error instanceof BundleError) throw error;
    const failure = {
      keys,
      caseId: input.caseId,
      runId: identity?.runId ?? null,
      inputName: path.basename(input.image),
      stage,
      error,
      provenance: provenance(null),
    };
    return outcome(await reportFailure(failure, run));
  }
}

/** Where the output cannot be written no case can end in a report: the run stops. */
const isOutputFault = ({ store }: LocalRun, error: SammixError): boolean =>
  error instanceof StorageError && error.fault.subject.startsWith(store.root);

async function identify(run: LocalRun, input: CaseInput): Promise<RunIdentity> {
  const files = [input.image, ...(input.pairedImage ? [input.pairedImage] : [])];
  const hash = createHash('sha256');
  let bytes = 0;
  for (const file of files)
    for await (const chunk of readFile(file)) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
  const identity: InputIdentity = {
    name: path.basename(input.image),
    bytes,
    version: `${SHA256_VERSION}${hash.digest('hex')}`,
  };
  return {
    runId: runId(identity, run.bundle.digest, run.parameters),
    caseId: input.caseId,
    input: identity,
    bundleDigest: run.bundle.digest,
    parameters: run.parameters,
  };
}

const SHA256_VERSION = 'sha256:';

/** Of the files as `identify` read them. */
const sha256Of = ({ input }: RunIdentity): string => input.version.slice(SHA256_VERSION.length);

/** The version of a label is its size and time of change: it is small, and read only when used. */
async function identifyLabel(file: string): Promise<LabelInput> {
  return {
    name: path.basename(file),
    version: await fileVersion(file),
    open: () => readFile(file),
  };
}

/** The report of an equal run: same input, bundle, parameters and label. */
async function finishedReport(
  { store }: LocalRun,
  keys: RunKeys,
  identity: RunIdentity,
  label: LabelInput | undefined,
): Promise<SegmentedReport | undefined> {
  const parsed = CaseReport.safeParse(await readJson(store, keys.report));
  if (!parsed.success || parsed.data.status !== 'segmented') return undefined;
  const report = parsed.data;
  const given = report.labelVersion ?? report.comparison?.labelVersion;
  if (report.runId !== identity.runId || given !== label?.version) return undefined;
  return (await store.stat(keys.mask)) ? report : undefined;
}

/** Goes on from an interrupted run's slabs where they belong to the same run; queues every slab. */
async function split(
  run: LocalRun,
  input: CaseInput,
  keys: RunKeys,
  identity: RunIdentity,
  slabs: SlabQueue,
): Promise<CaseManifest> {
  const left = CaseManifest.safeParse(await readJson(run.store, keys.manifest));
  const usable = left.success && left.data.run.runId === identity.runId && !run.force;
  if (usable) {
    for (const { index } of left.data.slabs) slabs.add(left.data, index);
    return left.data;
  }
  await removeWork(run.store, keys);
  return splitCase(
    {
      run: identity,
      source: readFile(input.image),
      ...(input.pairedImage && { pairedSource: readFile(input.pairedImage) }),
      inputSha256: sha256Of(identity),
      bundle: run.bundle.manifest,
      keys,
      slicesPerSlab: run.slicesPerSlab,
      onSlab: (known, index) => slabs.add(known, index),
    },
    run,
  );
}

async function readJson(store: DirStore, key: string): Promise<unknown> {
  if (!(await store.stat(key))) return undefined;
  try {
    return JSON.parse(Buffer.from(await store.get(key)).toString('utf8'));
  } catch {
    return undefined; // Not ours, or damaged: the case is done again.
  }
}

async function removeWork(store: DirStore, keys: RunKeys): Promise<void> {
  for await (const { key } of store.list(keys.work)) await store.remove(key);
}

/** A failed case must not leave a mask or picture of an earlier run beside its failure report. */
async function removeOutputs(store: DirStore, keys: RunKeys): Promise<void> {
  await removeWork(store, keys);
  for (const key of [keys.mask, keys.cam, keys.overlay, keys.sources]) await store.remove(key);
}
