import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { createS3Client, RETRIES } from '../../adapters/aws-clients.ts';
import { S3Store } from '../../adapters/s3-store.ts';
import { ConfigError } from '../../core/errors.ts';
import { OUTPUT, stackName } from '../../site/contract/config.ts';
import { loadSite, siteFile } from '../../site/site-file.ts';
import { withOutput } from '../command.ts';

export interface SiteOptions {
  /** For who may not ask CloudFormation, as an uploader need not. */
  readonly bucket?: string;
  readonly region?: string;
}

/** The options of every command that speaks to a deployed site. */
export const withSite = (command: Command): Command =>
  withOutput(command)
    .option(
      '--region <region>',
      'AWS region of the site (default: its site file, or that of the credentials)',
    )
    .option('--bucket <name>', "the site's bucket (default: the output of its stack)");

/**
 * The bucket of a deployed site, as its stack names it, in the region of its site file.
 *
 * @throws ConfigError where there is no such stack in this account and region
 */
export async function openSite(site: string, options: SiteOptions): Promise<S3Store> {
  const region = siteRegion(site, options);
  const client = createS3Client({
    followRegionRedirects: true,
    ...(region === undefined ? {} : { region }),
  });
  const bucket = options.bucket ?? (await outputsOf(site, region))[OUTPUT.bucket];
  if (bucket === undefined) throw noSuchSite(site, region, `a stack without "${OUTPUT.bucket}"`);
  return new S3Store({ client, bucket });
}

/** The region that `openSite` uses; undefined for that of the credentials. */
export const siteRegion = (site: string, { region }: SiteOptions): string | undefined =>
  region ?? regionOf(site);

/** Where the site file says it is; undefined where this checkout has none: the profile's region. */
function regionOf(site: string): string | undefined {
  const file = siteFile(site);
  return existsSync(file) ? loadSite(file).region : undefined;
}

async function outputsOf(
  site: string,
  region: string | undefined,
): Promise<Readonly<Record<string, string | undefined>>> {
  const { CloudFormationClient, DescribeStacksCommand } = await import(
    '@aws-sdk/client-cloudformation'
  );
  const client = new CloudFormationClient({
    ...RETRIES,
    ...(region === undefined ? {} : { region }),
  });
  try {
    const command = new DescribeStacksCommand({ StackName: stackName(site) });
    const outputs = (await client.send(command)).Stacks?.[0]?.Outputs ?? [];
    return Object.fromEntries(
      outputs.map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]),
    );
  } catch (cause) {
    // What CloudFormation answers where there is no stack of the name.
    if (!(cause instanceof Error) || cause.name !== 'ValidationError') throw cause;
    throw noSuchSite(site, region, 'none', cause);
  }
}

const noSuchSite = (
  site: string,
  region: string | undefined,
  found: string,
  cause?: unknown,
): ConfigError =>
  new ConfigError(
    {
      code: 'no-such-site',
      subject: site,
      expected: `the stack ${stackName(site)} in ${region ?? "the credentials' region"}`,
      found,
      remedy: `Deploy the site ("npx cdk deploy -c site=${site}"), use its account's credentials and --region, or name its bucket with --bucket.`,
    },
    { cause },
  );
