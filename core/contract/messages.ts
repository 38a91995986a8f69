import { z } from 'zod';
import { InputIdentity, Parameters } from './manifest.ts';

/** What functions and jobs tell each other: events that AWS delivers, and small records in S3. */

/** EventBridge, `aws.s3`, `Object Created`. The key is not URL-encoded there. */
export const ObjectCreated = z.object({
  source: z.literal('aws.s3'),
  'detail-type': z.literal('Object Created'),
  time: z.iso.datetime(),
  detail: z.object({
    bucket: z.object({ name: z.string() }),
    object: z.object({
      key: z.string(),
      size: z.number(),
      'version-id': z.string(),
    }),
  }),
});
export type ObjectCreated = z.infer<typeof ObjectCreated>;

/** EventBridge, `aws.batch`, `Batch Job State Change`, of a plain job or an array's parent. */
export const JobStateChange = z.object({
  source: z.literal('aws.batch'),
  'detail-type': z.literal('Batch Job State Change'),
  detail: z.object({
    jobId: z.string(),
    jobName: z.string(),
    status: z.enum(['SUCCEEDED', 'FAILED']),
    statusReason: z.string().optional(),
    arrayProperties: z.object({ index: z.number().optional() }).loose().optional(),
  }),
});
export type JobStateChange = z.infer<typeof JobStateChange>;

export const SiteEvent = z.discriminatedUnion('source', [ObjectCreated, JobStateChange]);
export type SiteEvent = z.infer<typeof SiteEvent>;

/** Job names carry the run's id and nothing of the patient. */
export const segmentJobName = (runId: string): string => `segment-${runId}`;

export function runIdOfJobName(jobName: string): string | undefined {
  return /^segment-([0-9a-f]{16})$/.exec(jobName)?.[1];
}

/** `models/active.json` */
export const ActiveBundle = z.strictObject({
  schemaVersion: z.literal(1),
  prefix: z.string(),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  activatedAt: z.iso.datetime(),
});
export type ActiveBundle = z.infer<typeof ActiveBundle>;

export const RunState = z.enum([
  'claimed',
  'submitted',
  'reported',
  'failed',
  'quarantined',
  'withdrawn',
]);
export type RunState = z.infer<typeof RunState>;

/** `runs/<run>.json`: the whole state of one run. */
export const RunRecord = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string().regex(/^[0-9a-f]{16}$/),
  state: RunState,
  dataset: z.string(),
  caseId: z.string(),
  imageKey: z.string(),
  input: InputIdentity,
  uploadedAt: z.iso.datetime(),
  bundlePrefix: z.string(),
  bundleDigest: z.string(),
  parameters: Parameters,
  slicesPerJob: z.int().positive(),
  slicesPerSlab: z.int().positive(),
  traceId: z.string(),
  claimedAt: z.iso.datetime(),
  job: z.strictObject({ id: z.string(), children: z.int().positive() }).nullable(),
  reportedAt: z.iso.datetime().nullable(),
  cost: z
    .strictObject({
      /** Wall time of the GPU jobs, model load included. */
      gpuSeconds: z.number().nonnegative(),
      usdPerGpuHour: z.number().nonnegative(),
      /** `gpuSeconds` at that price; start-up of the instances and storage not included. */
      estimatedUsd: z.number().nonnegative(),
    })
    .nullable(),
});
export type RunRecord = z.infer<typeof RunRecord>;

/** `runs/<run>/jobs/<index>-<attempt>.json`: a GPU job's own account of one attempt. */
export const JobRecord = z.strictObject({
  schemaVersion: z.literal(1),
  index: z.int().nonnegative(),
  attempt: z.int().positive(),
  backend: z.string(),
  loadSeconds: z.number().nonnegative(),
  totalSeconds: z.number().nonnegative(),
  slabsDone: z.int().nonnegative(),
  slabsSkipped: z.int().nonnegative(),
  peakMemoryMiB: z.number().nonnegative(),
});
export type JobRecord = z.infer<typeof JobRecord>;

/** `cases/<dataset>/<case>/latest.json`: the newest upload's run, whatever order runs end in. */
export const LatestPointer = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  prefix: z.string(),
  status: z.enum(['segmented', 'failed']),
  uploadedAt: z.iso.datetime(),
});
export type LatestPointer = z.infer<typeof LatestPointer>;

/** `cases/<dataset>/<case>/label.json`: where the case's reference mask is. */
export const LabelPointer = z.strictObject({
  schemaVersion: z.literal(1),
  key: z.string(),
  version: z.string(),
  name: z.string(),
  uploadedAt: z.iso.datetime(),
});
export type LabelPointer = z.infer<typeof LabelPointer>;
