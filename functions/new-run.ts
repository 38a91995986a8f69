import { createHash } from 'node:crypto';
import type { RegisteredBundle } from '../adapters/active-bundle.ts';
import type { Upload } from '../core/contract/cloud-keys.ts';
import type { ObjectCreated } from '../core/contract/events.ts';
import type { Parameters } from '../core/contract/manifest.ts';
import type { RunRecord } from '../core/contract/messages.ts';
import { runId } from '../core/contract/run-id.ts';
import { traceId } from './each-message.ts';

export interface RunSettings {
  readonly slicesPerJob: number;
  readonly slicesPerSlab: number;
}

/** The record of a run that nobody has claimed yet. Equal uploads and bundles give equal ids. */
export function newRun(
  event: ObjectCreated,
  upload: Upload,
  bundle: RegisteredBundle | undefined,
  { slicesPerJob, slicesPerSlab }: RunSettings,
): RunRecord {
  const { object } = event.detail;
  const input = {
    name: upload.fileName,
    bytes: object.size,
    version: `s3:${object['version-id']}`,
  };
  const parameters = parametersOf(bundle);
  const bundleDigest = bundle?.digest ?? NO_BUNDLE;
  return {
    schemaVersion: 1,
    runId: runId(input, bundleDigest, parameters),
    state: 'claimed',
    dataset: upload.dataset,
    caseId: upload.caseId,
    imageKey: object.key,
    input,
    uploadedAt: new Date(event.time).toISOString(),
    bundlePrefix: bundle?.prefix ?? '',
    bundleDigest,
    parameters,
    slicesPerJob,
    slicesPerSlab,
    traceId: traceId(),
    claimedAt: new Date().toISOString(),
    job: null,
    reportedAt: null,
    cost: null,
  };
}

/** Stands for the bundle in the run id of an image that came before there was one. */
const NO_BUNDLE = createHash('sha256').update('no bundle').digest('hex');

export function parametersOf(bundle: RegisteredBundle | undefined): Parameters {
  if (!bundle) return { largestComponent3d: false, fillHoles: false };
  const { largestComponent3d, fillHoles } = bundle.manifest.postprocess;
  return { largestComponent3d, fillHoles };
}

/** The S3 version of a run's image. */
export const imageVersion = ({ input }: Pick<RunRecord, 'input'>): string =>
  input.version.slice('s3:'.length);
