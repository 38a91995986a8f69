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

export const SiteEvent = z.discriminatedUnion('source', [ObjectCreated, JobStateChange]);
export type SiteEvent = z.infer<typeof SiteEvent>;
