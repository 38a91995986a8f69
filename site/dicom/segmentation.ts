import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { SegmentedReport } from '../../core/contract/report.ts';
import { InputError, StorageError } from '../../core/errors.ts';
import { putJson } from '../../core/json.ts';
import { readReport } from '../../core/stage/finished-report.ts';
import { derivationOf } from '../../dicom/derived.ts';
import { maskFrames } from '../../dicom/mask-frames.ts';
import { dicomSegmentation } from '../../dicom/segmentation.ts';
import { planVolume } from '../../dicom/volume.ts';
import { DicomSource, type NoSegmentation } from '../contract/dicom.ts';
import type { ObjectCreated } from '../contract/events.ts';
import { cloudKeys, cloudRunKeys, parseLatest, versionIdOf } from '../contract/keys.ts';
import { LatestPointer } from '../contract/runs.ts';
import type { EmitMetrics } from '../metrics.ts';
import { findJson } from '../records.ts';
import { openSeries } from './open-series.ts';

export interface SegmentationPorts {
  readonly store: S3Store;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

/**
 * Writes the DICOM-SEG beside the mask of a run that has become its case's newest, where the case came by
 * DICOM; for each target by itself. What cannot be written as DICOM costs that file alone, and the run's
 * folder says so. A second event for the same run does nothing.
 */
export async function segmentationOfNewest(
  event: ObjectCreated,
  ports: SegmentationPorts,
): Promise<void> {
  const { store, emit } = ports;
  const { key } = event.detail.object;
  const at = parseLatest(key);
  const source =
    at && (await findJson(store, cloudKeys.dicomSource(at.dataset, at.caseId), DicomSource));
  if (!source) return;
  // Gone where the case is being purged: then nothing may be written of it.
  const pointer = await findJson(store, key, LatestPointer);
  if (pointer?.status !== 'segmented') return;
  const { runId } = pointer;
  if (await isDecided(source, runId, store)) return emit({ DuplicateEvents: 1 });
  const report = await readReport(store, cloudRunKeys(source.dataset, source.caseId, runId));
  if (report?.status === 'segmented') await segmentationOfRun(source, { ...report, runId }, ports);
}

/** A run, by the report of it. */
type Run = SegmentedReport & { readonly runId: string };

async function isDecided(
  { dataset, caseId }: DicomSource,
  runId: string,
  store: S3Store,
): Promise<boolean> {
  const keys = [
    cloudRunKeys(dataset, caseId, runId).dicomSeg,
    cloudKeys.noSegmentation(dataset, caseId, runId),
  ];
  const found = await Promise.all(keys.map((key) => store.stat(key)));
  return found.some((one) => one !== undefined);
}

async function segmentationOfRun(
  source: DicomSource,
  run: Run,
  { store, log, emit }: SegmentationPorts,
): Promise<void> {
  const { runId } = run;
  const keys = cloudRunKeys(source.dataset, source.caseId, runId);
  // The series came again meanwhile, with other images; the run of those will be told of in its turn.
  if (versionIdOf(run.input.version) !== source.volumeVersionId)
    return log.info('dicom-seg-superseded', { runId });
  try {
    const made = await makeSegmentation(source, run, store);
    // An object of no frame would be none.
    if (!made) return log.info('dicom-seg-empty', { runId });
    await store.put(keys.dicomSeg, made, 'application/dicom');
    emit({ DicomSegsWritten: 1 });
    log.info('dicom-seg', { runId, bytes: made.byteLength });
  } catch (error) {
    if (!isFinal(error)) throw error;
    const reason: NoSegmentation = { schemaVersion: 1, runId, code: error.code, remedy: REMEDY };
    await putJson(store, cloudKeys.noSegmentation(source.dataset, source.caseId, runId), reason);
    emit({ DicomSegsFailed: 1 });
    log.warn('dicom-seg-failed', { runId, code: error.code });
  }
}

/** The text of a fault may quote what a file or a patient is called. */
const REMEDY =
  'The mask stands. Upload the series again, or write the file on a laptop with "sammix export".';

async function makeSegmentation(
  source: DicomSource,
  run: Run,
  store: S3Store,
): Promise<Uint8Array | undefined> {
  if (run.volumeMl === 0) return undefined;
  const { mask } = cloudRunKeys(source.dataset, source.caseId, run.runId);
  const plan = planVolume(await openSeries(source, store), source.caseId);
  return dicomSegmentation(
    plan,
    maskFrames(plan, store.read(mask), 'mask.nii.gz'),
    derivationOf(run),
  );
}

/** Whatever another attempt would find again: the series is gone, or is not that of the mask. */
const isFinal = (error: unknown): error is InputError | StorageError =>
  error instanceof InputError || (error instanceof StorageError && error.code === 'blob-missing');
