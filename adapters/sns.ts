import type { SNSClient } from '@aws-sdk/client-sns';
import { RETRIES } from './aws-clients.ts';

export interface Notice {
  /** At most 100 characters of ASCII. */
  readonly subject: string;
  readonly text: string;
}

export type Notify = (notice: Notice) => Promise<void>;

/** Publishes to a topic, with a client that is loaded at the first notice. */
export function topicNotifier(topicArn: string): Notify {
  let client: SNSClient | undefined;
  return async ({ subject, text }) => {
    const { PublishCommand, SNSClient } = await import('@aws-sdk/client-sns');
    client ??= new SNSClient(RETRIES);
    const Subject = subject.replace(/[^\x20-\x7e]/g, '?').slice(0, 100);
    await client.send(new PublishCommand({ TopicArn: topicArn, Subject, Message: text }));
  };
}
