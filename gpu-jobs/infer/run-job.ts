import * as z from 'zod';
import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { SammixError, StorageError } from '../../core/errors.ts';
import { siteContext } from '../../site/context.ts';
import { EXIT } from '../../site/contract/env.ts';
import type { ModelOptions } from './job-model.ts';

/** What every job's environment has. */
type JobEnv = z.core.$ZodType<{
  SAMMIX_SITE: string;
  SAMMIX_BUCKET: string;
  SAMMIX_PROVIDERS: string;
  SAMMIX_THREADS: number;
  SAMMIX_TRACE_ID: string;
}>;

export interface JobContext<Env> {
  readonly env: Env;
  readonly options: ModelOptions;
  readonly store: S3Store;
  readonly below: (prefix: string) => S3Store;
  readonly log: Log;
  readonly stop: AbortSignal;
}

const Providers = z.array(z.enum(['cuda', 'cpu'])).min(1);

/** Runs a job as a process's whole life. The exit code tells Batch whether another attempt can help. */
export async function runJob<Schema extends JobEnv>(
  service: string,
  schema: () => Schema,
  run: (context: JobContext<z.output<Schema>>) => Promise<'done' | 'interrupted'>,
): Promise<void> {
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort());
  const { env, store, below, log: siteLog } = siteContext(service, schema)();
  const log = siteLog.with({ traceId: env.SAMMIX_TRACE_ID });
  try {
    const options = {
      providers: Providers.parse(env.SAMMIX_PROVIDERS.split(',')),
      threads: env.SAMMIX_THREADS,
    };
    const outcome = await run({ env, options, store, below, log, stop: stop.signal });
    log.info(outcome);
    process.exitCode = outcome === 'done' ? EXIT.done : EXIT.interrupted;
  } catch (error) {
    log.error('job-failed', error);
    process.exitCode = exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof StorageError && error.code === 'storage-failed') return EXIT.tryAgain;
  return error instanceof SammixError ? EXIT.refused : EXIT.defect;
}
