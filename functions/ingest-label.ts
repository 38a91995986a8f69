import { pointLabel, readLatest } from '../adapters/run-records.ts';
import { parseUpload, type Upload } from '../core/contract/cloud-keys.ts';
import type { ObjectCreated } from '../core/contract/events.ts';
import { once } from './once.ts';
import { type ReportPorts, reportAgain } from './report-run.ts';

/**
 * Notes where a case's label is, and reports the case again if it was reported without it. A label
 * that comes before its image waits for it.
 */
export async function ingestLabel(event: ObjectCreated, ports: ReportPorts): Promise<void> {
  const upload = parseUpload(event.detail.object.key);
  if (upload?.kind !== 'label') return;
  await once(event, ports, () => pointAndReport(event, upload, ports));
}

async function pointAndReport(
  event: ObjectCreated,
  upload: Upload,
  ports: ReportPorts,
): Promise<void> {
  const { object } = event.detail;
  const isNewest = await pointLabel(ports.store, upload, {
    schemaVersion: 1,
    key: object.key,
    version: object['version-id'],
    name: upload.fileName,
    uploadedAt: new Date(event.time).toISOString(),
  });
  if (!isNewest) return;
  const latest = await readLatest(ports.store, upload.dataset, upload.caseId);
  if (latest?.status !== 'segmented') return;
  const inTime = await reportAgain(latest.runId, ports);
  if (!inTime) ports.log.warn('label-too-late', { runId: latest.runId });
}
