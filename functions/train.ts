import { siteContext } from '../site/context.ts';
import { TrainEnv } from '../site/contract/env.ts';
import { eachMessage } from './each-message.ts';

const context = siteContext('train', TrainEnv);

/** Training requests and the ends of training jobs, from the training queue. */
export const handler = eachMessage(
  async (event) => {
    if (event.source === 'aws.batch') {
      const { env, store, log, emit } = context();
      const { endTraining } = await import('../site/training/end.ts');
      return endTraining(event, { store, gpuPrices: env.SAMMIX_GPU_PRICES, log, emit });
    }
    const { startRequestedTraining } = await import('../site/training/start.ts');
    await startRequestedTraining(event, context());
  },
  () => context().log,
);
