import type { BatchClient, JobDetail, SubmitJobCommandInput } from '@aws-sdk/client-batch';
import { RETRIES } from '../adapters/aws-clients.ts';
import type { RunRecord } from './contract/runs.ts';

/** Children of one array job at most (AWS Batch's limit). */
export const MAX_CHILDREN = 10_000;

type Sizes = Pick<RunRecord, 'slicesPerJob' | 'slicesPerSlab'>;

/**
 * How a case's slabs are shared out among GPU jobs. Slabs are small, to read ahead and to resume; a
 * job takes as many as pay for loading the model.
 */
const slabsPerJob = ({ slicesPerJob, slicesPerSlab }: Sizes): number =>
  Math.max(1, Math.floor(slicesPerJob / slicesPerSlab));

/** Jobs of a case with so many slabs: 1 is a plain job, more an array job. */
export const jobChildren = (slabs: number, sizes: Sizes): number =>
  Math.ceil(slabs / slabsPerJob(sizes));

/** Indices of the slabs of one job. */
export function slabsOfJob(job: number, slabs: number, sizes: Sizes): number[] {
  const share = slabsPerJob(sizes);
  const first = job * share;
  return Array.from(
    { length: Math.max(0, Math.min(share, slabs - first)) },
    (_, offset) => first + offset,
  );
}

export interface JobRequest {
  readonly name: string;
  readonly queue: string;
  readonly definition: string;
  readonly environment: Readonly<Record<string, string>>;
  /** How many copies run, each with its own index. Batch's array jobs need 2 to 10 000. */
  readonly children: number;
}

/**
 * Submits a plain job for one child, an array job for more, and returns Batch's job id. The client is
 * loaded at the first of them: a function that answers a duplicate event does not wait for it.
 */
export function jobSubmitter(): (request: JobRequest) => Promise<string> {
  let client: BatchClient | undefined;
  return async (request) => {
    const input = submission(request);
    const { BatchClient, SubmitJobCommand } = await import('@aws-sdk/client-batch');
    client ??= new BatchClient(RETRIES);
    const { jobId } = await client.send(new SubmitJobCommand(input));
    if (jobId === undefined) throw new Error('Batch accepted the job without giving its id');
    return jobId;
  };
}

function submission({
  name,
  queue,
  definition,
  environment,
  children,
}: JobRequest): SubmitJobCommandInput {
  if (!Number.isInteger(children) || children < 1 || children > MAX_CHILDREN)
    throw new RangeError(`children must be 1 to ${MAX_CHILDREN}, got ${children}`);
  return {
    jobName: name,
    jobQueue: queue,
    jobDefinition: definition,
    containerOverrides: {
      environment: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
    },
    ...(children > 1 ? { arrayProperties: { size: children } } : {}),
  };
}

/** What Batch knows of a job. */
export type FoundJob = Pick<JobDetail, 'status' | 'statusReason' | 'stoppedAt'>;

/** Batch describes so many jobs in one call. */
export const DESCRIBED_AT_ONCE = 100;

export interface JobControl {
  /** At most `DESCRIBED_AT_ONCE`; Batch has forgotten those that are not in the answer. */
  readonly find: (ids: readonly string[]) => Promise<ReadonlyMap<string, FoundJob>>;
  readonly terminate: (jobId: string, reason: string) => Promise<void>;
}

/** With a client that is loaded when it is needed. */
export function jobControl(region?: string): JobControl {
  let client: BatchClient | undefined;
  const open = async () => {
    const batch = await import('@aws-sdk/client-batch');
    client ??= new batch.BatchClient({
      ...RETRIES,
      ...(region === undefined ? {} : { region }),
    });
    return { ...batch, client };
  };
  return {
    find: async (ids) => {
      const { client, DescribeJobsCommand } = await open();
      const { jobs = [] } = await client.send(new DescribeJobsCommand({ jobs: [...ids] }));
      return new Map(jobs.map((job) => [job.jobId ?? '', job]));
    },
    terminate: async (jobId, reason) => {
      const { client, TerminateJobCommand } = await open();
      await client.send(new TerminateJobCommand({ jobId, reason }));
    },
  };
}
