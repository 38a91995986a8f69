import { BatchClient, SubmitJobCommand, type SubmitJobCommandInput } from '@aws-sdk/client-batch';
import { MAX_CHILDREN } from '../core/contract/job-plan.ts';
import { MAX_ATTEMPTS } from './aws-clients.ts';

export const createBatchClient = (region?: string): BatchClient =>
  new BatchClient({ maxAttempts: MAX_ATTEMPTS, ...(region === undefined ? {} : { region }) });

export interface JobRequest {
  readonly name: string;
  readonly queue: string;
  readonly definition: string;
  readonly environment: Readonly<Record<string, string>>;
  /** How many copies run, each with its own index. Batch's array jobs need 2 to 10 000. */
  readonly children: number;
}

/** Submits a plain job for one child, an array job for more. Returns Batch's job id. */
export async function submitJob(client: BatchClient, request: JobRequest): Promise<string> {
  const { children } = request;
  if (!Number.isInteger(children) || children < 1 || children > MAX_CHILDREN)
    throw new RangeError(`children must be 1 to ${MAX_CHILDREN}, got ${children}`);
  const input: SubmitJobCommandInput = {
    jobName: request.name,
    jobQueue: request.queue,
    jobDefinition: request.definition,
    containerOverrides: {
      environment: Object.entries(request.environment).map(([name, value]) => ({ name, value })),
    },
    ...(children > 1 ? { arrayProperties: { size: children } } : {}),
  };
  const { jobId } = await client.send(new SubmitJobCommand(input));
  if (jobId === undefined) throw new Error('Batch accepted the job without giving its id');
  return jobId;
}
