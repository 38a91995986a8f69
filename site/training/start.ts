import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { ConfigError, type Fault, StorageError } from '../../core/errors.ts';
import { wholeStream } from '../../core/whole-stream.ts';
import { jobSubmitter } from '../batch.ts';
import { type SiteContext, traceId } from '../context.ts';
import type { EnvironmentOf, TrainEnv, TrainJobRunEnv } from '../contract/env.ts';
import type { ObjectCreated } from '../contract/events.ts';
import { cloudKeys, parseTrainingRequest, trainingHash, trainJobName } from '../contract/keys.ts';
import { parseTrainRequest, TrainingRecord } from '../contract/training.ts';
import { type Lease, underLease } from '../lease.ts';
import type { EmitMetrics } from '../metrics.ts';
import { once } from '../records.ts';
import {
  readTraining,
  removeTrainingReason,
  writeTraining,
  writeTrainingReason,
} from './records.ts';
import { pinUploads } from './uploads.ts';

interface TrainingPorts {
  readonly store: S3Store;
  /** Starts the GPU work and returns its id; undefined at a site that does not train. */
  readonly submit: ((record: TrainingRecord) => Promise<string>) | undefined;
  readonly leaseSeconds: number;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

type TrainingOutcome = 'ignored' | 'duplicate' | 'withdrawn' | 'refused' | 'submitted';

interface Request {
  readonly id: string;
  readonly key: string;
  readonly version: string;
  readonly uploadedAt: string;
}

const submitJob = jobSubmitter();

/** Starts the training that an uploaded request asks for. */
export async function startRequestedTraining(
  event: ObjectCreated,
  { env, store, log, emit }: SiteContext<TrainEnv>,
): Promise<void> {
  // A site without training refuses requests with that reason.
  const submit = env.SAMMIX_TRAIN_JOB === '' ? undefined : submitTo(env);
  const leaseSeconds = env.SAMMIX_LEASE_SECONDS;
  await startTraining(event, { store, submit, leaseSeconds, log, emit });
}

const submitTo =
  (env: TrainEnv) =>
  ({ id, requestKey, traceId }: TrainingRecord): Promise<string> => {
    const environment: EnvironmentOf<typeof TrainJobRunEnv> = {
      SAMMIX_TRAINING_REQUEST: requestKey,
      SAMMIX_TRACE_ID: traceId,
    };
    return submitJob({
      name: trainJobName(trainingHash(id)),
      queue: env.SAMMIX_JOB_QUEUE,
      definition: env.SAMMIX_TRAIN_JOB,
      environment,
      children: 1,
    });
  };

/** An uploaded request becomes a GPU job; one that is refused gets its reason written beside it. */
async function startTraining(event: ObjectCreated, ports: TrainingPorts): Promise<TrainingOutcome> {
  const { key, 'version-id': version } = event.detail.object;
  const id = parseTrainingRequest(key);
  if (id === undefined) return 'ignored';
  const uploadedAt = new Date(event.time).toISOString();
  return once(event, ports, () => checkAndSubmit({ id, key, version, uploadedAt }, ports));
}

async function checkAndSubmit(request: Request, ports: TrainingPorts): Promise<TrainingOutcome> {
  try {
    const found = await readTraining(ports.store, trainingHash(request.id));
    if (isSubmitted(found?.record, request)) return 'duplicate';
    const submit = ports.submit ?? refuse(notHere(request));
    if (found && isTaken(found.record)) refuse(idTaken(found.record));
    const { dataset, ...wanted } = parseTrainRequest(
      await textOf(request, ports.store),
      request.id,
    );
    if (dataset !== undefined) await pinUploads({ ...wanted, dataset }, ports.store);
    return (await claimAndSubmit(request, { ...ports, submit })) ?? 'duplicate';
  } catch (error) {
    if (error instanceof StorageError && error.code === 'blob-missing') return 'withdrawn';
    if (!(error instanceof ConfigError)) throw error;
    await writeTrainingReason(ports.store, request, error.fault);
    ports.emit({ TrainingsFailed: 1 });
    ports.log.warn('training-refused', { code: error.code });
    return 'refused';
  }
}

const isSubmitted = (found: TrainingRecord | undefined, { version }: Request): boolean =>
  found?.requestVersion === version && found.state !== 'claimed';

/** A failed training may be asked for again under its id: it goes on from its last checkpoint. */
const isTaken = ({ state }: TrainingRecord): boolean =>
  state === 'submitted' || state === 'trained';

async function textOf({ key, version }: Request, store: S3Store): Promise<string> {
  return (await wholeStream((await store.open(key, version)).body)).toString('utf8');
}

/** Undefined where another invocation has submitted it. */
function claimAndSubmit(
  request: Request,
  { store, submit, leaseSeconds, log }: TrainingPorts & Required<Pick<TrainingPorts, 'submit'>>,
): Promise<'submitted' | undefined> {
  const lease: Lease<typeof TrainingRecord> = {
    store,
    key: cloudKeys.trainingJob(trainingHash(request.id)),
    schema: TrainingRecord,
    leaseSeconds,
    stateOf: (record) => {
      if (record.state === 'claimed') return 'held';
      return isTaken(record) || isSubmitted(record, request) ? 'done' : 'free';
    },
  };
  return underLease(
    lease,
    () => claimOf(request),
    async ({ record, etag }) => {
      const jobId = await submit!(record);
      await writeTraining(store, { ...record, state: 'submitted', jobId }, etag);
      log.info('training-submitted', { jobId, traceId: record.traceId });
      await removeTrainingReason(store, request.id);
      return 'submitted' as const;
    },
  );
}

const claimOf = ({ id, key, version, uploadedAt }: Request): TrainingRecord => ({
  schemaVersion: 1,
  id,
  requestKey: key,
  requestVersion: version,
  state: 'claimed',
  requestedAt: uploadedAt,
  claimedAt: new Date().toISOString(),
  traceId: traceId(),
  jobId: null,
  endedAt: null,
  cost: null,
  bundlePrefix: null,
});

function refuse(fault: Fault): never {
  throw new ConfigError(fault);
}

const notHere = ({ id }: Request): Fault => ({
  code: 'site-does-not-train',
  subject: `the training request ${id}`,
  expected: 'a site with a training job',
  found: '"training": null in its file',
  remedy: 'Take that line out of the site file, deploy, and upload the request again.',
});

const idTaken = ({ id, state }: TrainingRecord): Fault => ({
  code: 'training-id-taken',
  subject: `the training request ${id}`,
  expected: 'an id that no other training has',
  found: `one that is ${state === 'trained' ? 'done' : 'under way'}`,
  remedy: 'Choose another id (and file name).',
});
