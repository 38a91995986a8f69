import { siteContext } from '../adapters/site-context.ts';
import { cloudKeys, parseLatest } from '../core/contract/cloud-keys.ts';
import { CanaryEnv } from '../core/contract/evaluation-env.ts';
import { eachMessageOf } from './each-message.ts';

const context = siteContext('canary', CanaryEnv);

/** Deployments, activations and reports of canary scans, from the canary queue. */
export const handler = eachMessageOf(
  async () => (await import('../core/contract/canary.ts')).CanaryEvent,
)(
  async (event) => {
    const { env, store, log, emit } = context();
    const key = event.source === 'aws.s3' ? event.detail.object.key : undefined;
    const scan = key === undefined ? undefined : parseLatest(key);
    if (scan) {
      const { checkCanary } = await import('./check-canary.ts');
      await checkCanary(scan.caseId, { store, log, emit });
    }
    if (key !== undefined && key !== cloudKeys.activeBundle) return;
    const [{ bundleReader }, { startCanary }] = await Promise.all([
      import('../adapters/active-bundle.ts'),
      import('./start-canary.ts'),
    ]);
    const bundle = bundleReader(store, env.SAMMIX_BUNDLE);
    await startCanary(env.SAMMIX_CANARY_CASES, { store, bundle, log });
  },
  () => context().log,
);
