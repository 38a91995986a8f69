import { Match, type Template } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import { SiteStack } from '../../infra/site-stack.ts';
import { PREFIX } from '../../site/contract/keys.ts';
import { METRICS, METRICS_NAMESPACE } from '../../site/contract/metrics.ts';
import { newApp, removeAfterTest, siteOf, templateOf } from './synth.ts';

let site: Template;
beforeAll(() => {
  site = templateOf({ alarmEmail: 'ops@example.org', retention: { casesDays: 90 } });
}, 600_000);

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

const list = (value: string | readonly string[]): readonly string[] => [value].flat();

/** Statements of the managed policy of a construct, e.g. `SegmentJobJobRole`. */
function grantsOf(role: string): Statement[] {
  const policies = Object.entries(site.findResources('AWS::IAM::ManagedPolicy'));
  const [, policy] = policies.find(([id]) => id.startsWith(`${role}Grants`)) ?? [];
  if (!policy) throw new Error(`no grants of ${role}`);
  return policy.Properties.PolicyDocument.Statement;
}

/** Prefixes of the data bucket on which a role has an action. */
function prefixesOf(role: string, action: string): string[] {
  const text = JSON.stringify(grantsOf(role).filter((one) => list(one.Action).includes(action)));
  return [...text.matchAll(/"\/([a-z*/-]+)\*"/g)].map((match) => match[1] ?? '').sort();
}

describe('security', () => {
  it('passes both nag packs', () => {
    const app = removeAfterTest(newApp());
    new SiteStack(app, siteOf());
    expect(() => app.synth()).not.toThrow();
  });

  it('would not pass them with one bucket that is not as it should be', () => {
    const app = removeAfterTest(newApp());
    new Bucket(new SiteStack(app, siteOf()), 'Plain');
    expect(() => app.synth()).toThrow(/The S3 Bucket/);
  });

  it('encrypts scans with the own key, keeps versions and lets no one in', () => {
    site.hasResource('AWS::S3::Bucket', {
      DeletionPolicy: 'RetainExceptOnCreate',
      Properties: {
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [
            {
              BucketKeyEnabled: true,
              ServerSideEncryptionByDefault: {
                SSEAlgorithm: 'aws:kms',
                KMSMasterKeyID: Match.anyValue(),
              },
            },
          ],
        },
        VersioningConfiguration: { Status: 'Enabled' },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        LoggingConfiguration: Match.anyValue(),
        NotificationConfiguration: { EventBridgeConfiguration: { EventBridgeEnabled: true } },
      },
    });
    site.allResourcesProperties('AWS::SQS::Queue', { KmsMasterKeyId: Match.anyValue() });
    site.allResourcesProperties('AWS::Logs::LogGroup', { KmsKeyId: Match.anyValue() });
    site.allResourcesProperties('AWS::SNS::Topic', { KmsMasterKeyId: Match.anyValue() });
  });

  it.each(['AWS::S3::BucketPolicy', 'AWS::SQS::QueuePolicy'])('answers only to TLS: %s', (type) => {
    site.allResourcesProperties(type, {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Deny',
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          }),
        ]),
      },
    });
  });

  it('says where its bucket is: the command line finds it by the name of the stack', () => {
    site.hasOutput('Bucket', { Value: { Ref: Match.stringLikeRegexp('^StorageData') } });
    const app = removeAfterTest(newApp());
    expect(new SiteStack(app, siteOf()).stackName).toBe('sammix-north');
  });

  it('gives every role single actions, and a wildcard resource only where AWS has no other', () => {
    const policies = Object.values(site.findResources('AWS::IAM::ManagedPolicy'));
    const statements: Statement[] = policies.flatMap(
      (policy) => policy.Properties.PolicyDocument.Statement,
    );
    expect(statements.flatMap((one) => list(one.Action)).filter((a) => a.includes('*'))).toEqual(
      [],
    );
    const everywhere = statements.filter((one) => JSON.stringify(one.Resource) === '"*"');
    expect(new Set(everywhere.flatMap((one) => list(one.Action)))).toEqual(
      new Set([
        'batch:DescribeJobs',
        'batch:TerminateJob',
        'ecr:GetAuthorizationToken',
        'xray:PutTelemetryRecords',
        'xray:PutTraceSegments',
      ]),
    );
    site.resourceCountIs('AWS::IAM::Policy', 0);
  });

  it('keeps the GPU job away from uploads, reports and the state of runs', () => {
    expect(prefixesOf('SegmentJobJobRole', 's3:GetObject')).toEqual(['models/', 'runs/', 'work/']);
    expect(prefixesOf('SegmentJobJobRole', 's3:PutObject')).toEqual(['runs/*/jobs/', 'work/']);
    expect(prefixesOf('PipelineSplitRole', 's3:DeleteObject')).toEqual(['incoming/']);
    expect(prefixesOf('PipelineReportFailureRole', 's3:PutObject')).toEqual([
      'cases/',
      'dicom/*/uploads/',
      'runs/',
    ]);
    expect(JSON.stringify(grantsOf('PipelineReportFailureRole'))).toContain(
      '/training/requests/*.reason.json',
    );
    expect(prefixesOf('PipelineSummaryRole', 's3:PutObject')).toEqual(['summaries/']);
  });

  it('names cases of DICOM by a key of 32 bytes that it keeps with the data', () => {
    site.hasResource('AWS::SecretsManager::Secret', {
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        KmsKeyId: Match.anyValue(),
        GenerateSecretString: {
          PasswordLength: 64,
          ExcludeCharacters: 'ghijklmnopqrstuvwxyz',
          ExcludeUppercase: true,
          ExcludePunctuation: true,
        },
      },
    });
    expect(prefixesOf('DicomConvertRole', 's3:GetObjectVersion')).toEqual([
      'incoming/liver/dicom/',
    ]);
    expect(prefixesOf('DicomConvertRole', 's3:DeleteObject')).toEqual(['incoming/liver/dicom/']);
  });

  it('lets the trainer write its runs and its bundles, and not which bundle is used', () => {
    expect(prefixesOf('TrainingJobJobRole', 's3:GetObject')).toEqual(['models/', 'training/']);
    expect(prefixesOf('TrainingJobJobRole', 's3:PutObject')).toEqual([
      'models/sammix-',
      'training/runs/',
    ]);
    // Uploads by the versions that a training's record names, and no listing that would tell others.
    expect(prefixesOf('TrainingJobJobRole', 's3:GetObjectVersion')).toEqual(['incoming/']);
    expect(prefixesOf('TrainingTrainRole', 's3:PutObject')).toEqual([
      'models/candidates/',
      'runs/handled/',
      'training/jobs/',
      'training/requests/',
    ]);
    for (const role of ['TrainingJobJobRole', 'TrainingTrainRole'])
      for (const prefix of prefixesOf(role, 's3:PutObject'))
        expect('models/active.json'.startsWith(prefix), `${role} ${prefix}`).toBe(false);
  });

  it('has no way into the network and none out of it but the endpoints', () => {
    site.resourceCountIs('AWS::EC2::NatGateway', 0);
    site.resourceCountIs('AWS::EC2::InternetGateway', 0);
    site.resourceCountIs('AWS::EC2::VPCEndpoint', 7);
    site.hasResourceProperties('AWS::EC2::LaunchTemplate', {
      LaunchTemplateData: {
        MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
        BlockDeviceMappings: [Match.objectLike({ Ebs: Match.objectLike({ Encrypted: true }) })],
      },
    });
  });
});

describe('events', () => {
  it('lets no message get lost: every queue but the last has a dead-letter queue', () => {
    const queues = Object.values(site.findResources('AWS::SQS::Queue'));
    const last = queues.filter((queue) => queue.Properties.RedrivePolicy === undefined);
    expect(queues.length).toBeGreaterThan(4);
    expect(last).toHaveLength(1);
    site.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Threshold: 1,
    });
  });

  it('hides a message for longer than its function may run', () => {
    const functions = site.findResources('AWS::Lambda::Function');
    const queues = site.findResources('AWS::SQS::Queue');
    const mappings = Object.values(site.findResources('AWS::Lambda::EventSourceMapping'));
    expect(mappings.length).toBeGreaterThan(3);
    for (const { Properties } of mappings) {
      const queue = queues[Properties.EventSourceArn['Fn::GetAtt'][0]];
      const lambda = functions[Properties.FunctionName.Ref];
      expect(queue?.Properties.VisibilityTimeout).toBeGreaterThan(lambda?.Properties.Timeout);
      expect(Properties.FunctionResponseTypes).toEqual(['ReportBatchItemFailures']);
    }
  });

  it('takes uploads of the datasets and the ends of whole jobs, not of array children', () => {
    site.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.s3'],
        detail: { object: { key: Match.arrayWith([{ prefix: 'incoming/liver/images/' }]) } },
      },
    });
    site.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.batch'],
        detail: { status: ['FAILED'], arrayProperties: { index: [{ exists: false }] } },
      },
    });
  });

  it('takes DICOM of the datasets that is whole: zip files and markers, no single file', () => {
    for (const wildcard of ['incoming/liver/dicom/*.zip', 'incoming/liver/dicom/*/ready'])
      site.hasResourceProperties('AWS::Events::Rule', {
        EventPattern: { source: ['aws.s3'], detail: { object: { key: [{ wildcard }] } } },
      });
  });

  it('takes training requests, and the ends of their jobs', () => {
    site.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.s3'],
        detail: { object: { key: [{ prefix: 'training/requests/' }] } },
      },
    });
    site.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.batch'],
        detail: { status: ['SUCCEEDED', 'FAILED'], jobName: [{ prefix: 'train-' }] },
      },
    });
  });

  it('shows every metric on the dashboard that an alarm watches', () => {
    const [dashboard] = Object.values(site.findResources('AWS::CloudWatch::Dashboard'));
    const shown = JSON.stringify(dashboard?.Properties.DashboardBody);
    const alarms = Object.values(site.findResources('AWS::CloudWatch::Alarm'));
    const own = alarms.filter(({ Properties }) => Properties.Namespace === METRICS_NAMESPACE);
    expect(own.length).toBeGreaterThan(0);
    for (const { Properties } of own) expect(shown).toContain(Properties.MetricName);
    for (const name of ['CasesReceived', 'CasesReported', 'GpuSeconds', 'EstimatedUsd'])
      expect(shown).toContain(name);
    expect(shown).toContain('ApproximateAgeOfOldestMessage');
    // Every series of ours is one of the site's, and has the unit-bearing names that functions emit.
    const named = [...shown.matchAll(/\\"Sammix\\",\\"(\w+)\\",\\"Site\\",\\"(\w+)\\"/g)];
    expect(named.length).toBeGreaterThan(8);
    for (const [, name, of] of named) {
      expect(Object.keys(METRICS)).toContain(name);
      expect(of).toBe('north');
    }
  });

  it('alarms someone', () => {
    site.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: [Match.anyValue()] });
    site.hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'email',
      Endpoint: 'ops@example.org',
    });
  });
});

describe('a site file', () => {
  it('names nothing, so that two sites fit in one account', () => {
    const names = /^(Bucket|Queue|Role|Function|Topic|JobQueue|Rule|LogGroup|Dashboard)Name$/;
    const resources: { Properties?: object }[] = Object.values(site.toJSON().Resources);
    const named = resources
      .flatMap((resource) => Object.entries(resource.Properties ?? {}))
      .filter(([property, value]) => names.test(property) && typeof value === 'string');
    expect(named).toEqual([]);
  });

  it('can bring its own key and network, and leave out on-demand instances', () => {
    const template = templateOf({
      encryption: {
        mode: 'existing-key',
        keyArn: 'arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000',
      },
      network: {
        mode: 'existing-vpc',
        vpcId: 'vpc-0abc',
        subnetIds: ['subnet-0abc'],
        availabilityZones: ['eu-central-1a'],
      },
      compute: { onDemandMaxVcpus: 0 },
    });
    template.resourceCountIs('AWS::KMS::Key', 0);
    template.resourceCountIs('AWS::EC2::VPC', 0);
    template.resourceCountIs('AWS::EC2::VPCEndpoint', 0);
    template.hasResourceProperties('AWS::Batch::ComputeEnvironment', {
      ComputeResources: Match.objectLike({ Type: 'SPOT', Subnets: ['subnet-0abc'] }),
    });
    template.resourceCountIs('AWS::Batch::ComputeEnvironment', 1);
  });

  it('decides how long things are kept', () => {
    site.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: {
        Rules: Match.arrayWith([
          Match.objectLike({ Prefix: 'cases/', ExpirationInDays: 90 }),
          Match.objectLike({ Prefix: 'work/', ExpirationInDays: 30 }),
        ]),
      },
    });
  });

  it('reaches everything that holds a scan or names a case', () => {
    const retention = { incomingDays: 30, casesDays: 90, trainingDays: 60 };
    const buckets = Object.entries(templateOf({ retention }).findResources('AWS::S3::Bucket'));
    const [, data] = buckets.find(([id]) => id.startsWith('StorageData'))!;
    const days = (prefix: string): number | undefined =>
      data.Properties.LifecycleConfiguration.Rules.find(
        (rule: { Prefix?: string }) => rule.Prefix === prefix,
      )?.ExpirationInDays;
    // All folders of the bucket but those of bundles, requests and the viewer's page.
    const spared = [PREFIX.models, PREFIX.training, PREFIX.viewer] as string[];
    const folders = Object.values(PREFIX).filter((prefix) => /^[^/]+\/$/.test(prefix));
    for (const prefix of folders.filter((one) => !spared.includes(one)))
      expect(days(prefix), prefix).toBeGreaterThan(0);
    expect(days(PREFIX.quarantine)).toBe(30);
    expect(days(PREFIX.trainingData)).toBe(60);
  });
});
