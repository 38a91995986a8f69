import { Aws, Duration } from 'aws-cdk-lib';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { CANARY_DATASET } from '../site/contract/canary.ts';
import type { Site } from '../site/contract/config.ts';
import type { CanaryEnv, EnvironmentOf } from '../site/contract/env.ts';
import { casesBelow, cloudKeys, PREFIX } from '../site/contract/keys.ts';
import { objectsLike, route, uploadsTo, workQueue } from './events.ts';
import { onPrefixes, seesWhatIsMissing } from './grants.ts';
import { NodeFunction } from './node-function.ts';
import type { Pipeline } from './pipeline.ts';
import type { Storage } from './storage.ts';

export interface CanaryProps {
  readonly site: Site;
  readonly storage: Storage;
  readonly pipeline: Pipeline;
}

/** Drawing a scan takes a few seconds. */
const TIMEOUT = Duration.minutes(5);

/** A warm function goes on with the bundle that it knows for a minute (site/bundles.ts). */
const DELAY = Duration.seconds(90);

const CASES = casesBelow(CANARY_DATASET);

/**
 * Sends synthetic scans through the site whenever its stack or its active bundle has changed, and
 * looks at what came out.
 */
export class Canary extends Construct {
  readonly function: NodeFunction;

  constructor(scope: Construct, id: string, { site, storage, pipeline }: CanaryProps) {
    super(scope, id);
    const { parked } = pipeline.queues;
    const source: Queue = workQueue(this, 'Queue', {
      storage,
      timeout: TIMEOUT,
      deadLetters: parked,
      delay: DELAY,
    });
    const environment: EnvironmentOf<typeof CanaryEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      SAMMIX_BUNDLE: site.bundle,
      SAMMIX_CANARY_CASES: String(site.evaluation.canaryCases),
    };
    this.function = new NodeFunction(this, 'Run', 'canary', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(storage.data, 's3:GetObject', PREFIX.models, CASES),
        onPrefixes(
          storage.data,
          's3:PutObject',
          `${PREFIX.incoming}${CANARY_DATASET}/`,
          PREFIX.canaries,
        ),
        seesWhatIsMissing(storage.data),
      ],
      memoryMiB: 1769,
      timeout: TIMEOUT,
      queue: { source, concurrency: 2 },
    });
    const to = { queue: source, undelivered: parked };
    route(this, 'Reported', objectsLike(storage, `${CASES}*/latest.json`), to);
    route(this, 'Activated', uploadsTo(storage, [cloudKeys.activeBundle]), to);
    const deployed = {
      source: ['aws.cloudformation'],
      detailType: ['CloudFormation Stack Status Change'],
      detail: {
        'stack-id': [Aws.STACK_ID],
        'status-details': { status: ['CREATE_COMPLETE', 'UPDATE_COMPLETE'] },
      },
    };
    route(this, 'Deployed', deployed, to);
  }
}
