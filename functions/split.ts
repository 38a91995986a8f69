import { siteContext } from '../site/context.ts';
import { SplitEnv } from '../site/contract/env.ts';
import { eachMessage } from './each-message.ts';

const context = siteContext('split', SplitEnv);

/** Uploaded images, from the ingest queue. What works on them is loaded with the first. */
export const handler = eachMessage(
  async (event) => {
    if (event.source !== 'aws.s3') return;
    const { ingestUpload } = await import('../site/ingest.ts');
    await ingestUpload(event, context());
  },
  () => context().log,
);
