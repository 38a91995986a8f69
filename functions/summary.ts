import { siteContext } from '../site/context.ts';
import { SummaryEnv } from '../site/contract/env.ts';

const context = siteContext('summary', SummaryEnv);

/** On a schedule: one table per dataset over the newest run of every case. */
export const handler = async (): Promise<void> => {
  const { env, store, log } = context();
  for (const dataset of env.SAMMIX_DATASETS) {
    const { summariseDataset } = await import('../site/summary.ts');
    log.info('summarised', { count: await summariseDataset(dataset, store) });
  }
};
