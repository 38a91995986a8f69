import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import type { EnvironmentOf, TrainJobDefinitionEnv } from '../site/contract/env.ts';
import { GpuJob } from './gpu-job.ts';
import { onPrefixes } from './grants.ts';
import { pulls, trainImage } from './job-image.ts';
import type { Storage } from './storage.ts';

/** The image's only folder that is written (gpu-jobs/train/Dockerfile). */
const SCRATCH = '/scratch';

/** Bundles that the trainer makes: not `models/active.json`, and not who is offered for promotion. */
const BUNDLES = 'models/sammix-';

/** The job that trains a bundle (gpu-jobs/train); undefined at a site that does not train. */
export function trainJob(
  scope: Construct,
  id: string,
  site: Site,
  storage: Storage,
): GpuJob | undefined {
  const { training } = site;
  if (training === null) return undefined;
  const environment: EnvironmentOf<typeof TrainJobDefinitionEnv> = {
    SAMMIX_SITE: site.site,
    SAMMIX_BUCKET: storage.data.bucketName,
    SAMMIX_SCRATCH: SCRATCH,
  };
  return new GpuJob(scope, id, {
    site,
    storage,
    image: { container: trainImage(training.image), pulls: pulls(training.image) },
    command: ['python', '-m', 'sammix_train.job'],
    environment,
    grants: [
      onPrefixes(storage.data, 's3:GetObject', 'training/', 'models/'),
      onPrefixes(storage.data, 's3:PutObject', 'training/runs/', BUNDLES),
    ],
    limits: {
      vcpus: training.vcpusPerJob,
      memoryMiB: training.memoryMiBPerJob,
      timeout: Duration.hours(training.timeoutHours),
      attempts: training.spotAttempts,
      scratch: SCRATCH,
    },
  });
}
