import { type $ZodType, type output, safeParse } from 'zod/v4/core';
import { createS3Client } from '../adapters/aws-clients.ts';
import { createLog, type Log } from '../adapters/log.ts';
import { S3Store } from '../adapters/s3-store.ts';
import { ConfigError } from '../core/errors.ts';
import { createMetrics, type EmitMetrics } from './metrics.ts';

/** What every function and job has: its settings, the site's bucket, a log and metrics. */
export interface SiteContext<Env> {
  readonly env: Env;
  readonly store: S3Store;
  /** Another view of the bucket, below a prefix. */
  below(prefix: string): S3Store;
  readonly log: Log;
  readonly emit: EmitMetrics;
}

/**
 * Parses the environment and opens the clients on the first call, and returns the same context from
 * then on: an import has no effects, and a warm function opens nothing again.
 */
export function siteContext<
  Schema extends $ZodType<{ SAMMIX_SITE: string; SAMMIX_BUCKET: string }>,
>(service: string, schema: () => Schema): () => SiteContext<output<Schema>> {
  let context: SiteContext<output<Schema>> | undefined;
  return () => {
    context ??= openContext(service, schema());
    return context;
  };
}

function openContext<Schema extends $ZodType<{ SAMMIX_SITE: string; SAMMIX_BUCKET: string }>>(
  service: string,
  schema: Schema,
): SiteContext<output<Schema>> {
  const env = parseEnvironment(service, schema, process.env);
  const store = new S3Store({ client: createS3Client(), bucket: env.SAMMIX_BUCKET });
  return {
    env,
    store,
    below: (prefix) => store.below(prefix),
    log: createLog(service, env.SAMMIX_SITE),
    emit: createMetrics(env.SAMMIX_SITE),
  };
}

function parseEnvironment<Schema extends $ZodType>(
  service: string,
  schema: Schema,
  environment: NodeJS.ProcessEnv,
): output<Schema> {
  const parsed = safeParse(schema, environment);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    {
      code: 'bad-environment',
      subject: service,
      expected: 'the environment that the site stack sets',
      found: parsed.error.issues
        .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
        .join('; '),
      remedy: 'Deploy the site again.',
    },
    { cause: parsed.error },
  );
}

/** Another attempt is working on the same thing: the message has to come back, but nothing is wrong. */
export class StillInProgress extends Error {
  override readonly name = 'StillInProgress';
}

/** The id under which X-Ray shows this invocation, or a new one of the same form. */
export function traceId(now: Date = new Date()): string {
  const [, root] = /Root=([0-9a-f-]+)/.exec(process.env._X_AMZN_TRACE_ID ?? '') ?? [];
  if (root !== undefined) return root;
  const seconds = Math.floor(now.getTime() / 1000).toString(16);
  return `1-${seconds}-${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`;
}
