import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { Log } from '../../adapters/log.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { Machine } from '../../core/contract/report.ts';
import { BundleError, SammixError, StorageError } from '../../core/errors.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { siteContext } from '../../site/context.ts';
import { EXIT } from '../../site/contract/env.ts';
import type { ModelOptions } from './job-model.ts';

/** What every job's environment has. */
type JobEnv = z.core.$ZodType<{
  SAMMIX_SITE: string;
  SAMMIX_BUCKET: string;
  SAMMIX_PROVIDERS: string;
  SAMMIX_THREADS: number;
  SAMMIX_MACHINE: string;
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
      machine: readMachine(env.SAMMIX_MACHINE),
    };
    const outcome = await run({ env, options, store, below, log, stop: stop.signal });
    log.info(outcome);
    process.exitCode = outcome === 'done' ? EXIT.done : EXIT.interrupted;
  } catch (error) {
    log.error('job-failed', error);
    process.exitCode = exitCodeOf(error);
  }
}

/** A job does not end because its instance could not say what it is. */
function readMachine(folder: string): Machine | null {
  try {
    return fromJsonBytes(Machine, readFileSync(path.join(folder, 'machine.json')));
  } catch {
    return null;
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof StorageError && error.code === 'storage-failed') return EXIT.tryAgain;
  if (error instanceof BundleError && error.code === 'no-backend') return EXIT.noGpu;
  return error instanceof SammixError ? EXIT.refused : EXIT.defect;
}
