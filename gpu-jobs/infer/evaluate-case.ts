import { fromJsonBytes } from '../../adapters/json-object.ts';
import { peakMemoryMiB, provenance } from '../../adapters/provenance.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { RunKeys } from '../../core/contract/keys.ts';
import { CaseManifest } from '../../core/contract/manifest.ts';
import type { FailedReport } from '../../core/contract/report.ts';
import { BundleError, SammixError, StorageError } from '../../core/errors.ts';
import { assembleCase } from '../../core/stage/assemble.ts';
import type { LabelInput } from '../../core/stage/compare.ts';
import { type ReportInput, reportCase, reportFailure } from '../../core/stage/report.ts';
import { splitCase } from '../../core/stage/split.ts';
import type { EvaluationPlan, PlannedCase } from '../../site/contract/evaluation.ts';
import { cloudRunKeys } from '../../site/contract/keys.ts';
import { finishedReport, readReport } from '../../site/runs.ts';
import type { JobModel } from './job-model.ts';
import { openSlabs, segmentSlabs } from './open-slabs.ts';
import type { SegmentJobPorts } from './segment-job.ts';

export interface CaseOutcome {
  readonly state: 'reused' | 'reported' | 'failed' | 'interrupted';
  readonly slabsDone: number;
  readonly slabsSkipped: number;
}

/** A planned case that has an image. */
interface Computable {
  readonly caseId: string;
  readonly image: NonNullable<PlannedCase['image']>;
  readonly label: PlannedCase['label'];
  readonly runId: string;
  readonly keys: RunKeys;
}

/**
 * The stages of one case over the site's bucket, written where an upload's run writes them: whoever
 * comes first, the other finds it done. The pointer to the newest upload's run is left alone.
 */
export async function evaluateCase(
  planned: PlannedCase,
  plan: EvaluationPlan,
  model: JobModel,
  ports: SegmentJobPorts,
): Promise<CaseOutcome> {
  const one = computable(planned, plan);
  const { store } = ports;
  if (await finishedReport(store, one.keys, one.runId, one.label))
    return { state: 'reused', slabsDone: 0, slabsSkipped: 0 };
  let stage: FailedReport['stage'] = 'split';
  let [slabsDone, slabsSkipped] = [0, 0];
  const outcome = (state: CaseOutcome['state']): CaseOutcome => ({
    state,
    slabsDone,
    slabsSkipped,
  });
  try {
    const manifest = await split(one, plan, model, store);
    stage = 'segment';
    const all = manifest.slabs.map(({ index }) => index);
    const open = await openSlabs(all, one.keys, store);
    slabsSkipped = all.length - open.length;
    slabsDone = await segmentSlabs(open, { manifest, keys: one.keys }, model, ports);
    if (slabsDone < open.length) return outcome('interrupted');
    stage = 'assemble';
    const assembled = await assembleCase({ manifest, keys: one.keys }, { store });
    stage = 'report';
    await reportCase(
      {
        manifest,
        assembled,
        bundle: await model.openBundle(),
        keys: one.keys,
        label: labelInput(one, store),
        provenance: provenance(assembled.backend),
        peakMemoryMiB: peakMemoryMiB(),
        ...(await accountOf(one.keys, store)),
      },
      { store },
    );
    return outcome('reported');
  } catch (error) {
    if (!isOfTheCase(error)) throw error;
    const { caseId, runId, keys, image } = one;
    ports.log.warn('case-failed', { runId, stage, code: error.code });
    // A mask that an upload's run has made stays, even where it cannot be measured again.
    if ((await readReport(store, keys))?.status === 'segmented') return outcome('failed');
    const failure = { caseId, runId, keys, inputName: image.name, stage, error };
    await reportFailure({ ...failure, provenance: provenance(null) }, { store });
    return outcome('failed');
  }
}

function computable(
  { caseId, image, label, runId }: PlannedCase,
  plan: EvaluationPlan,
): Computable {
  if (!image || runId === null)
    throw new Error('a case without an image was planned as computable');
  const keys = cloudRunKeys(plan.request.dataset, caseId, runId);
  return { caseId, image, label, runId, keys };
}

/** What another case may not have: not a bundle that does not load, not a bucket that says no. */
const isOfTheCase = (error: unknown): error is SammixError =>
  error instanceof SammixError &&
  !(error instanceof BundleError) &&
  !(
    error instanceof StorageError &&
    error.code !== 'blob-missing' &&
    error.code !== 'slab-missing'
  );

/** What the upload's own run said of itself and only it knows: its trace, and what its jobs cost. */
async function accountOf(
  keys: RunKeys,
  store: S3Store,
): Promise<Pick<ReportInput, 'cost' | 'traceId'>> {
  const earlier = await readReport(store, keys);
  if (earlier?.status !== 'segmented') return {};
  const { cost, traceId } = earlier;
  return { ...(cost ? { cost } : {}), ...(traceId ? { traceId } : {}) };
}

/** Goes on from the slabs of an earlier attempt, or of the upload's own run. */
async function split(
  { caseId, image, runId, keys }: Computable,
  plan: EvaluationPlan,
  model: JobModel,
  store: S3Store,
): Promise<CaseManifest> {
  const left = await store.getTagged(keys.manifest);
  if (left) return fromJsonBytes(CaseManifest, left.body);
  const { manifest, digest } = await model.openBundle();
  const { body } = await store.open(image.key, image.version);
  const input = { name: image.name, bytes: image.bytes, version: `s3:${image.version}` };
  return splitCase(
    {
      run: { runId, caseId, input, bundleDigest: digest, parameters: plan.parameters },
      source: body,
      bundle: manifest,
      keys,
      slicesPerSlab: plan.slicesPerSlab,
    },
    { store },
  );
}

const labelInput = ({ label: { key, name, version } }: Computable, store: S3Store): LabelInput => ({
  name,
  version,
  async *open() {
    yield* (await store.open(key, version)).body;
  },
});
