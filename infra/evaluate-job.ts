import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import { GpuJob } from './gpu-job.ts';
import { onPrefixes } from './grants.ts';
import { pulls, segmentImage } from './job-image.ts';
import { segmentJobEnvironment } from './segment-job.ts';
import type { Storage } from './storage.ts';

/**
 * The job that segments and reports an evaluation's cases (gpu-jobs/infer), in the segment job's
 * image. Unlike that one it reads uploads and writes reports, so it has a role of its own.
 */
export function evaluateJob(scope: Construct, id: string, site: Site, storage: Storage): GpuJob {
  const { vcpusPerJob, memoryMiBPerJob, spotAttempts } = site.compute;
  return new GpuJob(scope, id, {
    site,
    storage,
    image: { container: segmentImage(scope, site.segmentImage), pulls: pulls(site.segmentImage) },
    command: ['node', 'evaluate.mjs'],
    environment: segmentJobEnvironment(site, storage),
    grants: [
      onPrefixes(
        storage.data,
        's3:GetObject',
        'models/',
        'work/',
        'cases/',
        'evaluations/',
        'evaluation-runs/',
      ),
      onPrefixes(storage.data, 's3:GetObjectVersion', 'incoming/'),
      onPrefixes(storage.data, 's3:PutObject', 'work/', 'cases/', 'evaluation-runs/*/jobs/'),
    ],
    limits: {
      vcpus: vcpusPerJob,
      memoryMiB: memoryMiBPerJob,
      timeout: Duration.minutes(site.evaluation.jobTimeoutMinutes),
      attempts: spotAttempts,
    },
  });
}
