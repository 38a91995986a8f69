import { siteContext } from '../adapters/site-context.ts';
import { CanaryEnv } from '../core/contract/evaluation-env.ts';
import { eachMessageOf } from './each-message.ts';

const context = siteContext('canary', CanaryEnv);

/** Deployments, activations and reports of canary scans, from the canary queue. */
export const handler = eachMessageOf(
  async () => (await import('../core/contract/canary.ts')).CanaryEvent,
)(
  async (event) => {
    const { flyCanary } = await import('./fly-canary.ts');
    await flyCanary(event, context());
  },
  () => context().log,
);
