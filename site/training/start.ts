import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { ConfigError, type Fault, StorageError } from '../../core/errors.ts';
import { StillInProgress, traceId } from '../../functions/each-message.ts';
import type { ObjectCreated } from '../contract/events.ts';
import { parseTrainingRequest, trainingHash } from '../contract/keys.ts';
import { parseTrainRequest, type TrainingRecord } from '../contract/training.ts';
import type { EmitMetrics } from '../metrics.ts';
import { once } from '../once.ts';
import {
  readTraining,
  removeTrainingReason,
  type TaggedTraining,
  writeTraining,
  writeTrainingReason,
} from './records.ts';

export interface TrainingPorts {
  readonly store: S3Store;
  /** Starts the GPU work and returns its id; undefined at a site that does not train. */
  readonly submit: ((record: TrainingRecord) => Promise<string>) | undefined;
  readonly leaseSeconds: number;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

export type TrainingOutcome = 'ignored' | 'duplicate' | 'withdrawn' | 'refused' | 'submitted';

interface Request {
  readonly id: string;
  readonly key: string;
  readonly version: string;
  readonly uploadedAt: string;
}

/** An uploaded request becomes a GPU job; one that is refused gets its reason written beside it. */
export async function startTraining(
  event: ObjectCreated,
  ports: TrainingPorts,
): Promise<TrainingOutcome> {
  const { key, 'version-id': version } = event.detail.object;
  const id = parseTrainingRequest(key);
  if (id === undefined) return 'ignored';
  const uploadedAt = new Date(event.time).toISOString();
  return once(event, ports, () => checkAndSubmit({ id, key, version, uploadedAt }, ports));
}

async function checkAndSubmit(request: Request, ports: TrainingPorts): Promise<TrainingOutcome> {
  try {
    const found = await readTraining(ports.store, trainingHash(request.id));
    if (isSubmitted(found, request)) return 'duplicate';
    const submit = ports.submit ?? refuse(notHere(request));
    if (found && isTaken(found.record)) refuse(idTaken(found.record));
    parseTrainRequest(await textOf(request, ports.store), request.id);
    await claimAndSubmit(request, found, { ...ports, submit });
    return 'submitted';
  } catch (error) {
    if (error instanceof StorageError && error.code === 'blob-missing') return 'withdrawn';
    if (!(error instanceof ConfigError)) throw error;
    await writeTrainingReason(ports.store, request, error.fault);
    ports.emit({ TrainingsFailed: 1 });
    ports.log.warn('training-refused', { code: error.code });
    return 'refused';
  }
}

const isSubmitted = (found: TaggedTraining | undefined, { version }: Request): boolean =>
  found?.record.requestVersion === version && found.record.state !== 'claimed';

/** A failed training may be asked for again under its id: it goes on from its last checkpoint. */
const isTaken = ({ state }: TrainingRecord): boolean =>
  state === 'submitted' || state === 'trained';

async function textOf({ key, version }: Request, store: S3Store): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await store.open(key, version)).body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** The record is claimed by a conditional write, so that of two invocations one submits. */
async function claimAndSubmit(
  request: Request,
  found: TaggedTraining | undefined,
  ports: TrainingPorts & { readonly submit: NonNullable<TrainingPorts['submit']> },
): Promise<void> {
  if (found?.record.state === 'claimed' && isLeased(found.record, ports.leaseSeconds))
    throw new StillInProgress();
  const claimed = await writeTraining(ports.store, claimOf(request), found?.etag);
  if (!claimed) throw new StillInProgress();
  const { record, etag } = claimed;
  try {
    const jobId = await ports.submit(record);
    await writeTraining(ports.store, { ...record, state: 'submitted', jobId }, etag);
    ports.log.info('training-submitted', { jobId, traceId: record.traceId });
  } catch (error) {
    const released = { ...record, claimedAt: new Date(0).toISOString() };
    await writeTraining(ports.store, released, etag);
    throw error;
  }
  await removeTrainingReason(ports.store, request.id);
}

const isLeased = ({ claimedAt }: TrainingRecord, leaseSeconds: number): boolean =>
  Date.now() - Date.parse(claimedAt) < leaseSeconds * 1000;

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
