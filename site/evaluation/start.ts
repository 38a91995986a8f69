import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { StillInProgress, traceId } from '../../functions/each-message.ts';
import { MAX_CHILDREN } from '../batch.ts';
import { type RegisteredBundle, readActive, readBundle } from '../bundles.ts';
import {
  type EvaluationRecord,
  EvaluationRequest,
  evaluationId,
  type StartEvent,
  shardsOf,
} from '../contract/evaluation.ts';
import { cloudKeys } from '../contract/keys.ts';
import { CandidateBundle } from '../contract/training.ts';
import { type DatasetListing, listDataset, type PlanSettings, planEvaluation } from './plan.ts';
import { updateEvaluation, writePlan } from './records.ts';

export interface StartPorts {
  readonly store: S3Store;
  /** The site's bundle: the active one, or the one that its settings pin. */
  readonly bundle: () => Promise<RegisteredBundle>;
  /** Starts the GPU work of one shard and returns its id. */
  readonly submit: (record: EvaluationRecord, shard: number) => Promise<string>;
  readonly log: Log;
}

export interface StartSettings extends PlanSettings {
  readonly leaseSeconds: number;
}

/**
 * Plans what a request asks for and submits its jobs. A bundle that is to be promoted is measured
 * beside the active one, from one listing, so that both see the same cases. Returns the ids.
 */
export async function startEvaluation(
  request: EvaluationRequest,
  settings: StartSettings,
  ports: StartPorts,
): Promise<string[]> {
  const bundle =
    request.bundle === 'active'
      ? await ports.bundle()
      : await readBundle(ports.store, request.bundle);
  const { active } = await readActive(ports.store);
  const rival = request.promote && active && active.digest !== bundle.digest ? active : undefined;
  const bundles = [bundle, ...(rival ? [await readBundle(ports.store, rival.prefix)] : [])];
  const listing = await listDataset(ports.store, request.dataset);
  if (listing.labelled.length === 0 && !request.promote) {
    ports.log.info('nothing-labelled', { count: listing.unlabelledImages });
    return [];
  }
  const [candidate, incumbent] = bundles.map(({ digest }) => evaluationId(request, digest));
  const judged =
    request.promote && candidate !== undefined ? { candidate, incumbent: incumbent ?? null } : null;
  for (const one of bundles) await startOne(request, one, judged, listing, settings, ports);
  return bundles.map(({ digest }) => evaluationId(request, digest));
}

async function startOne(
  request: EvaluationRequest,
  bundle: RegisteredBundle,
  judged: EvaluationRecord['judged'],
  listing: DatasetListing,
  settings: StartSettings,
  { store, submit, log: siteLog }: StartPorts,
): Promise<void> {
  const id = evaluationId(request, bundle.digest);
  const claimed = await claim(store, id, request, bundle, judged, settings.leaseSeconds);
  if (!claimed) return;
  const log = siteLog.with({ traceId: claimed.traceId });
  try {
    const planned = await plan(claimed, bundle, listing, settings, store);
    await submitShards(planned, store, submit);
    const children = planned.jobs.reduce((sum, job) => sum + job.children, 0);
    log.info('evaluation-started', { evaluationId: id, count: children });
  } catch (error) {
    await updateEvaluation(store, id, (now) =>
      now?.state === 'planning' ? { ...now, claimedAt: new Date(0).toISOString() } : undefined,
    );
    throw error;
  }
}

/** Undefined where it has been started before. */
async function claim(
  store: S3Store,
  id: string,
  request: EvaluationRequest,
  bundle: RegisteredBundle,
  judged: EvaluationRecord['judged'],
  leaseSeconds: number,
): Promise<EvaluationRecord | undefined> {
  return updateEvaluation(store, id, (now) => {
    const claimedAt = new Date().toISOString();
    if (now && now.state !== 'planning') return undefined;
    if (now && Date.now() - Date.parse(now.claimedAt) < leaseSeconds * 1000)
      throw new StillInProgress();
    // What an attempt before this one has submitted stays.
    if (now) return { ...now, claimedAt };
    return {
      schemaVersion: 1,
      evaluationId: id,
      request,
      bundle: { prefix: bundle.prefix, digest: bundle.digest },
      state: 'planning',
      claimedAt,
      traceId: traceId(),
      jobs: [],
      judged,
      finishedAt: null,
    };
  });
}

/** A plan stands once its jobs are listed: an attempt after a crash submits the missing ones of it. */
async function plan(
  record: EvaluationRecord,
  bundle: RegisteredBundle,
  listing: DatasetListing,
  { casesPerJob, slicesPerSlab }: StartSettings,
  store: S3Store,
): Promise<EvaluationRecord> {
  if (record.jobs.length > 0) return record;
  const settings = { casesPerJob, slicesPerSlab };
  const made = await planEvaluation(record.request, bundle, listing, settings, store);
  await writePlan(store, made);
  const jobs = shardsOf(made, MAX_CHILDREN).map(({ firstChild, children }) => ({
    jobId: null,
    firstChild,
    children,
    ended: null,
    reason: null,
  }));
  const { evaluationId: id } = record;
  return (await updateEvaluation(store, id, (now) => now && { ...now, jobs }))!;
}

/** A job may end before its id is written down here: every write starts from the record as it is. */
async function submitShards(
  planned: EvaluationRecord,
  store: S3Store,
  submit: StartPorts['submit'],
): Promise<void> {
  const { evaluationId: id, jobs } = planned;
  for (const [shard, job] of jobs.entries()) {
    if (job.jobId !== null) continue;
    const jobId = await submit(planned, shard);
    await updateEvaluation(
      store,
      id,
      (now) =>
        now && {
          ...now,
          jobs: now.jobs.map((one, at) => (at === shard ? { ...one, jobId } : one)),
        },
    );
  }
  // The rest follows from an event: of the last job's end, or of this object.
  if (jobs.length === 0)
    await store.put(cloudKeys.evaluationReady(id), Buffer.from('{}\n'), 'application/json');
  await updateEvaluation(store, id, (now) =>
    now?.state === 'planning' ? { ...now, state: 'submitted' } : undefined,
  );
}

/**
 * What an event asks for. A candidate that was trained here asks to be judged on the site's held-out
 * dataset, if there is one; one that was registered by hand waits for `sammix site promote`.
 */
export async function requestOf(
  event: StartEvent,
  store: S3Store,
  heldOut: string | undefined,
): Promise<EvaluationRequest | undefined> {
  if (event.source === 'sammix.evaluation') return event.detail;
  const { key } = event.detail.object;
  const bytes = await store.get(key);
  if (!key.startsWith(cloudKeys.candidates)) return fromJsonBytes(EvaluationRequest, bytes);
  const { prefix, trainingId, registeredAt } = fromJsonBytes(CandidateBundle, bytes);
  if (heldOut === undefined || trainingId === null) return undefined;
  return {
    schemaVersion: 1,
    dataset: heldOut,
    bundle: prefix,
    promote: true,
    requestedAt: registeredAt,
  };
}
