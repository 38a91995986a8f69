import { InputError } from '../../core/errors.ts';
import type { AxialStack } from '../../dicom/series.ts';
import { type SortedFiles, sortFiles } from '../../dicom/sort-files.ts';
import type { SiteContext } from '../context.ts';
import { type DicomSource, DicomUpload, dicomCaseId } from '../contract/dicom.ts';
import type { DicomEnv } from '../contract/env.ts';
import type { ObjectCreated } from '../contract/events.ts';
import { type DicomUploadKey, parseDicomUpload } from '../contract/keys.ts';
import { forEvery } from '../for-every.ts';
import { type Lease, type Tagged, underLease } from '../lease.ts';
import { once, replaceJson } from '../records.ts';
import { isWithdrawn } from '../runs.ts';
import { siteTargets } from '../targets.ts';
import { filesOfSource } from './open-series.ts';
import { type RefusePorts, refuseSeries, refuseUpload } from './refuse.ts';
import { readSiteKey } from './site-key.ts';
import {
  countAside,
  dicomUploadKey,
  newDicomUpload,
  noCtSeries,
  sourceOfSeries,
  sourceOfUpload,
} from './uploads.ts';
import { uploadVolume, volumeKeyOf } from './volume.ts';

interface DicomPorts extends RefusePorts {
  /** Names the cases. */
  readonly key: Uint8Array;
  readonly leaseSeconds: number;
}

let opened: Promise<DicomPorts> | undefined;

/** Ingests with what the function keeps while it is warm: the key, its clients. */
export async function ingestDicomUpload(
  event: ObjectCreated,
  context: SiteContext<DicomEnv>,
): Promise<void> {
  opened ??= openPorts(context).catch((error: unknown) => {
    opened = undefined;
    throw error;
  });
  await ingestDicom(event, await opened);
}

async function openPorts({ env, store, log, emit }: SiteContext<DicomEnv>): Promise<DicomPorts> {
  return {
    store,
    key: await readSiteKey(env.SAMMIX_DICOM_KEY),
    targets: siteTargets(store, env.SAMMIX_BUNDLE, env.SAMMIX_TARGETS),
    headerText: env.SAMMIX_HEADER_TEXT,
    leaseSeconds: env.SAMMIX_LEASE_SECONDS,
    log,
    emit,
  };
}

/**
 * Every axial CT series of an upload becomes an image for the split. One that cannot is reported as its
 * case's failure and stops none of the others; an upload without any is refused.
 */
async function ingestDicom(event: ObjectCreated, ports: DicomPorts): Promise<void> {
  const upload = parseDicomUpload(event.detail.object.key);
  if (!upload) return;
  await once(event, ports, async () => {
    const draft = newDicomUpload(event, upload);
    const work = (held: Tagged<DicomUpload>) => ingestHeld(event, upload, held.record, ports);
    await underLease(leaseOf(draft, ports), (before) => before ?? draft, work);
  });
}

const leaseOf = (
  draft: DicomUpload,
  { store, leaseSeconds }: DicomPorts,
): Lease<typeof DicomUpload> => ({
  store,
  key: dicomUploadKey(draft),
  schema: DicomUpload,
  leaseSeconds,
  stateOf: ({ state }) => (state === 'claimed' ? 'held' : 'done'),
});

async function ingestHeld(
  event: ObjectCreated,
  upload: DicomUploadKey,
  record: DicomUpload,
  ports: DicomPorts,
): Promise<void> {
  const { store, emit } = ports;
  const log = ports.log.with({ uploadId: record.uploadId });
  const end = (change: Partial<DicomUpload>) =>
    replaceJson(store, dicomUploadKey(record), DicomUpload, (now) => now && { ...now, ...change });
  try {
    const source = await sourceOfUpload(upload, event, store);
    const { files, tooLarge } = await filesOfSource(source, store);
    const sorted = await sortFiles(files);
    const leftAside = countAside(sorted.leftAside);
    if (tooLarge > 0) leftAside.push({ code: 'file-too-large', files: tooLarge });
    if (sorted.stacks.length === 0) throw noCtSeries(record.uploadId, leftAside, files.length);
    const series = await convertAll({ event, record, source, sorted }, ports);
    await end({ state: 'converted', series, leftAside });
    log.info('dicom-converted', { count: series.length });
    for (const { code, files: count } of leftAside) log.info('left-aside', { code, count });
  } catch (error) {
    if (isWithdrawn(error)) {
      await end({ state: 'withdrawn' });
      log.info('withdrawn');
    } else if (error instanceof InputError) {
      const fault = await refuseUpload(upload, record, error, store);
      await end({ state: 'refused', fault });
      emit({ CasesReceived: 1, CasesQuarantined: 1 });
      log.warn('quarantined', { code: error.code });
    } else throw error;
  }
}

interface OpenedUpload {
  readonly event: ObjectCreated;
  readonly record: DicomUpload;
  readonly source: DicomSource['source'];
  readonly sorted: SortedFiles;
}

/** All series, also where one fails by no fault of its own: then the message comes back. */
async function convertAll(upload: OpenedUpload, ports: DicomPorts): Promise<DicomUpload['series']> {
  const series: DicomUpload['series'] = [];
  await forEvery(upload.sorted.stacks, async (stack) => {
    series.push(await convertSeries(stack, upload, ports));
  });
  return series;
}

async function convertSeries(
  stack: AxialStack,
  { event, record: { dataset }, source, sorted }: OpenedUpload,
  ports: DicomPorts,
): Promise<DicomUpload['series'][number]> {
  const volume = { seriesInstanceUid: stack.seriesUid, part: stack.part ?? null };
  const caseId = dicomCaseId(ports.key, volume);
  const series = {
    schemaVersion: 1 as const,
    dataset,
    caseId,
    source: sourceOfSeries(source, sorted.instances, stack.seriesUid),
    ...volume,
    volumeKey: volumeKeyOf(dataset, caseId),
  };
  try {
    return { caseId, outcome: await uploadVolume(stack, series, ports.store), code: null };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    await refuseSeries(event, series, error, ports);
    return { caseId, outcome: 'refused', code: error.code };
  }
}
