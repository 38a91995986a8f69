import { siteContext } from '../site/context.ts';
import { WatchEnv } from '../site/contract/env.ts';
import { eachMessageOf } from './each-message.ts';

const context = siteContext('watch', WatchEnv);

/** A schedule, and what Batch says of its queues. */
export const handler = eachMessageOf(
  async () => (await import('../site/contract/events.ts')).WatchEvent,
)(
  async (event) => {
    const { watch } = await import('../site/watch/watch.ts');
    await watch(event, context());
  },
  () => context().log,
);
