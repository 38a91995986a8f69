import { peakMemoryMiB, provenance } from '../../adapters/provenance.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { RunIdentity } from '../../core/contract/manifest.ts';
import { BundleError, type SammixError, StorageError } from '../../core/errors.ts';
import { type CaseOutcome, type CaseToRun, runCase } from '../../core/stage/run-case.ts';
import type { EvaluationPlan, PlannedCase } from '../../site/contract/evaluation.ts';
import { cloudRunKeys, inputVersion } from '../../site/contract/keys.ts';
import { storedLabel } from '../../site/runs.ts';
import { type JobModel, slabQueue } from './job-model.ts';
import type { SegmentJobPorts } from './segment-job.ts';

export interface EvaluatedCaseOutcome {
  readonly state: CaseOutcome['state'];
  readonly slabsDone: number;
  readonly slabsSkipped: number;
}

/**
 * Runs one case over the site's bucket, written where an upload's run writes it: whoever comes first,
 * the other finds it done. The pointer to the newest upload's run is left alone.
 */
export async function evaluateCase(
  planned: PlannedCase,
  plan: EvaluationPlan,
  model: JobModel,
  ports: SegmentJobPorts,
): Promise<EvaluatedCaseOutcome> {
  const input = caseToRun(planned, plan, ports.store);
  const slabs = slabQueue(input.keys, model, ports);
  const outcome = await runCase(input, {
    store: ports.store,
    unbufferedStore: ports.store,
    bundle: () => model.openBundle(),
    slabs,
    slicesPerSlab: plan.slicesPerSlab,
    force: false,
    exclusive: false,
    endsTheRun,
    provenance,
    peakMemoryMiB,
  });
  if (outcome.state === 'failed') {
    const { stage, fault } = outcome.report;
    ports.log.warn('case-failed', { runId: planned.runId!, stage, code: fault.code });
  }
  const { done: slabsDone, skipped: slabsSkipped } = slabs.counts;
  return { state: outcome.state, slabsDone, slabsSkipped };
}

function caseToRun(
  { caseId, image, label, runId }: PlannedCase,
  plan: EvaluationPlan,
  store: S3Store,
): CaseToRun {
  if (!image || runId === null)
    throw new Error('a case without an image was planned as computable');
  const { key, name, bytes, version } = image;
  const run: RunIdentity = {
    runId,
    caseId,
    input: { name, bytes, version: inputVersion(version) },
    bundleDigest: plan.bundle.digest,
    parameters: plan.parameters,
  };
  return {
    caseId,
    inputName: name,
    keys: cloudRunKeys(plan.request.dataset, caseId, runId),
    identify: async () => run,
    label: async () => storedLabel(label, store, plan.target),
    open: async () => ({ source: (await store.open(key, version)).body }),
  };
}

/** What another case may not have either: a bundle that does not load, a bucket that says no. */
const endsTheRun = (error: SammixError): boolean =>
  error instanceof BundleError ||
  (error instanceof StorageError && error.code !== 'blob-missing' && error.code !== 'slab-missing');
