import type { Log } from '../adapters/log.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import type { CaseManifest, RunIdentity } from '../core/contract/manifest.ts';
import { InputError } from '../core/errors.ts';
import { splitCase } from '../core/stage/split.ts';
import { jobChildren, jobSubmitter } from './batch.ts';
import type { RegisteredBundle } from './bundles.ts';
import type { SiteContext } from './context.ts';
import { CANARY_DATASET } from './contract/canary.ts';
import type { EnvironmentOf, SegmentJobRunEnv, SplitEnv } from './contract/env.ts';
import type { ObjectCreated } from './contract/events.ts';
import { cloudRunKeys, parseUpload, segmentJobName } from './contract/keys.ts';
import type { RunRecord } from './contract/runs.ts';
import { quarantine } from './failed-run.ts';
import { forEvery } from './for-every.ts';
import { underLease } from './lease.ts';
import type { EmitMetrics } from './metrics.ts';
import { once } from './records.ts';
import {
  advance,
  type Claimed,
  claimCase,
  imageVersion,
  isWithdrawn,
  markOpen,
  newRun,
  type RunSettings,
  readRun,
  runLease,
} from './runs.ts';
import { problemsOf } from './source-problems.ts';
import { type SiteTarget, siteTargets, wantedOf } from './targets.ts';

interface IngestPorts {
  readonly store: S3Store;
  readonly targets: readonly SiteTarget[];
  /** Starts the GPU work and returns its id. */
  readonly submit: (record: RunRecord, children: number) => Promise<string>;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

type IngestSettings = Omit<RunSettings, 'target' | 'names'> & { readonly leaseSeconds: number };

type IngestOutcome = 'withdrawn' | 'quarantined' | 'submitted';

let opened: IngestPorts | undefined;

/** Ingests with what the split function keeps while it is warm: the bundle it knows, its clients. */
export function ingestUpload(event: ObjectCreated, context: SiteContext<SplitEnv>): Promise<void> {
  opened ??= openPorts(context);
  const { env } = context;
  const settings = {
    headerText: env.SAMMIX_HEADER_TEXT,
    slicesPerJob: env.SAMMIX_SLICES_PER_JOB,
    slicesPerSlab: env.SAMMIX_SLICES_PER_SLAB,
    leaseSeconds: env.SAMMIX_LEASE_SECONDS,
  };
  return ingestImage(event, settings, opened);
}

function openPorts({ env, store, log, emit }: SiteContext<SplitEnv>): IngestPorts {
  const submitJob = jobSubmitter();
  const submit = ({ runId, traceId, dataset }: RunRecord, children: number): Promise<string> => {
    const environment: EnvironmentOf<typeof SegmentJobRunEnv> = {
      SAMMIX_RUN_ID: runId,
      SAMMIX_TRACE_ID: traceId,
    };
    return submitJob({
      name: segmentJobName(runId),
      queue: dataset === CANARY_DATASET ? env.SAMMIX_BACKGROUND_QUEUE : env.SAMMIX_JOB_QUEUE,
      definition: env.SAMMIX_SEGMENT_JOB,
      environment,
      children,
    });
  };
  const targets = siteTargets(store, env.SAMMIX_BUNDLE, env.SAMMIX_TARGETS);
  return { store, targets, submit, log, emit };
}

/**
 * An uploaded image becomes slabs, a manifest and a GPU job for each target; one that is refused is moved
 * aside.
 */
async function ingestImage(
  event: ObjectCreated,
  settings: IngestSettings,
  ports: IngestPorts,
): Promise<void> {
  const upload = parseUpload(event.detail.object.key);
  if (upload?.kind !== 'image') return;
  await once(event, ports, async () => {
    const { targets, names } = await wantedOf(upload.dataset, ports.targets);
    await forEvery(targets, async ({ target, bundle }) => {
      const known = await bundle();
      const caseId = await claimCase(ports.store, upload, event.detail.object.key);
      const draft = newRun(event, { ...upload, caseId }, known, { ...settings, target, names });
      await ingestRun(draft, known, settings, ports);
    });
  });
}

async function ingestRun(
  draft: RunRecord,
  bundle: RegisteredBundle,
  settings: IngestSettings,
  ports: IngestPorts,
): Promise<void> {
  const lease = runLease(ports.store, draft.runId, settings.leaseSeconds);
  const outcome = await underLease(
    lease,
    () => draft,
    (claimed) => splitAndSubmit(claimed, bundle, ports),
  );
  // Once a run, however many attempts it took.
  ports.emit(outcome === undefined ? { DuplicateEvents: 1 } : { CasesReceived: 1 });
}

async function splitAndSubmit(
  claimed: Claimed,
  bundle: RegisteredBundle,
  ports: IngestPorts,
): Promise<IngestOutcome> {
  const { record } = claimed;
  await markOpen(ports.store, record.runId);
  const log = ports.log.with({ runId: record.runId, traceId: record.traceId });
  try {
    const manifest = await split(record, bundle, ports.store);
    if (await isPurged(record.runId, ports.store)) {
      log.info('withdrawn');
      return 'withdrawn';
    }
    const children = jobChildren(manifest.slabs.length, record);
    const id = await ports.submit(record, children);
    await advance(ports.store, claimed, { state: 'submitted', job: { id, children } });
    ports.emit({ SplitSeconds: manifest.splitSeconds });
    log.info('submitted', { jobId: id, count: children, seconds: manifest.splitSeconds });
    return 'submitted';
  } catch (error) {
    if (error instanceof InputError) {
      await quarantine(claimed, error, ports.store);
      ports.emit({ CasesQuarantined: 1 });
      log.warn('quarantined', { code: error.code });
      return 'quarantined';
    }
    if (isWithdrawn(error)) {
      await advance(ports.store, claimed, { state: 'withdrawn' });
      log.info('withdrawn');
      return 'withdrawn';
    }
    throw error;
  }
}

async function split(
  record: RunRecord,
  bundle: RegisteredBundle,
  store: S3Store,
): Promise<CaseManifest> {
  if (PAIR.test(record.input.name)) throw halfOfPair(record.input.name);
  const { body, metadata } = await store.open(record.imageKey, imageVersion(record));
  return splitCase(
    {
      run: identityOf(record),
      source: body,
      sourceProblems: problemsOf(metadata),
      bundle: bundle.manifest,
      keys: cloudRunKeys(record.dataset, record.caseId, record.runId),
      slicesPerSlab: record.slicesPerSlab,
    },
    { store },
  );
}

const PAIR = /\.(hdr|img)(\.gz)?$/i;

/** Nothing says when, or whether, the other half comes. */
const halfOfPair = (name: string): InputError =>
  new InputError({
    code: 'half-of-a-pair',
    subject: name,
    expected: 'one file, .nii or .nii.gz: a site processes uploads one by one',
    found: 'one of the two files of a .hdr/.img pair',
    remedy: 'Submit the pair with "sammix site submit", which makes one file of it, or convert it.',
  });

const identityOf = (record: RunRecord): RunIdentity => {
  const { runId, caseId, input, bundleDigest, parameters } = record;
  return { runId, caseId, input, bundleDigest, parameters };
};

/** The case was purged while it was being split: no job may begin. */
async function isPurged(runId: string, store: S3Store): Promise<boolean> {
  const now = await readRun(store, runId);
  return now === undefined || now.record.state === 'withdrawn';
}
