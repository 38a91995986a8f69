import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, it } from 'vitest';
import { openSite } from '../../cli/site/open-site.ts';

process.env.AWS_REGION = 'eu-central-1';

async function bucketOf(...args: Parameters<typeof openSite>): Promise<string | undefined> {
  const s3 = mockClient(S3Client);
  s3.on(ListObjectsV2Command).resolves({});
  const store = await openSite(...args);
  for await (const _ of store.list('')) break;
  return s3.commandCalls(ListObjectsV2Command)[0]?.args[0].input.Bucket;
}

describe('openSite', () => {
  it("finds the bucket by its stack's output, whatever CloudFormation has named it", async () => {
    const stacks = mockClient(CloudFormationClient);
    stacks.on(DescribeStacksCommand).callsFake(({ StackName }) => {
      expect(StackName).toBe('sammix-north');
      return { Stacks: [{ Outputs: [{ OutputKey: 'Bucket', OutputValue: 'any-name-7f3' }] }] };
    });
    expect(await bucketOf('north', {})).toBe('any-name-7f3');
  });

  it('asks in the region of the site file, unless another is named', async () => {
    const stacks = mockClient(CloudFormationClient);
    const regions: string[] = [];
    stacks.on(DescribeStacksCommand).callsFake(async (_, client) => {
      regions.push(await client().config.region());
      return { Stacks: [{ Outputs: [{ OutputKey: 'Bucket', OutputValue: 'b' }] }] };
    });
    process.env.AWS_REGION = 'us-west-2';
    await openSite('example', {});
    await openSite('example', { region: 'eu-west-3' });
    await openSite('in-no-checkout', {});
    expect(regions).toEqual(['eu-central-1', 'eu-west-3', 'us-west-2']);
  });

  it('says where it looked for a stack that is not there', async () => {
    const missing = Object.assign(new Error('Stack does not exist'), { name: 'ValidationError' });
    mockClient(CloudFormationClient).on(DescribeStacksCommand).rejects(missing);
    await expect(openSite('north', { region: 'eu-west-1' })).rejects.toMatchObject({
      code: 'no-such-site',
      fault: { expected: 'the stack sammix-north in eu-west-1' },
    });
  });

  it('asks nobody where the bucket is named', async () => {
    const stacks = mockClient(CloudFormationClient);
    expect(await bucketOf('north', { bucket: 'given' })).toBe('given');
    expect(stacks.calls()).toEqual([]);
  });
});
