import { readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  BatchClient,
  DescribeJobDefinitionsCommand,
  DescribeJobQueuesCommand,
  DescribeJobsCommand,
  SubmitJobCommand,
} from '@aws-sdk/client-batch';
import { describe, expect, it } from 'vitest';
import { until } from './cases.ts';
import type { Emulator } from './emulator.ts';
import { verdictsOf } from './verdicts.ts';

interface At {
  readonly emulator: Emulator;
  readonly own: string;
  readonly other: string;
}

const ALLOWED = 'write its work';

/** What a compromised segment job reaches: the deployed definition, role and network, another command. */
export function isolationTests(at: () => At): void {
  describe('a job that has been taken over', () => {
    it('reaches its own work and nothing else', async (context) => {
      const { emulator, own, other } = at();
      if (emulator.softer !== null) return context.skip(emulator.softer);
      const attempts = await probe(emulator, own, other);
      for (const { what, got } of attempts) console.log(`${got.padEnd(32)} ${what}`);
      expect(attempts.length).toBeGreaterThan(20);
      const got = attempts.filter((one) => !one.got.startsWith('denied')).map(({ what }) => what);
      expect(got).toEqual([ALLOWED]);
      const { network, tried } = await verdictsOf(emulator.work);
      // Each for its own reason: no endpoint, the endpoint's policy, no route.
      for (const service of ['sqs', 'batch', 'cloudformation'])
        expect(network).toContainEqual(
          expect.objectContaining({
            verdict: `denied: the network has no endpoint for ${service}`,
          }),
        );
      expect(network).toContainEqual(
        expect.objectContaining({
          what: expect.stringContaining(other),
          verdict: 'denied by the policy of the endpoint for s3',
        }),
      );
      const foreign = network.find(({ what }) => what === `s3 arn:aws:s3:::${own}/work/a`);
      expect(foreign?.verdict).toBe('denied by the policy of the endpoint for s3');
      expect(tried.map(({ what }) => what)).toContain('connect 169.254.169.254:80');
    });

    it('is no other: jobs that work reach for nothing beyond their endpoints', async (context) => {
      const { emulator } = at();
      if (emulator.softer !== null) return context.skip(emulator.softer);
      const { tried, network } = await verdictsOf(emulator.work);
      expect(tried.filter(({ who }) => who !== NAME)).toEqual([]);
      expect(network.filter(({ who }) => who !== NAME)).toEqual([]);
    });
  });
}

/** No job of a run: nothing listens for its end. */
const NAME = 'probe';

interface Attempt {
  readonly event: string;
  readonly what: string;
  readonly got: string;
}

async function probe({ work }: Emulator, own: string, other: string): Promise<Attempt[]> {
  const batch = new BatchClient({});
  const { jobDefinitions = [] } = await batch.send(new DescribeJobDefinitionsCommand({}));
  const { jobQueues = [] } = await batch.send(new DescribeJobQueuesCommand({}));
  const definition = jobDefinitions.find(
    ({ containerProperties }) =>
      containerProperties?.command?.join(' ').includes('segment.mjs') &&
      containerProperties.environment?.some(({ value }) => value === own),
  );
  const queue = jobQueues.find(({ jobQueueName }) => jobQueueName?.includes('north'));
  const { jobId } = await batch.send(
    new SubmitJobCommand({
      jobName: NAME,
      jobQueue: queue?.jobQueueArn ?? jobQueues[0]?.jobQueueArn,
      jobDefinition: definition?.jobDefinitionArn,
      containerOverrides: { command: ['node', 'probe.mjs', own, other] },
    }),
  );
  await until('the end of the probe', async () => {
    const { jobs } = await batch.send(new DescribeJobsCommand({ jobs: [jobId!] }));
    return ['SUCCEEDED', 'FAILED'].includes(jobs?.[0]?.status ?? '');
  });
  const log = await readFile(path.join(work, 'logs', 'batch', `${jobId}.log`), 'utf8');
  return log
    .split('\n')
    .filter((line) => line.startsWith('{"event":"probe"'))
    .map((line) => JSON.parse(line));
}
