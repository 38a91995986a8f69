import type { SQSEvent } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../adapters/log.ts';
import { eachMessage } from '../../functions/each-message.ts';
import { StillInProgress } from '../../site/context.ts';
import type { SiteEvent } from '../../site/contract/events.ts';

/** As EventBridge delivers it (Amazon S3 User Guide, "EventBridge event message structure"). */
const UPLOAD = {
  version: '0',
  id: '17793124-05d4-b198-2fde-7ededc63b103',
  'detail-type': 'Object Created',
  source: 'aws.s3',
  account: '111122223333',
  time: '2021-11-12T00:00:00Z',
  region: 'ca-central-1',
  resources: ['arn:aws:s3:::bucket'],
  detail: {
    version: '0',
    bucket: { name: 'bucket' },
    object: {
      key: 'incoming/liver/images/a case + one.nii.gz',
      size: 5,
      etag: 'b1946ac92492d2347c6235b4d2611184',
      'version-id': 'IYV3p45BT0ac8hjHg1houSdS1a.Mro8e',
      sequencer: '617f08299329d189',
    },
    reason: 'PutObject',
  },
};

const message = (messageId: string, body: unknown) =>
  ({ messageId, body: JSON.stringify(body) }) as SQSEvent['Records'][number];

async function handled(handle: (event: SiteEvent) => Promise<void>, bodies: readonly unknown[]) {
  const lines: string[] = [];
  const log = createLog('test', 'north', (line) => lines.push(line));
  const handler = eachMessage(handle, () => log);
  const Records = bodies.map((body, index) => message(`m${index}`, body));
  const { batchItemFailures } = await handler({ Records });
  return { failed: batchItemFailures.map((one) => one.itemIdentifier), lines };
}

describe('eachMessage', () => {
  it('takes the events that AWS documents', async () => {
    const events: SiteEvent[] = [];
    const { failed } = await handled(async (event) => void events.push(event), [UPLOAD]);
    expect(failed).toEqual([]);
    expect(events[0]).toMatchObject({
      detail: { object: { key: 'incoming/liver/images/a case + one.nii.gz' } },
    });
  });

  it('gives back the message that failed and no other', async () => {
    const other = structuredClone(UPLOAD);
    other.detail.object.size = 6;
    const { failed } = await handled(
      async (event) => {
        if (event.source === 'aws.s3' && event.detail.object.size === 6) throw new Error('no');
      },
      [UPLOAD, other, UPLOAD],
    );
    expect(failed).toEqual(['m1']);
  });

  it('gives back what it cannot read', async () => {
    const { failed } = await handled(async () => {}, [{ source: 'aws.ec2' }, UPLOAD]);
    expect(failed).toEqual(['m0']);
  });

  it('fails itself where nothing of the batch could be done, so that Lambda counts an error', async () => {
    const refused = handled(() => Promise.reject(new Error('no permission')), [UPLOAD]);
    await expect(refused).rejects.toThrow('no permission');
  });

  it('does not call work in progress an error', async () => {
    const { failed, lines } = await handled(() => Promise.reject(new StillInProgress()), [UPLOAD]);
    expect(failed).toEqual(['m0']);
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(['info']);
  });
});
