import { bundleReader } from '../adapters/active-bundle.ts';
import type { SiteContext } from '../adapters/site-context.ts';
import type { CanaryEvent } from '../core/contract/canary.ts';
import { cloudKeys, parseLatest } from '../core/contract/cloud-keys.ts';
import type { CanaryEnv } from '../core/contract/evaluation-env.ts';
import { checkCanary } from './check-canary.ts';
import { startCanary } from './start-canary.ts';

/** Looks at a canary scan's report, or starts the scans after a deployment or an activation. */
export async function flyCanary(
  event: CanaryEvent,
  { env, store, log, emit }: SiteContext<CanaryEnv>,
): Promise<void> {
  const key = event.source === 'aws.s3' ? event.detail.object.key : undefined;
  const scan = key === undefined ? undefined : parseLatest(key);
  if (scan) await checkCanary(scan.caseId, { store, log, emit });
  if (key !== undefined && key !== cloudKeys.activeBundle) return;
  const bundle = bundleReader(store, env.SAMMIX_BUNDLE);
  await startCanary(env.SAMMIX_CANARY_CASES, { store, bundle, log });
}
