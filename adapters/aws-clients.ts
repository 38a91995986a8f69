import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';

/** Attempts of one call, with exponential backoff: Batch takes 50 submissions a second. */
export const MAX_ATTEMPTS = 6;

/** An endpoint of one's own (an emulator, a gateway) has no host name per bucket. */
const hasOwnEndpoint = (): boolean =>
  process.env.AWS_ENDPOINT_URL !== undefined || process.env.AWS_ENDPOINT_URL_S3 !== undefined;

export const createS3Client = (config: S3ClientConfig = {}): S3Client =>
  new S3Client({ maxAttempts: MAX_ATTEMPTS, forcePathStyle: hasOwnEndpoint(), ...config });
