import { Duration } from 'aws-cdk-lib';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import type { DicomSegEnv, EnvironmentOf } from '../site/contract/env.ts';
import { LATEST_POINTERS, PREFIX, SEGMENTATIONS, uploadsBelow } from '../site/contract/keys.ts';
import { objectsLike, route, workQueue } from './events.ts';
import { onKeys, onPrefixes, seesWhatIsMissing } from './grants.ts';
import { NodeFunction } from './node-function.ts';
import type { Pipeline } from './pipeline.ts';
import type { Storage } from './storage.ts';

export interface DicomSegProps {
  readonly site: Site;
  readonly storage: Storage;
  readonly pipeline: Pipeline;
}

/** It reads the headers of a series from its zip; a purge waits for longer than this. */
const TIMEOUT = Duration.minutes(10);

/** Writes the masks of cases that came by DICOM as DICOM-SEG, when a run has become its case's newest. */
export class DicomSeg extends Construct {
  readonly function: NodeFunction;
  readonly queue: Queue;

  constructor(scope: Construct, id: string, { site, storage, pipeline }: DicomSegProps) {
    super(scope, id);
    const { parked } = pipeline.queues;
    this.queue = workQueue(this, 'Queue', { storage, timeout: TIMEOUT, deadLetters: parked });
    const environment: EnvironmentOf<typeof DicomSegEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
    };
    const { data } = storage;
    const uploads = site.datasets.map((dataset) => uploadsBelow(dataset, 'dicom'));
    this.function = new NodeFunction(this, 'Write', 'dicom-seg', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(data, 's3:GetObject', PREFIX.cases, PREFIX.dicom),
        onPrefixes(data, 's3:GetObjectVersion', ...uploads),
        ...SEGMENTATIONS.map((form) => onKeys(data, 's3:PutObject', form)),
        seesWhatIsMissing(data),
      ],
      // A deflated object is inflated as a whole to read its header.
      memoryMiB: 3008,
      timeout: TIMEOUT,
      queue: { source: this.queue, concurrency: 5 },
    });
    route(this, 'Newest', objectsLike(storage, LATEST_POINTERS), {
      queue: this.queue,
      undelivered: parked,
    });
  }
}
