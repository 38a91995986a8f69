import { siteContext } from '../adapters/site-context.ts';
import { AssembleEnv } from '../core/contract/env.ts';
import { runIdOfJobName } from '../core/contract/job-names.ts';
import { eachMessage } from './each-message.ts';
import type { ReportPorts } from './report-run.ts';

const context = siteContext('assemble', AssembleEnv);

/** Finished GPU work and uploaded labels, from the results queue. */
export const handler = eachMessage(
  async (event) => {
    const { env, store, log, emit } = context();
    const ports: ReportPorts = { store, usdPerGpuHour: env.SAMMIX_USD_PER_GPU_HOUR, log, emit };
    if (event.source === 'aws.s3') {
      const { ingestLabel } = await import('./ingest-label.ts');
      return ingestLabel(event, ports);
    }
    const runId = runIdOfJobName(event.detail.jobName);
    if (runId === undefined || event.detail.status !== 'SUCCEEDED') return;
    const { reportRun } = await import('./report-run.ts');
    await reportRun(runId, ports);
  },
  () => context().log,
);
