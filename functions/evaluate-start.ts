import { siteContext } from '../site/context.ts';
import { EvaluateStartEnv } from '../site/contract/env.ts';
import { eachMessageOf } from './each-message.ts';

const context = siteContext('evaluate-start', EvaluateStartEnv);

/** Schedules, requests and candidate bundles, from the evaluation queue. */
export const handler = eachMessageOf(
  async () => (await import('../site/contract/evaluation.ts')).StartEvent,
)(
  async (event) => {
    const { startRequested } = await import('../site/evaluation/start.ts');
    await startRequested(event, context());
  },
  () => context().log,
);
