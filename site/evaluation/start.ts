import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { ConfigError } from '../../core/errors.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { jobSubmitter, MAX_CHILDREN } from '../batch.ts';
import { activeFor, type RegisteredBundle, readBundle } from '../bundles.ts';
import { type SiteContext, traceId } from '../context.ts';
import type { EnvironmentOf, EvaluateJobRunEnv, EvaluateStartEnv } from '../contract/env.ts';
import {
  type EvaluationRecord,
  EvaluationRequest,
  evaluateJobName,
  evaluationId,
  type StartEvent,
  shardsOf,
} from '../contract/evaluation.ts';
import { cloudKeys, PREFIX } from '../contract/keys.ts';
import { CandidateBundle } from '../contract/training.ts';
import { type Lease, underLease } from '../lease.ts';
import { type SiteTarget, siteTargets } from '../targets.ts';
import { type DatasetListing, listDataset, type PlanSettings, planEvaluation } from './plan.ts';
import { evaluationLease, markOpen, updateEvaluation, writePlan } from './records.ts';

interface StartPorts {
  readonly store: S3Store;
  /** The site's bundles: those that are active, or that its settings pin. */
  readonly targets: readonly SiteTarget[];
  /** Starts the GPU work of one shard and returns its id. */
  readonly submit: (record: EvaluationRecord, shard: number) => Promise<string>;
  readonly log: Log;
}

interface StartSettings extends PlanSettings {
  readonly leaseSeconds: number;
}

const submitJob = jobSubmitter();

/** Starts what an event asks for; nothing where it is none of ours. */
export async function startRequested(
  event: StartEvent,
  { env, store, log }: SiteContext<EvaluateStartEnv>,
): Promise<void> {
  const heldOut = env.SAMMIX_JUDGE_TRAINED_ON;
  const request = await requestOf(event, store, heldOut === '' ? undefined : heldOut);
  if (!request) return;
  await startEvaluation(
    request,
    {
      headerText: env.SAMMIX_HEADER_TEXT,
      casesPerJob: env.SAMMIX_CASES_PER_JOB,
      slicesPerSlab: env.SAMMIX_SLICES_PER_SLAB,
      leaseSeconds: env.SAMMIX_LEASE_SECONDS,
    },
    {
      store,
      targets: siteTargets(store, env.SAMMIX_BUNDLE, env.SAMMIX_TARGETS),
      submit: submitTo(env),
      log,
    },
  );
}

const submitTo =
  (env: EvaluateStartEnv) =>
  (record: EvaluationRecord, shard: number): Promise<string> => {
    const job = record.jobs[shard]!;
    const environment: EnvironmentOf<typeof EvaluateJobRunEnv> = {
      SAMMIX_EVALUATION_ID: record.evaluationId,
      SAMMIX_FIRST_CHILD: String(job.firstChild),
      SAMMIX_TRACE_ID: record.traceId,
    };
    return submitJob({
      name: evaluateJobName(record.evaluationId, shard),
      queue: env.SAMMIX_JOB_QUEUE,
      definition: env.SAMMIX_EVALUATE_JOB,
      environment,
      children: job.children,
    });
  };

/**
 * Plans what a request asks for and submits its jobs. A bundle that is to be promoted is measured
 * beside the active one, from one listing, so that both see the same cases. Returns the ids.
 */
async function startEvaluation(
  request: EvaluationRequest,
  settings: StartSettings,
  ports: StartPorts,
): Promise<string[]> {
  const bundle =
    request.bundle === 'active'
      ? await siteBundle(request.target, ports.targets)
      : await readBundle(ports.store, request.bundle);
  const { active, target } = await activeFor(ports.store, bundle.manifest.target.name);
  const rival = request.promote && active && active.digest !== bundle.digest ? active : undefined;
  const bundles = [bundle, ...(rival ? [await readBundle(ports.store, rival.prefix)] : [])];
  const listing = await listDataset(ports.store, request.dataset, target);
  if (listing.labelled.length === 0 && !request.promote) {
    ports.log.info('nothing-labelled', { count: listing.unlabelledImages });
    return [];
  }
  const [candidate, incumbent] = bundles.map(({ digest }) => evaluationId(request, digest));
  const judged =
    request.promote && candidate !== undefined ? { candidate, incumbent: incumbent ?? null } : null;
  const shared = { judged, ...(target !== undefined && { target }) };
  for (const one of bundles) await startOne(request, one, shared, listing, settings, ports);
  return bundles.map(({ digest }) => evaluationId(request, digest));
}

/** Of the main target, or of a further one of the site. */
function siteBundle(
  wanted: string | undefined,
  targets: readonly SiteTarget[],
): Promise<RegisteredBundle> {
  const found = targets.find(({ target }) => target === wanted);
  if (found) return found.bundle();
  throw new ConfigError({
    code: 'no-such-target',
    subject: `an evaluation for the ${wanted}`,
    expected: 'a target of the site file',
    found: 'none of that name',
    remedy: 'Name it in "targets" of the site file and deploy the site, or ask for another.',
  });
}

/** What the evaluations of one request have in common. */
type Shared = Pick<EvaluationRecord, 'judged' | 'target'>;

async function startOne(
  request: EvaluationRequest,
  bundle: RegisteredBundle,
  shared: Shared,
  listing: DatasetListing,
  settings: StartSettings,
  { store, submit, log }: StartPorts,
): Promise<void> {
  const id = evaluationId(request, bundle.digest);
  await underLease(
    planningLease(store, id, settings.leaseSeconds),
    // What an attempt before this one has submitted stays.
    (now) => now ?? newEvaluation(id, request, bundle, shared),
    async ({ record }) => {
      await markOpen(store, id);
      const planned = await plan(record, bundle, listing, settings, store);
      await submitShards(planned, store, submit);
      const count = planned.jobs.reduce((sum, { children }) => sum + children, 0);
      log.info('evaluation-started', { traceId: record.traceId, evaluationId: id, count });
    },
  );
}

const planningLease = (
  store: S3Store,
  id: string,
  leaseSeconds: number,
): Lease<typeof EvaluationRecord> => ({
  ...evaluationLease(store, id, leaseSeconds),
  stateOf: ({ state }) => (state === 'planning' ? 'held' : 'done'),
});

const newEvaluation = (
  evaluationId: string,
  request: EvaluationRequest,
  { prefix, digest }: RegisteredBundle,
  shared: Shared,
): EvaluationRecord => ({
  schemaVersion: 1,
  evaluationId,
  request,
  bundle: { prefix, digest },
  state: 'planning',
  claimedAt: new Date().toISOString(),
  traceId: traceId(),
  jobs: [],
  ...shared,
  finishedAt: null,
});

/** A plan stands once its jobs are listed: an attempt after a crash submits the missing ones of it. */
async function plan(
  record: EvaluationRecord,
  bundle: RegisteredBundle,
  listing: DatasetListing,
  settings: PlanSettings,
  store: S3Store,
): Promise<EvaluationRecord> {
  if (record.jobs.length > 0) return record;
  const made = await planEvaluation(record, bundle, listing, settings, store);
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
async function requestOf(
  event: StartEvent,
  store: S3Store,
  heldOut: string | undefined,
): Promise<EvaluationRequest | undefined> {
  if (event.source === 'sammix.evaluation') return event.detail;
  const { key } = event.detail.object;
  const bytes = await store.get(key);
  if (!key.startsWith(PREFIX.candidates)) return fromJsonBytes(EvaluationRequest, bytes);
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
