import { bundleReader } from '../adapters/active-bundle.ts';
import { createBatchClient } from '../adapters/aws-clients.ts';
import { submitJob } from '../adapters/batch.ts';
import { type SiteContext, siteContext } from '../adapters/site-context.ts';
import { type EnvironmentOf, type SegmentJobRunEnv, SplitEnv } from '../core/contract/env.ts';
import { type RunRecord, segmentJobName } from '../core/contract/messages.ts';
import { eachMessage } from './each-message.ts';
import { type IngestPorts, ingestImage } from './ingest-image.ts';

const context = siteContext('split', SplitEnv);

/** Uploaded images, from the ingest queue. */
export const handler = eachMessage(
  async (event) => {
    if (event.source !== 'aws.s3') return;
    const { env } = context();
    await ingestImage(
      event,
      {
        slicesPerJob: env.SAMMIX_SLICES_PER_JOB,
        slicesPerSlab: env.SAMMIX_SLICES_PER_SLAB,
        leaseSeconds: env.SAMMIX_LEASE_SECONDS,
      },
      ports(),
    );
  },
  () => context().log,
);

let opened: IngestPorts | undefined;

function ports(): IngestPorts {
  opened ??= openPorts(context());
  return opened;
}

function openPorts({ env, store, log, emit }: SiteContext<SplitEnv>): IngestPorts {
  const batch = createBatchClient();
  const submit = ({ runId, traceId }: RunRecord, children: number): Promise<string> => {
    const environment: EnvironmentOf<typeof SegmentJobRunEnv> = {
      SAMMIX_RUN_ID: runId,
      SAMMIX_TRACE_ID: traceId,
    };
    return submitJob(batch, {
      name: segmentJobName(runId),
      queue: env.SAMMIX_JOB_QUEUE,
      definition: env.SAMMIX_SEGMENT_JOB,
      environment,
      children,
    });
  };
  return { store, bundle: bundleReader(store, env.SAMMIX_BUNDLE), submit, log, emit };
}
