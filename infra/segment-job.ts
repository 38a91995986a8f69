import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import type { EnvironmentOf, SegmentJobDefinitionEnv } from '../site/contract/env.ts';
import { GpuJob } from './gpu-job.ts';
import { onPrefixes } from './grants.ts';
import { pulls, segmentImage } from './job-image.ts';
import type { Storage } from './storage.ts';

/** The job that segments a case's slabs (gpu-jobs/infer). */
export function segmentJob(scope: Construct, id: string, site: Site, storage: Storage): GpuJob {
  const { vcpusPerJob, memoryMiBPerJob, jobTimeoutMinutes, spotAttempts } = site.compute;
  return new GpuJob(scope, id, {
    site,
    storage,
    image: {
      container: segmentImage(scope, site.segmentImage),
      pulls: pulls(site.segmentImage),
    },
    command: ['node', 'segment.mjs'],
    environment: segmentJobEnvironment(site, storage),
    grants: [
      onPrefixes(storage.data, 's3:GetObject', 'models/', 'runs/', 'work/'),
      onPrefixes(storage.data, 's3:PutObject', 'runs/*/jobs/', 'work/'),
    ],
    limits: {
      vcpus: vcpusPerJob,
      memoryMiB: memoryMiBPerJob,
      timeout: Duration.minutes(jobTimeoutMinutes),
      attempts: spotAttempts,
    },
  });
}

/** Of every job that runs a bundle. */
export const segmentJobEnvironment = (
  site: Site,
  storage: Storage,
): EnvironmentOf<typeof SegmentJobDefinitionEnv> => ({
  SAMMIX_SITE: site.site,
  SAMMIX_BUCKET: storage.data.bucketName,
  SAMMIX_PROVIDERS: 'cuda,cpu',
  SAMMIX_THREADS: String(site.compute.vcpusPerJob),
});
