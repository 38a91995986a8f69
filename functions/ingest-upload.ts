import { bundleReader } from '../site/bundles.ts';
import type { SiteContext } from '../site/context.ts';
import type { EnvironmentOf, SegmentJobRunEnv, SplitEnv } from '../site/contract/env.ts';
import type { ObjectCreated } from '../site/contract/events.ts';
import { segmentJobName } from '../site/contract/keys.ts';
import type { RunRecord } from '../site/contract/runs.ts';
import { type IngestOutcome, type IngestPorts, ingestImage } from '../site/ingest.ts';
import { jobSubmitter } from '../site/lazy-batch.ts';

let opened: IngestPorts | undefined;

/** Ingests with what the function keeps while it is warm: the bundle it knows, its clients. */
export function ingestUpload(
  event: ObjectCreated,
  context: SiteContext<SplitEnv>,
): Promise<IngestOutcome> {
  opened ??= openPorts(context);
  const { env } = context;
  const settings = {
    slicesPerJob: env.SAMMIX_SLICES_PER_JOB,
    slicesPerSlab: env.SAMMIX_SLICES_PER_SLAB,
    leaseSeconds: env.SAMMIX_LEASE_SECONDS,
  };
  return ingestImage(event, settings, opened);
}

function openPorts({ env, store, log, emit }: SiteContext<SplitEnv>): IngestPorts {
  const submitJob = jobSubmitter();
  const submit = ({ runId, traceId }: RunRecord, children: number): Promise<string> => {
    const environment: EnvironmentOf<typeof SegmentJobRunEnv> = {
      SAMMIX_RUN_ID: runId,
      SAMMIX_TRACE_ID: traceId,
    };
    return submitJob({
      name: segmentJobName(runId),
      queue: env.SAMMIX_JOB_QUEUE,
      definition: env.SAMMIX_SEGMENT_JOB,
      environment,
      children,
    });
  };
  return { store, bundle: bundleReader(store, env.SAMMIX_BUNDLE), submit, log, emit };
}
