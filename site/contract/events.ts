import * as z from 'zod';

/** The events that AWS delivers, as far as a site reads them. */

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
    /** Times in milliseconds since 1970. */
    attempts: z
      .array(z.object({ startedAt: z.number().optional(), stoppedAt: z.number().optional() }))
      .optional(),
    container: z.object({ exitCode: z.number().optional() }).optional(),
  }),
});
export type JobStateChange = z.infer<typeof JobStateChange>;

/** EventBridge, `aws.batch`: the first job of a queue has waited for so long that Batch asks why. */
export const QueueBlocked = z.object({
  source: z.literal('aws.batch'),
  'detail-type': z.literal('Batch Job Queue Blocked'),
  detail: z.object({ statusReason: z.string() }),
});

/** What the watch's schedule puts on its queue. */
export const WatchRequested = z.object({ source: z.literal('sammix.watch') });

export const WatchEvent = z.discriminatedUnion('source', [WatchRequested, QueueBlocked]);
export type WatchEvent = z.infer<typeof WatchEvent>;

export const SiteEvent = z.discriminatedUnion('source', [ObjectCreated, JobStateChange]);
export type SiteEvent = z.infer<typeof SiteEvent>;
