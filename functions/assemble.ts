import { siteContext } from '../site/context.ts';
import { AssembleEnv } from '../site/contract/env.ts';
import { runIdOfJobName } from '../site/contract/keys.ts';
import type { ReportPorts } from '../site/report-run.ts';
import { eachMessage } from './each-message.ts';

const context = siteContext('assemble', AssembleEnv);

/** Finished GPU work and uploaded labels, from the results queue. */
export const handler = eachMessage(
  async (event) => {
    const { env, store, log, emit } = context();
    const { SAMMIX_GPU_PRICES: gpuPrices, SAMMIX_LABELS: labels } = env;
    const further = Object.keys(env.SAMMIX_TARGETS);
    const ports: ReportPorts = { store, gpuPrices, labels, further, log, emit };
    if (event.source === 'aws.s3') {
      const { ingestLabel } = await import('../site/report-run.ts');
      return ingestLabel(event, ports);
    }
    const runId = runIdOfJobName(event.detail.jobName);
    if (runId === undefined || event.detail.status !== 'SUCCEEDED') return;
    const { reportRun } = await import('../site/report-run.ts');
    await reportRun(runId, ports);
  },
  () => context().log,
);
