import { bundleReader } from '../adapters/active-bundle.ts';
import { siteContext } from '../adapters/site-context.ts';
import { FailuresEnv } from '../core/contract/env.ts';
import { eachMessage } from './each-message.ts';
import { reportFailedRun } from './report-failed-run.ts';

const context = siteContext('failures', FailuresEnv);

/** Failed GPU jobs, and dead letters of the other queues. */
export const handler = eachMessage(
  (event) => {
    const { env, store, log, emit } = context();
    const bundle = bundleReader(store, env.SAMMIX_BUNDLE);
    return reportFailedRun(event, { store, bundle, log, emit });
  },
  () => context().log,
);
