import { siteContext } from '../site/context.ts';
import { FailuresEnv } from '../site/contract/env.ts';
import { eachMessage } from './each-message.ts';

const context = siteContext('failures', FailuresEnv);

/** Failed GPU jobs, and dead letters of the other queues. */
export const handler = eachMessage(
  async (event) => {
    const { env, store, log, emit } = context();
    const [{ siteTargets }, { reportFailedRun }] = await Promise.all([
      import('../site/targets.ts'),
      import('../site/failed-run.ts'),
    ]);
    const targets = siteTargets(store, env.SAMMIX_BUNDLE, env.SAMMIX_TARGETS);
    const headerText = env.SAMMIX_HEADER_TEXT;
    await reportFailedRun(event, { store, targets, headerText, log, emit });
  },
  () => context().log,
);
