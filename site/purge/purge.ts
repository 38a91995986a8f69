import { pMapIterable } from 'p-map';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { StoredVersion } from '../../adapters/s3-versions.ts';
import { ConfigError } from '../../core/errors.ts';
import type { JobControl } from '../batch.ts';
import { cloudKeys } from '../contract/keys.ts';
import { advance, readRun } from '../runs.ts';
import { type DicomTraces, findDicomTraces, rewriteDicom } from './dicom.ts';
import { findSharedTraces, rewriteShared, type SharedTraces } from './shared.ts';
import { AT_ONCE, type CaseName, findOwnTraces, type OwnTraces } from './traces.ts';
import { findTrainingTraces, type TrainingTraces } from './training.ts';

/**
 * Removes every trace of a case. Uploads go first, so that nothing new begins; what is under way is stopped
 * and waited for; then the rest goes, and the same search as at the beginning shows what is left.
 */

export interface Traces {
  readonly own: OwnTraces;
  readonly dicom: DicomTraces;
  readonly shared: SharedTraces;
  readonly training: TrainingTraces;
}

export interface PurgeSettings {
  /** Also remove files below training/data/ that bear the case's name. */
  readonly trainingData: boolean;
  /** Nobody may have written anything of the case for so long: no function of AWS Lambda works longer. */
  readonly quietSeconds: number;
}

export const QUIET_SECONDS = 900;

export interface PurgePorts {
  readonly store: S3Store;
  readonly jobs: JobControl;
  readonly sleep: (ms: number) => Promise<void>;
  readonly tell: (line: string) => void;
}

export async function findTraces(store: S3Store, name: CaseName): Promise<Traces> {
  const own = await findOwnTraces(store, name);
  return {
    own,
    dicom: await findDicomTraces(store, name),
    shared: await findSharedTraces(store, name, own.names),
    training: await findTrainingTraces(store, name, own.names),
  };
}

/** What a purge would remove for good. */
export const versionsOf = (
  { own, dicom, shared, training }: Traces,
  trainingData: boolean,
): StoredVersion[] => [
  ...dicom.uploads,
  ...own.uploads,
  ...own.results,
  ...dicom.records,
  ...dicom.old,
  ...shared.old,
  ...(trainingData ? training.copies : []),
];

/** Objects from which the case is taken while they stay. */
export const rewrittenOf = ({ shared, dicom }: Traces): number =>
  shared.evaluations.length +
  dicom.rewritten.length +
  Number(shared.patients) +
  Number(shared.summary);

/**
 * @returns how many versions were removed, and the traces before and afterwards
 * @throws ConfigError (`evaluation-running`) before anything is changed
 */
export async function purgeCase(
  name: CaseName,
  settings: PurgeSettings,
  ports: PurgePorts,
): Promise<{ readonly removed: number; readonly before: Traces; readonly left: Traces }> {
  const { store } = ports;
  const before = await findTraces(store, name);
  if (before.shared.running.length > 0) throw evaluationRunning(before.shared.running);
  // DICOM first: of it images come.
  const uploads = [...before.dicom.uploads, ...before.own.uploads];
  await dealtWith(store, uploads);
  let removed = await remove(store, uploads);
  await stopRuns(before.own.runIds, settings, ports);
  await quiet(name, uploads, settings, ports);
  const now = await findTraces(store, name);
  removed += await remove(store, versionsOf(now, settings.trainingData));
  // A summary is made of the cases that are there.
  await rewriteShared(store, name, now.shared);
  await rewriteDicom(store, name, now.dicom);
  // Rewriting has made more old versions.
  const { shared, dicom } = await findTraces(store, name);
  removed += await remove(store, [...shared.old, ...dicom.old]);
  return { removed, before, left: await findTraces(store, name) };
}

/**
 * An event of an upload may still be on its way: it finds that the upload was dealt with. Such a mark is a
 * hash over a random version id, of which no name can be had.
 */
async function dealtWith(store: S3Store, uploads: readonly StoredVersion[]): Promise<void> {
  for (const { key, versionId, isDeleteMarker } of uploads)
    if (!isDeleteMarker) await store.put(cloudKeys.handled(key, versionId), new Uint8Array(0));
}

async function remove(store: S3Store, versions: readonly StoredVersion[]): Promise<number> {
  let removed = 0;
  const gone = pMapIterable(versions, ({ key, versionId }) => store.removeVersion(key, versionId), {
    concurrency: AT_ONCE,
  });
  for await (const _ of gone) removed += 1;
  return removed;
}

const POLL_SECONDS = 5;

/** From here on no event makes anything of these runs; jobs that work on them are ended. */
async function stopRuns(
  runIds: readonly string[],
  { quietSeconds }: PurgeSettings,
  { store, jobs, sleep, tell }: PurgePorts,
): Promise<void> {
  const stopped: string[] = [];
  for (const runId of runIds) {
    const job = await withdraw(store, runId);
    if (job === undefined) continue;
    await jobs.terminate(job, 'its case is purged');
    stopped.push(job);
  }
  const pollMs = Math.min(POLL_SECONDS, quietSeconds) * 1000;
  for (let running = stopped; running.length > 0; await sleep(pollMs)) {
    const found = await jobs.find(running);
    running = running.filter((id) => {
      const status = found.get(id)?.status;
      return status !== undefined && status !== 'SUCCEEDED' && status !== 'FAILED';
    });
    if (running.length === 0) return;
    tell(`waiting for ${running.length} stopped job(s) to end`);
  }
}

/** Returns the job of a run that has not ended; the run is over for whoever looks at its record. */
async function withdraw(store: S3Store, runId: string): Promise<string | undefined> {
  for (;;) {
    const claimed = await readRun(store, runId);
    const { state, job } = claimed?.record ?? {};
    if (!claimed || (state !== 'claimed' && state !== 'submitted')) return undefined;
    if (await advance(store, claimed, { state: 'withdrawn' })) return job?.id;
  }
}

/** Waits until no function can still be at work that has begun before. */
async function quiet(
  name: CaseName,
  uploads: readonly StoredVersion[],
  { quietSeconds }: PurgeSettings,
  { store, sleep, tell }: PurgePorts,
): Promise<void> {
  for (;;) {
    const { results } = await findOwnTraces(store, name);
    const newest = Math.max(
      0,
      ...[...uploads, ...results].map(({ modifiedAt }) => Date.parse(modifiedAt)),
    );
    const waitMs = newest + quietSeconds * 1000 - Date.now();
    if (waitMs <= 0) return;
    tell(
      `something of the case was written a moment ago: waiting until ${new Date(Date.now() + waitMs).toISOString()}`,
    );
    await sleep(waitMs);
  }
}

const evaluationRunning = (ids: readonly string[]): ConfigError =>
  new ConfigError({
    code: 'evaluation-running',
    subject: ids.join(', '),
    expected: 'evaluations that have ended: a running one writes reports of the case',
    found: 'evaluations under way that name the case',
    remedy: 'Wait for their end (or their deadline) and purge then. Nothing was changed.',
  });
