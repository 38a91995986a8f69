import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { BundleError, type Fault, SammixError } from '../../core/errors.ts';
import { getJson } from '../../core/json.ts';
import { readBundle } from '../bundles.ts';
import { EXIT } from '../contract/env.ts';
import type { JobStateChange } from '../contract/events.ts';
import { cloudKeys, trainingHashOfJobName } from '../contract/keys.ts';
import type { GpuPrices } from '../contract/prices.ts';
import { type TrainingRecord, TrainResult } from '../contract/training.ts';
import { costOnMachines } from '../cost/gpu-cost.ts';
import type { EmitMetrics } from '../metrics.ts';
import {
  offerCandidate,
  readTraining,
  type TaggedTraining,
  writeTraining,
  writeTrainingReason,
} from './records.ts';

export interface EndPorts {
  readonly store: S3Store;
  readonly gpuPrices: GpuPrices;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

/**
 * A training job has ended: its bundle becomes a candidate for promotion, or the request gets the
 * reason beside it. It is never activated here.
 */
export async function endTraining({ detail }: JobStateChange, ports: EndPorts): Promise<void> {
  const hash = trainingHashOfJobName(detail.jobName);
  const found = hash === undefined ? undefined : await readTraining(ports.store, hash);
  if (!found) return ports.log.warn('job-of-no-training', { jobId: detail.jobId });
  if (found.record.endedAt !== null || isOfAnother(detail.jobId, found.record))
    return ports.emit({ DuplicateEvents: 1 });
  const cost = costOnMachines(
    [{ totalSeconds: secondsOf(detail), machine: null }],
    ports.gpuPrices,
  );
  if (detail.status === 'FAILED')
    return failTraining(found, cost, jobFault(found.record, detail), ports);
  try {
    const bundlePrefix = await offer(found.record, ports.store);
    await end(found, { state: 'trained', cost, bundlePrefix }, ports);
    ports.emit({ TrainingsFinished: 1 });
  } catch (error) {
    if (!(error instanceof SammixError)) throw error;
    await failTraining(found, cost, error.fault, ports);
  }
}

/** A failed training that was asked for again has a new job; the old one's end may come late. */
const isOfAnother = (jobId: string, record: TrainingRecord): boolean =>
  record.jobId !== null && record.jobId !== jobId;

/** A request with which no attempt could do anything; its message is a dead letter. */
export async function failRequest(
  request: { readonly key: string; readonly version: string },
  { store, log, emit }: Omit<EndPorts, 'gpuPrices'>,
): Promise<void> {
  await writeTrainingReason(store, request, {
    code: 'training-not-started',
    subject: request.key,
    expected: 'the request to become a GPU job',
    found: 'repeated failures',
    remedy: 'See the log of the train function; upload the request again when the cause is gone.',
  });
  emit({ TrainingsFailed: 1 });
  log.warn('training-not-started');
}

/** Reads what the trainer left and holds it to the digest that it names. */
async function offer({ id }: TrainingRecord, store: S3Store): Promise<string> {
  const result = await getJson(store, cloudKeys.trainingResult(id), TrainResult);
  const bundle = await readBundle(store, result.bundlePrefix);
  if (bundle.digest !== result.bundleDigest)
    throw new BundleError({
      code: 'bundle-changed',
      subject: result.bundlePrefix,
      expected: `the digest ${result.bundleDigest}, as the trainer wrote it`,
      found: bundle.digest,
      remedy: 'Train again under another id.',
    });
  await offerCandidate(store, bundle, id);
  return bundle.prefix;
}

type End = Pick<TrainingRecord, 'state' | 'cost' | 'bundlePrefix'>;

/** False where another invocation was first. */
async function end(
  { record, etag }: TaggedTraining,
  change: End,
  { store, log, emit }: Omit<EndPorts, 'gpuPrices'>,
): Promise<boolean> {
  const ended = { ...record, ...change, endedAt: new Date().toISOString() };
  if (!(await writeTraining(store, ended, etag))) return false;
  if (change.cost)
    emit({ GpuSeconds: change.cost.gpuSeconds, EstimatedUsd: change.cost.estimatedUsd });
  const { jobId, traceId } = record;
  log.info(change.state, { traceId, ...(jobId === null ? {} : { jobId }) });
  return true;
}

/** Says beside the request why nothing came of it, once. */
export async function failTraining(
  found: TaggedTraining,
  cost: TrainingRecord['cost'],
  fault: Fault,
  ports: Omit<EndPorts, 'gpuPrices'>,
): Promise<void> {
  const { requestKey: key, requestVersion: version } = found.record;
  await writeTrainingReason(ports.store, { key, version }, fault);
  if (await end(found, { state: 'failed', cost, bundlePrefix: null }, ports))
    ports.emit({ TrainingsFailed: 1 });
}

function jobFault({ id }: TrainingRecord, detail: JobStateChange['detail']): Fault {
  const exitCode = detail.container?.exitCode;
  const refused = exitCode === EXIT.refused;
  return {
    code: refused ? 'training-refused' : 'training-failed',
    subject: `the training ${id}`,
    expected: refused ? 'data and a checkpoint that fit the request' : 'the GPU job to end well',
    found: [detail.statusReason ?? 'a failure', exitCode !== undefined && `exit code ${exitCode}`]
      .filter(Boolean)
      .join(', '),
    remedy: `See the log of Batch job ${detail.jobId}. Uploaded again, the request goes on from its last checkpoint.`,
  };
}

/** GPU time of all attempts. */
const secondsOf = ({ attempts = [] }: JobStateChange['detail']): number =>
  attempts.reduce(
    (sum, { startedAt, stoppedAt }) =>
      startedAt === undefined || stoppedAt === undefined
        ? sum
        : sum + Math.max(0, stoppedAt - startedAt) / 1000,
    0,
  );
