import type { Notify } from '../adapters/sns.ts';
import { siteContext } from '../site/context.ts';
import { EvaluateFinishEnv } from '../site/contract/env.ts';
import { eachMessage } from './each-message.ts';

const context = siteContext('evaluate-finish', EvaluateFinishEnv);

let notify: Notify | undefined;

/** The ends of evaluation jobs, from their queue. */
export const handler = eachMessage(
  async (event) => {
    const { env, store, log, emit } = context();
    const [{ finishEvaluation }, { PromotionPolicy }, { topicNotifier }] = await Promise.all([
      import('../site/evaluation/finish.ts'),
      import('../core/contract/promotion.ts'),
      import('../adapters/sns.ts'),
    ]);
    notify ??= topicNotifier(env.SAMMIX_TOPIC);
    await finishEvaluation(event, {
      store,
      policy: PromotionPolicy.parse(JSON.parse(env.SAMMIX_PROMOTION_POLICY)),
      leaseSeconds: env.SAMMIX_LEASE_SECONDS,
      gpuPrices: env.SAMMIX_GPU_PRICES,
      site: env.SAMMIX_SITE,
      bucket: env.SAMMIX_BUCKET,
      region: process.env.AWS_REGION,
      notify,
      log,
      emit,
    });
  },
  () => context().log,
);
