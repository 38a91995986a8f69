import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';

/**
 * How every call to AWS is repeated, wherever it is made: up to six attempts, the pauses between them
 * doubled and drawn at random, so that what was throttled together does not come back together. Errors
 * that another attempt cannot mend (no permission, a bad request) are not repeated.
 */
export const RETRIES = { maxAttempts: 6, retryMode: 'standard' } as const;

/** An endpoint of one's own (an emulator, a gateway) has no host name per bucket. */
const hasOwnEndpoint = (): boolean =>
  process.env.AWS_ENDPOINT_URL !== undefined || process.env.AWS_ENDPOINT_URL_S3 !== undefined;

export const createS3Client = (config: S3ClientConfig = {}): S3Client =>
  new S3Client({ ...RETRIES, forcePathStyle: hasOwnEndpoint(), ...config });
