import { z } from 'zod';
import { siteContext } from '../../adapters/site-context.ts';
import { SegmentJobEnv } from '../../core/contract/env.ts';
import { EXIT } from '../../core/contract/exit-codes.ts';
import { SammixError, StorageError } from '../../core/errors.ts';
import { runSegmentJob } from './segment-job.ts';

/** The command of the segment job. Its exit code tells Batch whether another attempt can help. */

const Providers = z.array(z.enum(['cuda', 'cpu'])).min(1);

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

process.exitCode = await main();

async function main(): Promise<number> {
  const { env, store, below, log: siteLog } = siteContext('segment', SegmentJobEnv)();
  const log = siteLog.with({ runId: env.SAMMIX_RUN_ID, traceId: env.SAMMIX_TRACE_ID });
  try {
    const outcome = await runSegmentJob(
      {
        runId: env.SAMMIX_RUN_ID,
        index: env.AWS_BATCH_JOB_ARRAY_INDEX,
        attempt: env.AWS_BATCH_JOB_ATTEMPT,
        providers: Providers.parse(env.SAMMIX_PROVIDERS.split(',')),
        threads: env.SAMMIX_THREADS,
      },
      { store, below, log, stop: stop.signal },
    );
    log.info(outcome, { index: env.AWS_BATCH_JOB_ARRAY_INDEX });
    return outcome === 'done' ? EXIT.done : EXIT.interrupted;
  } catch (error) {
    log.error('job-failed', error);
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof StorageError && error.code === 'storage-failed') return EXIT.tryAgain;
  return error instanceof SammixError ? EXIT.refused : EXIT.defect;
}
