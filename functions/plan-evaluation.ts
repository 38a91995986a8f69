import type { RegisteredBundle } from '../adapters/active-bundle.ts';
import { finishedReport } from '../adapters/finished-report.ts';
import { inOrder } from '../adapters/in-order.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import { cloudRunKeys } from '../core/contract/cloud-keys.ts';
import {
  type EvaluationPlan,
  type EvaluationRequest,
  evaluationId,
  type PlannedCase,
} from '../core/contract/evaluation-plan.ts';
import { runId } from '../core/contract/run-id.ts';
import type { Fault } from '../core/errors.ts';
import type { DatasetListing, LabelledCase } from './list-dataset.ts';
import { parametersOf } from './new-run.ts';

export interface PlanSettings {
  readonly casesPerJob: number;
  readonly slicesPerSlab: number;
}

/** Reports read at once: each is some hundred kilobytes. */
const AT_ONCE = 16;

/** Sorts the labelled cases into those whose result exists, those to compute, and the impossible. */
export async function planEvaluation(
  request: EvaluationRequest,
  bundle: RegisteredBundle,
  listing: DatasetListing,
  settings: PlanSettings,
  store: S3Store,
): Promise<EvaluationPlan> {
  const cases: PlannedCase[] = [];
  const planned = inOrder(listing.labelled, AT_ONCE, (one) =>
    planCase(one, request.dataset, bundle, store),
  );
  for await (const one of planned) cases.push(one);
  return {
    schemaVersion: 1,
    evaluationId: evaluationId(request, bundle.digest),
    request,
    createdAt: new Date().toISOString(),
    bundle: { prefix: bundle.prefix, digest: bundle.digest },
    parameters: parametersOf(bundle),
    ...settings,
    unlabelledImages: listing.unlabelledImages,
    cases,
  };
}

async function planCase(
  { caseId, patientId, label, images }: LabelledCase,
  dataset: string,
  bundle: RegisteredBundle,
  store: S3Store,
): Promise<PlannedCase> {
  const [info, ...others] = images;
  if (!info || others.length > 0) {
    const fault = info ? severalImages(caseId, images.length) : noImage(caseId);
    return { caseId, patientId, label, image: null, runId: null, work: 'impossible', fault };
  }
  const { key, bytes, version } = info;
  const name = key.slice(key.lastIndexOf('/') + 1);
  // The same id as the upload's own run: what the site has already made of it is used again.
  const id = runId({ name, version: `s3:${version}` }, bundle.digest, parametersOf(bundle));
  const done = await finishedReport(store, cloudRunKeys(dataset, caseId, id), id, label);
  return {
    caseId,
    patientId,
    label,
    image: { key, name, bytes, version },
    runId: id,
    work: done ? 'reuse' : 'compute',
    fault: null,
  };
}

const noImage = (caseId: string): Fault => ({
  code: 'image-missing',
  subject: caseId,
  expected: 'the image that the label belongs to',
  found: 'none: it was refused, removed or never uploaded',
  remedy: 'See quarantine/ for the reason, upload the image, or remove the label.',
});

const severalImages = (caseId: string, count: number): Fault => ({
  code: 'several-images',
  subject: caseId,
  expected: 'one image of the case',
  found: `${count} under names that mean the same case`,
  remedy: 'Remove all but one.',
});
