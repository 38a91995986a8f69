import { BatchClient, SubmitJobCommand } from '@aws-sdk/client-batch';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, it } from 'vitest';
import { jobSubmitter, MAX_CHILDREN } from '../../site/batch.ts';

async function submitted(children: number) {
  process.env.AWS_REGION = 'us-east-1';
  const mock = mockClient(BatchClient);
  mock.on(SubmitJobCommand).resolves({ jobId: 'job-1' });
  const id = await jobSubmitter()({
    name: 'segment-0',
    queue: 'queue',
    definition: 'definition',
    environment: { SAMMIX_RUN_ID: '0123456789abcdef' },
    children,
  });
  return { id, input: mock.commandCalls(SubmitJobCommand)[0]?.args[0].input };
}

describe('jobSubmitter', () => {
  it('submits one child as a plain job, because an array needs two', async () => {
    const { id, input } = await submitted(1);
    expect(id).toBe('job-1');
    expect(input).not.toHaveProperty('arrayProperties');
    expect(input?.containerOverrides?.environment).toEqual([
      { name: 'SAMMIX_RUN_ID', value: '0123456789abcdef' },
    ]);
  });

  it.each([2, MAX_CHILDREN])('submits %d children as an array job', async (children) => {
    expect((await submitted(children)).input?.arrayProperties).toEqual({ size: children });
  });

  it.each([0, 1.5, MAX_CHILDREN + 1])('refuses %d children', async (children) => {
    await expect(submitted(children)).rejects.toThrow(/1 to 10000/);
  });
});
