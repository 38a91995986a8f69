import type { Log } from '../adapters/log.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import type { CaseManifest, RunIdentity } from '../core/contract/manifest.ts';
import { InputError, StorageError } from '../core/errors.ts';
import { splitCase } from '../core/stage/split.ts';
import { StillInProgress } from '../functions/each-message.ts';
import { jobChildren } from './batch.ts';
import type { RegisteredBundle } from './bundles.ts';
import type { ObjectCreated } from './contract/events.ts';
import { cloudRunKeys, parseUpload, type Upload } from './contract/keys.ts';
import type { RunRecord } from './contract/runs.ts';
import { quarantine } from './failed-run.ts';
import type { EmitMetrics } from './metrics.ts';
import { once } from './once.ts';
import {
  advance,
  type Claimed,
  claimRun,
  imageVersion,
  newRun,
  type RunSettings,
  release,
} from './runs.ts';

export interface IngestPorts {
  readonly store: S3Store;
  readonly bundle: () => Promise<RegisteredBundle>;
  /** Starts the GPU work and returns its id. */
  readonly submit: (record: RunRecord, children: number) => Promise<string>;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

export interface IngestSettings extends RunSettings {
  readonly leaseSeconds: number;
}

export type IngestOutcome = 'ignored' | 'duplicate' | 'withdrawn' | 'quarantined' | 'submitted';

/** An uploaded image becomes slabs, a manifest and a GPU job; one that is refused is moved aside. */
export async function ingestImage(
  event: ObjectCreated,
  settings: IngestSettings,
  ports: IngestPorts,
): Promise<IngestOutcome> {
  const upload = parseUpload(event.detail.object.key);
  if (upload?.kind !== 'image') return 'ignored';
  return once(event, ports, () => ingestOnce(event, upload, settings, ports));
}

async function ingestOnce(
  event: ObjectCreated,
  upload: Upload,
  settings: IngestSettings,
  ports: IngestPorts,
): Promise<IngestOutcome> {
  const bundle = await ports.bundle();
  const draft = newRun(event, upload, bundle, settings);
  const claim = await claimRun(ports.store, draft, settings.leaseSeconds);
  if (claim.outcome === 'in-progress') throw new StillInProgress();
  if (claim.outcome === 'done') {
    ports.emit({ DuplicateEvents: 1 });
    return 'duplicate';
  }
  const outcome = await splitAndSubmit(claim.claimed, bundle, ports);
  // Once a run, however many attempts it took.
  ports.emit({ CasesReceived: 1 });
  return outcome;
}

async function splitAndSubmit(
  claimed: Claimed,
  bundle: RegisteredBundle,
  ports: IngestPorts,
): Promise<IngestOutcome> {
  const { record } = claimed;
  const log = ports.log.with({ runId: record.runId, traceId: record.traceId });
  try {
    const manifest = await split(record, bundle, ports.store);
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
    await release(ports.store, claimed);
    throw error;
  }
}

async function split(
  record: RunRecord,
  bundle: RegisteredBundle,
  store: S3Store,
): Promise<CaseManifest> {
  if (PAIR.test(record.input.name)) throw halfOfPair(record.input.name);
  const { body } = await store.open(record.imageKey, imageVersion(record));
  return splitCase(
    {
      run: identityOf(record),
      source: body,
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

/** The upload, or this version of it, was removed before its turn came: nothing is left to do. */
const isWithdrawn = (error: unknown): boolean =>
  error instanceof StorageError &&
  error.code === 'blob-missing' &&
  error.fault.subject.includes('/incoming/');
