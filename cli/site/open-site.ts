import { ListBucketsCommand } from '@aws-sdk/client-s3';
import type { Command } from 'commander';
import { createS3Client } from '../../adapters/aws-clients.ts';
import { S3Store } from '../../adapters/s3-store.ts';
import { ConfigError } from '../../core/errors.ts';
import { withOutput } from '../command.ts';

export interface SiteOptions {
  /** Names the bucket where it cannot be found by the site's name. */
  readonly bucket?: string;
  readonly region?: string;
}

/** The options of every command that speaks to a deployed site. */
export const withSite = (command: Command): Command =>
  withOutput(command)
    .option('--region <region>', 'AWS region of the site (default: that of the credentials)')
    .option('--bucket <name>', "the site's bucket (default: found by the site's name)");

/** The data bucket's name as CloudFormation makes it from the stack and the construct. */
const bucketPrefix = (site: string): string => `sammix-${site}-storagedata`;

/**
 * The bucket of a deployed site. A destroyed site keeps its bucket, so of several the newest counts.
 *
 * @throws ConfigError where this account has no such site
 */
export async function openSite(site: string, options: SiteOptions): Promise<S3Store> {
  const client = createS3Client(options.region);
  if (options.bucket !== undefined) return new S3Store({ client, bucket: options.bucket });
  const { Buckets } = await client.send(new ListBucketsCommand({ Prefix: bucketPrefix(site) }));
  const [newest] = (Buckets ?? []).sort(
    (a, b) => (b.CreationDate?.getTime() ?? 0) - (a.CreationDate?.getTime() ?? 0),
  );
  if (newest?.Name !== undefined) return new S3Store({ client, bucket: newest.Name });
  throw new ConfigError({
    code: 'no-such-site',
    subject: site,
    expected: `a bucket that begins with ${bucketPrefix(site)}`,
    found: 'none in this account',
    remedy: `Deploy the site ("npx cdk deploy -c site=${site}"), use its account's credentials, or name its bucket with --bucket.`,
  });
}
