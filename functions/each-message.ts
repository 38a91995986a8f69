import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Log } from '../adapters/log.ts';
import { SiteEvent } from '../core/contract/messages.ts';

/** Another attempt is working on the same thing: the message has to come back, but nothing is wrong. */
export class StillInProgress extends Error {
  override readonly name = 'StillInProgress';
}

/**
 * A handler that takes the messages of a queue one by one. One that fails comes back after the
 * queue's visibility timeout and ends in the dead-letter queue; the others are done.
 */
export function eachMessage(
  handle: (event: SiteEvent, record: SQSRecord) => Promise<void>,
  log: () => Log,
): (event: SQSEvent) => Promise<SQSBatchResponse> {
  return async ({ Records }) => {
    const batchItemFailures: SQSBatchResponse['batchItemFailures'] = [];
    for (const record of Records)
      try {
        await handle(SiteEvent.parse(JSON.parse(record.body)), record);
      } catch (error) {
        const fields = { messageId: record.messageId };
        if (error instanceof StillInProgress) log().info('in-progress', fields);
        else log().error('message-failed', error, fields);
        batchItemFailures.push({ itemIdentifier: record.messageId });
      }
    return { batchItemFailures };
  };
}

/** The id under which X-Ray shows this invocation, or a new one of the same form. */
export function traceId(now: Date = new Date()): string {
  const [, root] = /Root=([0-9a-f-]+)/.exec(process.env._X_AMZN_TRACE_ID ?? '') ?? [];
  if (root !== undefined) return root;
  const seconds = Math.floor(now.getTime() / 1000).toString(16);
  return `1-${seconds}-${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`;
}
