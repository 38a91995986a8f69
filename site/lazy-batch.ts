import type { BatchClient } from '@aws-sdk/client-batch';
import type { JobRequest } from './batch.ts';

/**
 * Submits jobs with a client that is loaded at the first of them: a function that answers a duplicate
 * event does not wait for it.
 */
export function jobSubmitter(): (request: JobRequest) => Promise<string> {
  let client: BatchClient | undefined;
  return async (request) => {
    const { createBatchClient, submitJob } = await import('./batch.ts');
    client ??= createBatchClient();
    return submitJob(client, request);
  };
}
