import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';
import { DICOM_KEY_BYTES } from '../site/contract/dicom.ts';
import type { DicomEnv, EnvironmentOf } from '../site/contract/env.ts';
import { DICOM_ENDINGS, PREFIX, uploadsBelow } from '../site/contract/keys.ts';
import { acknowledge } from './acknowledge.ts';
import { objectsLike, route, workQueue } from './events.ts';
import { listsVersions, onPrefixes, seesWhatIsMissing } from './grants.ts';
import { NodeFunction } from './node-function.ts';
import type { Pipeline } from './pipeline.ts';
import type { Storage } from './storage.ts';

export interface DicomProps {
  readonly site: Site;
  readonly storage: Storage;
  readonly pipeline: Pipeline;
}

/** A series of 1 000 images takes a minute or two: the rest is for zip files of many. */
const TIMEOUT = Duration.minutes(15);

/** Turns uploads of DICOM into uploads of images. */
export class Dicom extends Construct {
  readonly function: NodeFunction;
  readonly queue: Queue;

  constructor(scope: Construct, id: string, { site, storage, pipeline }: DicomProps) {
    super(scope, id);
    const { failures, parked } = pipeline.queues;
    this.queue = workQueue(this, 'Queue', { storage, timeout: TIMEOUT, deadLetters: failures });
    const key = caseKey(this, storage);
    const environment: EnvironmentOf<typeof DicomEnv> = {
      SAMMIX_SITE: site.site,
      SAMMIX_BUCKET: storage.data.bucketName,
      SAMMIX_DICOM_KEY: key.ref,
      SAMMIX_BUNDLE: site.bundle,
      SAMMIX_TARGETS: JSON.stringify(site.targets),
      SAMMIX_HEADER_TEXT: site.outputs.headerText ? 'kept' : 'dropped',
      SAMMIX_LEASE_SECONDS: String(TIMEOUT.toSeconds()),
    };
    const below = (kind: 'images' | 'dicom') =>
      site.datasets.map((dataset) => uploadsBelow(dataset, kind));
    const { data } = storage;
    const { dicom, quarantine, runs, cases, models } = PREFIX;
    this.function = new NodeFunction(this, 'Convert', 'dicom', {
      site,
      storage,
      environment,
      grants: [
        onPrefixes(data, 's3:GetObject', ...below('dicom'), ...below('images')),
        onPrefixes(data, 's3:GetObject', dicom, runs, cases, models),
        onPrefixes(data, 's3:GetObjectVersion', ...below('dicom')),
        onPrefixes(data, 's3:PutObject', ...below('images')),
        onPrefixes(data, 's3:PutObject', dicom, quarantine, runs, cases),
        // Moving aside: the version stays, under a delete marker, as long as retention says.
        onPrefixes(data, 's3:DeleteObject', ...below('dicom')),
        seesWhatIsMissing(data),
        listsVersions(data, below('dicom')),
        { actions: ['secretsmanager:GetSecretValue'], resources: [key.ref] },
      ],
      // The most that a new account allows: a compressed object of many frames is held as it is.
      memoryMiB: 3008,
      timeout: TIMEOUT,
      queue: { source: this.queue, concurrency: 5 },
    });
    const to = { queue: this.queue, undelivered: parked };
    // A rule each: a pattern holds 2 048 characters.
    const endingIn = (ending: string) =>
      objectsLike(storage, ...below('dicom').map((prefix) => `${prefix}*${ending}`));
    route(this, 'Zipped', endingIn(DICOM_ENDINGS.archive), to);
    route(this, 'Closed', endingIn(DICOM_ENDINGS.files), to);
  }
}

/** Drawn once; stays with the data, whose cases are named by it. */
function caseKey(scope: Construct, storage: Storage): CfnSecret {
  const secret = new CfnSecret(scope, 'CaseKey', {
    description:
      'Names the cases of DICOM series; another value would give all of them other names.',
    kmsKeyId: storage.key.keyArn,
    generateSecretString: {
      passwordLength: 2 * DICOM_KEY_BYTES,
      // What is left are hexadecimal digits.
      excludeCharacters: 'ghijklmnopqrstuvwxyz',
      excludeUppercase: true,
      excludePunctuation: true,
      includeSpace: false,
    },
  });
  secret.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE);
  acknowledge(
    secret,
    'Another key would give every case another name. It opens nothing: who has it can only tell whether an identifier that he knows is among the cases.',
    'AwsSolutions-SMG4',
    'HIPAA.Security-SecretsManagerRotationEnabled',
  );
  return secret;
}
