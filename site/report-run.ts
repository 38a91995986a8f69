import type { Log } from '../adapters/log.ts';
import { provenance } from '../adapters/provenance.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import type { RunKeys } from '../core/contract/keys.ts';
import { CaseManifest } from '../core/contract/manifest.ts';
import type { Machine, SegmentedReport } from '../core/contract/report.ts';
import { datasetJsonTable } from '../core/dataset/class-tables.ts';
import { StorageError } from '../core/errors.ts';
import { getJson } from '../core/json.ts';
import { assembleCase } from '../core/stage/assemble.ts';
import { reportCase } from '../core/stage/report.ts';
import { readBundle } from './bundles.ts';
import type { LabelSettings } from './contract/config.ts';
import type { ObjectCreated } from './contract/events.ts';
import { cloudKeys, cloudRunKeys, parseUpload, type Upload } from './contract/keys.ts';
import type { GpuPrices } from './contract/prices.ts';
import type { JobRecord, LabelPointer, RunRecord } from './contract/runs.ts';
import { costOnMachines } from './cost/gpu-cost.ts';
import { forEvery } from './for-every.ts';
import { pointLatest } from './latest.ts';
import type { EmitMetrics } from './metrics.ts';
import { once } from './records.ts';
import {
  advance,
  type Claimed,
  imageVersion,
  labelOfRun,
  pointLabel,
  readJobRecords,
  readLatest,
  readRun,
  storedLabel,
  writeAccount,
} from './runs.ts';

export interface ReportPorts {
  readonly store: S3Store;
  readonly gpuPrices: GpuPrices;
  /** What the site's file says of labels, by dataset. */
  readonly labels?: LabelSettings;
  /** Names of the site's further targets. */
  readonly further: readonly string[];
  readonly log: Log;
  readonly emit: EmitMetrics;
}

/**
 * Assembles and reports a run whose GPU work is done. A second event for the same run does nothing.
 *
 * @throws StorageError (`run-unknown`) where no such run was ever claimed
 */
export async function reportRun(runId: string, ports: ReportPorts): Promise<void> {
  if (await ports.store.stat(cloudKeys.reported(runId))) return ports.emit({ DuplicateEvents: 1 });
  const claimed = await readRun(ports.store, runId);
  if (!claimed) throw unknownRun(runId);
  // Its case is being purged: nothing may be written of it.
  if (claimed.record.state === 'withdrawn') return ports.log.info('withdrawn', { runId });
  if (claimed.record.state === 'reported') ports.emit({ DuplicateEvents: 1 });
  else {
    await assembleAndReport(claimed.record, ports);
    await finish(claimed, ports);
  }
  await ports.store.put(cloudKeys.reported(runId), new Uint8Array(0));
}

/** Reports a run again, because its case got a label. False where its slabs are no longer kept. */
async function reportAgain(runId: string, ports: ReportPorts): Promise<boolean> {
  const { record } = (await readRun(ports.store, runId)) ?? {};
  if (record?.state !== 'reported') return record !== undefined;
  const { manifest } = keysOf(record);
  if (!(await ports.store.stat(manifest))) return false;
  await assembleAndReport(record, ports);
  return true;
}

const keysOf = ({ dataset, caseId, runId }: RunRecord): RunKeys =>
  cloudRunKeys(dataset, caseId, runId);

/**
 * The label is looked up again after the pointer is written: whoever uploads one meanwhile either
 * finds the pointer, or is found here.
 */
async function assembleAndReport(record: RunRecord, ports: ReportPorts): Promise<void> {
  const { store } = ports;
  let label = await labelOfRun(store, record);
  for (;;) {
    await pointLatest(store, record, await writeReport(record, label, ports));
    const now = await labelOfRun(store, record);
    if (now?.version === label?.version) return;
    label = now;
  }
}

async function writeReport(
  record: RunRecord,
  label: LabelPointer | undefined,
  { store, gpuPrices, emit, log }: ReportPorts,
): Promise<SegmentedReport> {
  const keys = keysOf(record);
  const manifest = await getJson(store, keys.manifest, CaseManifest);
  const assembled = await assembleCase({ manifest, keys }, { store });
  const jobs = await readJobRecords(store, record.runId);
  const report = await reportCase(
    {
      manifest,
      assembled,
      bundle: await readBundle(store, record.bundlePrefix),
      keys,
      label: label && storedLabel(label, store, record.target),
      openImage: async () => ({
        source: (await store.open(record.imageKey, imageVersion(record))).body,
      }),
      provenance: provenance(assembled.backend),
      peakMemoryMiB: peakMemoryMiB(jobs),
      cost: costOnMachines(jobs, gpuPrices),
      machines: machinesOf(jobs),
      traceId: record.traceId,
    },
    { store },
  );
  if (report.comparison) emit({ LabelsCompared: 1 });
  if (report.comparisonFault)
    log.warn('label-not-compared', { runId: record.runId, code: report.comparisonFault.code });
  return report;
}

const peakMemoryMiB = (jobs: readonly JobRecord[]): number | null =>
  jobs.length === 0 ? null : Math.max(...jobs.map((job) => job.peakMemoryMiB));

/** Each kind of instance once. */
function machinesOf(jobs: readonly JobRecord[]): Machine[] {
  const machines = jobs.flatMap(({ machine }) => machine ?? []);
  return [...new Map(machines.map((one) => [JSON.stringify(one), one])).values()];
}

async function finish(claimed: Claimed, ports: ReportPorts): Promise<void> {
  const { store, gpuPrices, log, emit } = ports;
  const { record } = claimed;
  const jobs = await readJobRecords(store, record.runId);
  const cost = costOnMachines(jobs, gpuPrices);
  const reportedAt = new Date();
  const change = {
    state: 'reported' as const,
    reportedAt: reportedAt.toISOString(),
    cost,
    backends: [...new Set(jobs.map(({ backend }) => backend))],
    machines: machinesOf(jobs),
  };
  await writeAccount(store, { ...record, ...change });
  // Of two events for one run that come at once, one counts.
  if (!(await advance(store, claimed, change))) return;
  const seconds = (reportedAt.getTime() - Date.parse(record.uploadedAt)) / 1000;
  emit({
    CasesReported: 1,
    GpuSeconds: cost.gpuSeconds,
    EstimatedUsd: cost.estimatedUsd,
    UploadToReportSeconds: seconds,
  });
  log.info('reported', { runId: record.runId, traceId: record.traceId, seconds });
}

const unknownRun = (runId: string): StorageError =>
  new StorageError({
    code: 'run-unknown',
    subject: runId,
    expected: 'the record of a run that the split function claimed',
    found: 'none',
    remedy: 'Upload the image again.',
  });

/**
 * Notes where a case's label is, and reports the case again, for each target, if it was reported without it. A label
 * that comes before its image waits for it.
 */
export async function ingestLabel(event: ObjectCreated, ports: ReportPorts): Promise<void> {
  const upload = parseUpload(event.detail.object.key);
  if (upload?.kind !== 'label') return;
  await once(event, ports, () => pointAndReport(event, upload, ports));
}

/** Read when a label comes, as what the site's file says: one that comes later changes nothing. */
async function classesOf(store: S3Store, dataset: string): Promise<Pick<LabelPointer, 'classes'>> {
  const found = await store.getTagged(cloudKeys.datasetJson(dataset));
  const table = found && datasetJsonTable(Buffer.from(found.body).toString('utf8'), 'dataset.json');
  return table
    ? { classes: table.classes.map((one) => ({ ...one, values: [...one.values] })) }
    : {};
}

async function pointAndReport(
  event: ObjectCreated,
  upload: Upload,
  ports: ReportPorts,
): Promise<void> {
  const { object } = event.detail;
  const choice = ports.labels?.[upload.dataset];
  const isNewest = await pointLabel(ports.store, upload, {
    schemaVersion: 1,
    key: object.key,
    version: object['version-id'],
    name: upload.fileName,
    uploadedAt: new Date(event.time).toISOString(),
    ...(choice && { choice }),
    ...(await classesOf(ports.store, upload.dataset)),
  });
  if (!isNewest) return;
  const { dataset, caseId } = upload;
  await forEvery([undefined, ...ports.further], async (target) => {
    const latest = await readLatest(ports.store, dataset, caseId, target);
    if (latest?.status !== 'segmented') return;
    const inTime = await reportAgain(latest.runId, ports);
    if (!inTime) ports.log.warn('label-too-late', { runId: latest.runId });
  });
}
