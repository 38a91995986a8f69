import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type * as z from 'zod';
import type { Log } from '../adapters/log.ts';
import { StillInProgress } from '../site/context.ts';

/**
 * A handler that takes the messages of a queue one by one. One that fails comes back after the
 * queue's visibility timeout and ends in the dead-letter queue; the others are done. Where nothing of
 * a batch could be done the function itself fails: otherwise Lambda would count no error, and no
 * alarm on errors could fire. The schema of the events comes with the first message, so that a
 * function starts without it.
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
    const errors: unknown[] = [];
    for (const record of Records)
      try {
        await handle((await loadSchema()).parse(JSON.parse(record.body)), record);
      } catch (error) {
        const fields = { messageId: record.messageId };
        batchItemFailures.push({ itemIdentifier: record.messageId });
        if (error instanceof StillInProgress) lines.info('in-progress', fields);
        else {
          lines.error('message-failed', error, fields);
          errors.push(error);
        }
      }
    if (errors.length > 0 && errors.length === Records.length) throw errors[0];
    return { batchItemFailures };
  };

/** For the events that a case's way through the site is made of. */
export const eachMessage = eachMessageOf(
  async () => (await import('../site/contract/events.ts')).SiteEvent,
);
