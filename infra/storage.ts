import { Aws, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { IVpcEndpoint } from 'aws-cdk-lib/aws-ec2';
import {
  AnyPrincipal,
  Effect,
  type IRole,
  PolicyStatement,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CfnBucket,
  type IBucket,
  type LifecycleRule,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { CANARY_DATASET } from '../site/contract/canary.ts';
import type { Site } from '../site/contract/config.ts';
import { PREFIX } from '../site/contract/keys.ts';
import { acknowledge } from './acknowledge.ts';

/** The canary's scans can be drawn again at any time. */
const CANARY_DAYS = 30;

/** What outlives the stack: the key, the bucket with scans and masks, and the bucket of its access logs. */
export class Storage extends Construct {
  readonly key: IKey;
  readonly data: IBucket;

  constructor(scope: Construct, id: string, site: Site) {
    super(scope, id);
    this.key = siteKey(this, site);
    const accessLogs = this.accessLogs();
    const data = new Bucket(this, 'Data', {
      encryption: BucketEncryption.KMS,
      encryptionKey: this.key,
      // One data key for many objects: a hundredth of the KMS requests.
      bucketKeyEnabled: true,
      versioned: true,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: 'data/',
      lifecycleRules: lifecycle(site),
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    // The property of the bucket itself; CDK's own `eventBridgeEnabled` would add a function with
    // wide permissions for the same effect.
    (data.node.defaultChild as CfnBucket).notificationConfiguration = {
      eventBridgeConfiguration: { eventBridgeEnabled: true },
    };
    acknowledge(
      data,
      'Scans stay in the region that the site chose; versioning and retention protect them there.',
      'HIPAA.Security-S3BucketReplicationEnabled',
    );
    this.data = data;
    this.refuse(data);
  }

  /** What no policy of a role or of another account can allow. */
  private refuse(data: Bucket): void {
    const everything = [data.bucketArn, data.arnForObjects('*')];
    data.addToResourcePolicy(
      new PolicyStatement({
        sid: 'OnlyThisAccount',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3:*'],
        resources: everything,
        conditions: {
          StringNotEquals: { 'aws:PrincipalAccount': Aws.ACCOUNT_ID },
          Bool: { 'aws:PrincipalIsAWSService': 'false' },
        },
      }),
    );
    data.addToResourcePolicy(
      new PolicyStatement({
        sid: 'OnlyTheSiteKey',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3:PutObject'],
        resources: [data.arnForObjects('*')],
        conditions: {
          StringNotEqualsIfExists: {
            's3:x-amz-server-side-encryption-aws-kms-key-id': this.key.keyArn,
          },
          Null: { 's3:x-amz-server-side-encryption': 'false' },
        },
      }),
    );
  }

  /** Jobs reach the bucket from the site's own network, and credentials taken from one nowhere else. */
  onlyFrom(endpoint: IVpcEndpoint, roles: readonly IRole[]): void {
    this.data.addToResourcePolicy(
      new PolicyStatement({
        sid: 'JobsOnlyFromTheirNetwork',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3:*'],
        resources: [this.data.bucketArn, this.data.arnForObjects('*')],
        conditions: {
          ArnEquals: { 'aws:PrincipalArn': roles.map(({ roleArn }) => roleArn) },
          StringNotEquals: { 'aws:SourceVpce': endpoint.vpcEndpointId },
        },
      }),
    );
  }

  private accessLogs(): Bucket {
    const logs = new Bucket(this, 'AccessLogs', {
      encryption: BucketEncryption.S3_MANAGED,
      versioned: true,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [
        { expiration: Duration.days(731), noncurrentVersionExpiration: Duration.days(30) },
      ],
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    acknowledge(
      logs,
      'S3 delivers access logs only to buckets with SSE-S3 default encryption.',
      'HIPAA.Security-S3DefaultEncryptionKMS',
    );
    acknowledge(
      logs,
      'The bucket holds the access logs; logging access to it would never end.',
      'AwsSolutions-S1',
      'HIPAA.Security-S3BucketLoggingEnabled',
    );
    acknowledge(
      logs,
      'Access logs stay in the region that the site chose.',
      'HIPAA.Security-S3BucketReplicationEnabled',
    );
    return logs;
  }
}

function siteKey(scope: Construct, site: Site): IKey {
  if (site.encryption.mode === 'existing-key')
    return Key.fromKeyArn(scope, 'Key', site.encryption.keyArn);
  const key = new Key(scope, 'Key', {
    enableKeyRotation: true,
    description: `Scans, masks, queues, logs and alarms of the sammix site ${site.site}`,
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  });
  // Services that write on the site's behalf.
  const { region, account, partition } = Stack.of(scope);
  key.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal(`logs.${Aws.REGION}.amazonaws.com`)],
      actions: [
        'kms:Encrypt',
        'kms:Decrypt',
        'kms:ReEncrypt*',
        'kms:GenerateDataKey*',
        'kms:DescribeKey',
      ],
      resources: ['*'],
      conditions: {
        ArnLike: {
          'kms:EncryptionContext:aws:logs:arn': `arn:${partition}:logs:${region}:${account}:log-group:*`,
        },
      },
    }),
  );
  // Whose events and alarms these are, queues and topic ask: neither service tells the key for certain.
  key.addToResourcePolicy(
    new PolicyStatement({
      principals: ['events', 'cloudwatch'].map(
        (service) => new ServicePrincipal(`${service}.amazonaws.com`),
      ),
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: ['*'],
    }),
  );
  return key;
}

/** Whatever holds a scan or names a case: nothing of it has no rule. */
function lifecycle(site: Site): LifecycleRule[] {
  const { incomingDays, casesDays, workDays, quarantineDays, evaluationsDays, trainingDays } =
    site.retention;
  const canaryDays = site.evaluation.canaryCases > 0 ? CANARY_DAYS : null;
  const expire = (prefix: string, days: number | null): LifecycleRule[] =>
    days === null ? [] : [{ prefix, expiration: Duration.days(days) }];
  return [
    {
      noncurrentVersionExpiration: Duration.days(site.retention.oldVersionsDays),
      abortIncompleteMultipartUploadAfter: Duration.days(2),
      expiredObjectDeleteMarker: true,
    },
    ...expire(PREFIX.incoming, incomingDays),
    // Which series of which upload a case is: of no use without the upload.
    ...expire(PREFIX.dicom, incomingDays),
    ...[PREFIX.incoming, PREFIX.cases].flatMap((prefix) =>
      expire(`${prefix}${CANARY_DATASET}/`, canaryDays),
    ),
    ...expire(PREFIX.cases, casesDays),
    ...expire(PREFIX.work, workDays),
    // A refused upload is an upload, and is kept as long unless the site says otherwise.
    ...expire(PREFIX.quarantine, quarantineDays ?? incomingDays),
    // Their tables name cases and hold their numbers.
    ...[PREFIX.evaluations, PREFIX.evaluationRuns, PREFIX.summaries].flatMap((prefix) =>
      expire(prefix, evaluationsDays ?? casesDays),
    ),
    ...expire(PREFIX.trainingData, trainingDays),
    // State of runs: an upload that comes again after so long is simply processed again.
    ...expire(PREFIX.runs, casesDays),
  ];
}
