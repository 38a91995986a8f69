import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, it } from 'vitest';
import { topicNotifier } from '../../adapters/sns.ts';

describe('topicNotifier', () => {
  it('publishes with a subject that SNS accepts: printable ASCII, at most 100 characters', async () => {
    process.env.AWS_REGION ??= 'eu-central-1';
    const sns = mockClient(SNSClient);
    sns.on(PublishCommand).resolves({ MessageId: 'm' });
    const notify = topicNotifier('arn:aws:sns:eu-central-1:123456789012:topic');
    await notify({ subject: `Zürich\n${'x'.repeat(200)}`, text: 'Dice 0.9, Zürich' });
    const [call] = sns.commandCalls(PublishCommand);
    const { TopicArn, Subject, Message } = call!.args[0].input;
    expect(TopicArn).toBe('arn:aws:sns:eu-central-1:123456789012:topic');
    expect(Subject).toMatch(/^Z\?rich\?x{93}$/);
    expect(Message).toBe('Dice 0.9, Zürich');
  });
});
