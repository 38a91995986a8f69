import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type * as z from 'zod';
import type { Log } from '../adapters/log.ts';

/** Another attempt is working on the same thing: the message has to come back, but nothing is wrong. */
export class StillInProgress extends Error {
  override readonly name = 'StillInProgress';
}

/**
 * A handler that takes the messages of a queue one by one. One that fails comes back after the
 * queue's visibility timeout and ends in the dead-letter queue; the others are done. The schema of
 * the events comes with the first message, so that a function starts without it.
 */
export const eachMessageOf =
  <Event>(loadSchema: () => Promise<z.ZodType<Event>>) =>
  (
    handle: (event: Event, record: SQSRecord) => Promise<void>,
    log: () => Log,
  ): ((event: SQSEvent) => Promise<SQSBatchResponse>) =>
  async ({ Records }) => {
    // Settings that are wrong fail the whole batch, before any message is touched.
    const lines = log();
    const batchItemFailures: SQSBatchResponse['batchItemFailures'] = [];
    for (const record of Records)
      try {
        await handle((await loadSchema()).parse(JSON.parse(record.body)), record);
      } catch (error) {
        const fields = { messageId: record.messageId };
        if (error instanceof StillInProgress) lines.info('in-progress', fields);
        else lines.error('message-failed', error, fields);
        batchItemFailures.push({ itemIdentifier: record.messageId });
      }
    return { batchItemFailures };
  };

/** For the events that a case's way through the site is made of. */
export const eachMessage = eachMessageOf(
  async () => (await import('../site/contract/events.ts')).SiteEvent,
);

/** The id under which X-Ray shows this invocation, or a new one of the same form. */
export function traceId(now: Date = new Date()): string {
  const [, root] = /Root=([0-9a-f-]+)/.exec(process.env._X_AMZN_TRACE_ID ?? '') ?? [];
  if (root !== undefined) return root;
  const seconds = Math.floor(now.getTime() / 1000).toString(16);
  return `1-${seconds}-${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`;
}
