import { siteContext } from '../site/context.ts';
import { CanaryEnv } from '../site/contract/env.ts';
import { eachMessageOf } from './each-message.ts';

const context = siteContext('canary', CanaryEnv);

/** Deployments, activations and reports of canary scans, from the canary queue. */
export const handler = eachMessageOf(
  async () => (await import('../site/contract/canary.ts')).CanaryEvent,
)(
  async (event) => {
    const { flyCanary } = await import('../site/canary.ts');
    await flyCanary(event, context());
  },
  () => context().log,
);
