import { bundleReader } from '../site/bundles.ts';
import { checkCanary, startCanary } from '../site/canary.ts';
import type { SiteContext } from '../site/context.ts';
import type { CanaryEvent } from '../site/contract/canary.ts';
import type { CanaryEnv } from '../site/contract/env.ts';
import { cloudKeys, parseLatest } from '../site/contract/keys.ts';

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
