import { isDeepStrictEqual } from 'node:util';
import type { Template } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Call, FOREIGN, OWN, Policies, type Verdict } from './policy.ts';
import { templateOf } from './synth.ts';

let policies: Policies;
let template: Template;
const verdicts: string[] = [];
beforeAll(() => {
  template = templateOf();
  policies = new Policies(template);
}, 600_000);
afterAll(() => {
  // For whoever runs it to read: what was asked, and what IAM would say.
  console.log(verdicts.join('\n'));
});

function verdict(what: string, call: Call): Verdict {
  const said = policies.decide(call);
  verdicts.push(`${said.padEnd(26)} ${what}`);
  return said;
}

const object = (path: string) => ({ id: 'StorageData', path: `/${path}` });
const RUN = '0123456789abcdef';
const S3 = 'NetworkVpcS3';
const KEY = { id: 'StorageKey' };
const rule = (account: string, name: string) => ({
  'aws:SourceAccount': account,
  'aws:SourceArn': `arn:aws:events:eu-central-1:${account}:rule/${name}`,
});

/** Who does it, what, and with what else; each is a call that the site makes. */
const NEEDED: readonly (readonly [string, Call])[] = [
  [
    'split reads a version of an upload',
    {
      by: { role: 'PipelineSplitRole' },
      action: 's3:GetObjectVersion',
      on: object('incoming/liver/images/a.nii.gz'),
    },
  ],
  [
    'split decrypts with the site key',
    { by: { role: 'PipelineSplitRole' }, action: 'kms:Decrypt', on: KEY },
  ],
  [
    'split starts a job of an upload',
    { by: { role: 'PipelineSplitRole' }, action: 'batch:SubmitJob', on: { id: 'GpuQueue' } },
  ],
  [
    'split starts a job of the canary',
    { by: { role: 'PipelineSplitRole' }, action: 'batch:SubmitJob', on: { id: 'GpuBackground' } },
  ],
  [
    'split marks a run as open',
    { by: { role: 'PipelineSplitRole' }, action: 's3:PutObject', on: object(`runs/open/${RUN}`) },
  ],
  [
    'dicom reads a version of a zip file',
    {
      by: { role: 'DicomConvertRole' },
      action: 's3:GetObjectVersion',
      on: object('incoming/liver/dicom/a.zip'),
    },
  ],
  [
    'dicom uploads the volume of a series',
    {
      by: { role: 'DicomConvertRole' },
      action: 's3:PutObject',
      on: object('incoming/liver/images/s0123456789abcdef.nii'),
    },
  ],
  [
    'dicom reads the key that names cases',
    {
      by: { role: 'DicomConvertRole' },
      action: 'secretsmanager:GetSecretValue',
      on: { id: 'DicomCaseKey' },
    },
  ],
  [
    'dicom lists the files of an upload',
    {
      by: { role: 'DicomConvertRole' },
      action: 's3:ListBucketVersions',
      on: { id: 'StorageData' },
      context: { 's3:prefix': 'incoming/liver/dicom/visit/' },
    },
  ],
  [
    'failures writes what became of an upload of DICOM',
    {
      by: { role: 'PipelineReportFailureRole' },
      action: 's3:PutObject',
      on: object(`dicom/liver/uploads/${RUN}.json`),
    },
  ],
  [
    'the segment job reads slabs',
    {
      by: { role: 'SegmentJobJobRole' },
      action: 's3:GetObject',
      on: object(`work/${RUN}/work/slabs/00000.slab`),
      through: S3,
    },
  ],
  [
    'the segment job writes its account',
    {
      by: { role: 'SegmentJobJobRole' },
      action: 's3:PutObject',
      on: object(`runs/${RUN}/jobs/0-1.json`),
      through: S3,
    },
  ],
  [
    'assemble reads the version of an upload that was segmented',
    {
      by: { role: 'PipelineAssembleRole' },
      action: 's3:GetObjectVersion',
      on: object('incoming/liver/images/a.nii.gz'),
    },
  ],
  [
    'assemble reads what the classes of labels are called',
    {
      by: { role: 'PipelineAssembleRole' },
      action: 's3:GetObject',
      on: object('incoming/liver/dataset.json'),
    },
  ],
  [
    'the evaluation job reads a version of an upload',
    {
      by: { role: 'EvaluationJobJobRole' },
      action: 's3:GetObjectVersion',
      on: object('incoming/liver/labels/a.nii.gz'),
      through: S3,
    },
  ],
  [
    'the trainer reads a version of an upload',
    {
      by: { role: 'TrainingJobJobRole' },
      action: 's3:GetObjectVersion',
      on: object('incoming/liver/labels/a.nii.gz'),
      through: S3,
    },
  ],
  [
    'the trainer writes a new bundle once',
    {
      by: { role: 'TrainingJobJobRole' },
      action: 's3:PutObject',
      on: object('models/sammix-small/0011223344556677/bundle.json'),
      context: { 's3:if-none-match': '*' },
      through: S3,
    },
  ],
  [
    'evaluate-finish activates a bundle',
    {
      by: { role: 'EvaluationFinishRole' },
      action: 's3:PutObject',
      on: object('models/active.json'),
    },
  ],
  [
    'evaluate-finish activates a bundle for a further target',
    {
      by: { role: 'EvaluationFinishRole' },
      action: 's3:PutObject',
      on: object('models/active/spleen.json'),
    },
  ],
  [
    'evaluate-finish sends a notice',
    { by: { role: 'EvaluationFinishRole' }, action: 'sns:Publish', on: { id: 'Notices' } },
  ],
  [
    'dicom-seg reads which series a case is',
    {
      by: { role: 'DicomSegWriteRole' },
      action: 's3:GetObject',
      on: object('dicom/liver/s0123456789abcdef.json'),
    },
  ],
  [
    'dicom-seg reads a version of uploaded DICOM',
    {
      by: { role: 'DicomSegWriteRole' },
      action: 's3:GetObjectVersion',
      on: object('incoming/liver/dicom/study.zip'),
    },
  ],
  [
    'dicom-seg writes beside a mask',
    {
      by: { role: 'DicomSegWriteRole' },
      action: 's3:PutObject',
      on: object(`cases/liver/s0123456789abcdef/${RUN}/segmentation.dcm`),
    },
  ],
  [
    'dicom-seg says why it could not',
    {
      by: { role: 'DicomSegWriteRole' },
      action: 's3:PutObject',
      on: object(`cases/liver/s0123456789abcdef/${RUN}/segmentation.reason.json`),
    },
  ],
  [
    'the watch announces an end again',
    { by: { role: 'WatchLookRole' }, action: 'sqs:SendMessage', on: { id: 'PipelineResults' } },
  ],
  [
    'the watch forgets a run that has ended',
    { by: { role: 'WatchLookRole' }, action: 's3:DeleteObject', on: object(`runs/open/${RUN}`) },
  ],
  [
    "a rule of the stack sends to the stack's queue",
    {
      by: { service: 'events' },
      action: 'sqs:SendMessage',
      on: { id: 'PipelineIngest' },
      context: rule(OWN, 'sammix-north-PipelineImage-1'),
    },
  ],
  [
    'EventBridge encrypts what it sends',
    { by: { service: 'events' }, action: 'kms:GenerateDataKey', on: KEY },
  ],
  [
    'an alarm notifies',
    {
      by: { service: 'cloudwatch' },
      action: 'sns:Publish',
      on: { id: 'Notices' },
      context: { 'aws:SourceAccount': OWN },
    },
  ],
  [
    'an image layer comes through the endpoint',
    {
      by: { account: FOREIGN },
      action: 's3:GetObject',
      on: 'arn:aws:s3:::prod-eu-central-1-starport-layer-bucket/sha256',
      through: S3,
    },
  ],
];

const FORBIDDEN: readonly (readonly [string, Call])[] = [
  [
    'a rule of another account sends a forged event',
    {
      by: { service: 'events' },
      action: 'sqs:SendMessage',
      on: { id: 'PipelineIngest' },
      context: rule(FOREIGN, 'sammix-north-PipelineImage-1'),
    },
  ],
  [
    'a rule of another stack sends an event',
    {
      by: { service: 'events' },
      action: 'sqs:SendMessage',
      on: { id: 'PipelineFailures' },
      context: rule(OWN, 'another-rule'),
    },
  ],
  [
    'an alarm of another account notifies',
    {
      by: { service: 'cloudwatch' },
      action: 'sns:Publish',
      on: { id: 'Notices' },
      context: { 'aws:SourceAccount': FOREIGN },
    },
  ],
  [
    'somebody of another account reads a scan',
    {
      by: { account: FOREIGN },
      action: 's3:GetObject',
      on: object('incoming/liver/images/a.nii.gz'),
    },
  ],
  [
    'somebody of another account uploads a scan',
    {
      by: { account: FOREIGN },
      action: 's3:PutObject',
      on: object('incoming/liver/images/a.nii.gz'),
    },
  ],
  [
    'somebody of another account decrypts',
    { by: { account: FOREIGN }, action: 'kms:Decrypt', on: KEY },
  ],
  [
    'somebody reads a scan without TLS',
    {
      by: { role: 'PipelineSplitRole' },
      action: 's3:GetObject',
      on: object('incoming/a'),
      context: { 'aws:SecureTransport': 'false' },
    },
  ],
  [
    'somebody stores a scan under another key',
    {
      by: { role: 'PipelineSplitRole' },
      action: 's3:PutObject',
      on: object('cases/liver/a'),
      context: {
        's3:x-amz-server-side-encryption': 'aws:kms',
        's3:x-amz-server-side-encryption-aws-kms-key-id':
          'arn:aws:kms:eu-central-1:123456789012:key/other',
      },
    },
  ],
  [
    "a job brings scans into another's bucket",
    {
      by: { account: FOREIGN },
      action: 's3:PutObject',
      on: 'arn:aws:s3:::elsewhere/scan',
      through: S3,
    },
  ],
  [
    "a job writes into another site's bucket",
    {
      by: { role: 'SegmentJobJobRole' },
      action: 's3:PutObject',
      on: 'arn:aws:s3:::sammix-south-data/work/x',
      through: S3,
    },
  ],
  [
    'credentials of a job are used outside its network',
    { by: { role: 'SegmentJobJobRole' }, action: 's3:GetObject', on: object(`work/${RUN}/x`) },
  ],
  [
    'the segment job reads an upload',
    {
      by: { role: 'SegmentJobJobRole' },
      action: 's3:GetObject',
      on: object('incoming/liver/images/a.nii.gz'),
      through: S3,
    },
  ],
  [
    "the segment job writes a run's results",
    {
      by: { role: 'SegmentJobJobRole' },
      action: 's3:PutObject',
      on: object(`cases/liver/c1/${RUN}/mask.nii.gz`),
      through: S3,
    },
  ],
  [
    "the segment job writes a run's state",
    {
      by: { role: 'SegmentJobJobRole' },
      action: 's3:PutObject',
      on: object(`runs/${RUN}.json`),
      through: S3,
    },
  ],
  [
    'the segment job starts jobs',
    { by: { role: 'SegmentJobJobRole' }, action: 'batch:SubmitJob', on: { id: 'GpuQueue' } },
  ],
  [
    'the evaluation job activates a bundle',
    {
      by: { role: 'EvaluationJobJobRole' },
      action: 's3:PutObject',
      on: object('models/active.json'),
      through: S3,
    },
  ],
  [
    'the trainer activates a bundle',
    {
      by: { role: 'TrainingJobJobRole' },
      action: 's3:PutObject',
      on: object('models/active.json'),
      context: { 's3:if-none-match': '*' },
      through: S3,
    },
  ],
  [
    'the evaluation job activates a bundle for a further target',
    {
      by: { role: 'EvaluationJobJobRole' },
      action: 's3:PutObject',
      on: object('models/active/spleen.json'),
      through: S3,
    },
  ],
  [
    'the split function activates a bundle for a further target',
    {
      by: { role: 'PipelineSplitRole' },
      action: 's3:PutObject',
      on: object('models/active/spleen.json'),
    },
  ],
  [
    'the trainer overwrites the active bundle',
    {
      by: { role: 'TrainingJobJobRole' },
      action: 's3:PutObject',
      on: object('models/sammix-small/0011223344556677/bundle.json'),
      through: S3,
    },
  ],
  [
    'the trainer reads a scan',
    {
      by: { role: 'TrainingJobJobRole' },
      action: 's3:GetObject',
      on: object('incoming/liver/images/a.nii.gz'),
      through: S3,
    },
  ],
  [
    'a job decrypts with another key',
    {
      by: { role: 'SegmentJobJobRole' },
      action: 'kms:Decrypt',
      on: 'arn:aws:kms:eu-central-1:123456789012:key/other',
    },
  ],
  [
    'failures starts a training',
    {
      by: { role: 'PipelineReportFailureRole' },
      action: 's3:PutObject',
      on: object('training/requests/forged.json'),
    },
  ],
  [
    'the watch removes a scan',
    {
      by: { role: 'WatchLookRole' },
      action: 's3:DeleteObject',
      on: object('incoming/liver/images/a.nii.gz'),
    },
  ],
  [
    'the canary uploads to a dataset of patients',
    {
      by: { role: 'CanaryRunRole' },
      action: 's3:PutObject',
      on: object('incoming/liver/images/a.nii.gz'),
    },
  ],
  [
    'dicom-seg changes a mask',
    {
      by: { role: 'DicomSegWriteRole' },
      action: 's3:PutObject',
      on: object(`cases/liver/c1/${RUN}/mask.nii.gz`),
    },
  ],
  [
    'dicom-seg changes which series a case is',
    {
      by: { role: 'DicomSegWriteRole' },
      action: 's3:PutObject',
      on: object('dicom/liver/s0123456789abcdef.json'),
    },
  ],
  [
    'dicom-seg uploads',
    {
      by: { role: 'DicomSegWriteRole' },
      action: 's3:PutObject',
      on: object('incoming/liver/images/a.nii.gz'),
    },
  ],
  [
    'dicom-seg reads uploads that are no DICOM',
    {
      by: { role: 'DicomSegWriteRole' },
      action: 's3:GetObjectVersion',
      on: object('incoming/liver/images/a.nii.gz'),
    },
  ],
  [
    'dicom reads an image of somebody else',
    {
      by: { role: 'DicomConvertRole' },
      action: 's3:GetObjectVersion',
      on: object('incoming/liver/images/a.nii.gz'),
    },
  ],
  [
    'dicom removes an image',
    {
      by: { role: 'DicomConvertRole' },
      action: 's3:DeleteObject',
      on: object('incoming/liver/images/a.nii.gz'),
    },
  ],
  [
    'dicom lists the versions of everything',
    {
      by: { role: 'DicomConvertRole' },
      action: 's3:ListBucketVersions',
      on: { id: 'StorageData' },
      context: { 's3:prefix': '' },
    },
  ],
  [
    'dicom activates a bundle',
    { by: { role: 'DicomConvertRole' }, action: 's3:PutObject', on: object('models/active.json') },
  ],
  [
    'dicom reads another secret',
    {
      by: { role: 'DicomConvertRole' },
      action: 'secretsmanager:GetSecretValue',
      on: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:other',
    },
  ],
  [
    'failures reads which series a case is',
    {
      by: { role: 'PipelineReportFailureRole' },
      action: 's3:GetObject',
      on: object('dicom/liver/s0123456789abcdef.json'),
    },
  ],
  [
    'dicom-seg reads the key that names cases',
    {
      by: { role: 'DicomSegWriteRole' },
      action: 'secretsmanager:GetSecretValue',
      on: { id: 'DicomCaseKey' },
    },
  ],
  ...[
    ['split', 'PipelineSplitRole'],
    ['assemble', 'PipelineAssembleRole'],
    ['summary', 'PipelineSummaryRole'],
    ['the segment job', 'SegmentJobJobRole'],
    ['the evaluation job', 'EvaluationJobJobRole'],
    ['the trainer', 'TrainingJobJobRole'],
  ].flatMap(([who, role]): (readonly [string, Call])[] => [
    [
      `${who} reads the key that names cases`,
      {
        by: { role: role! },
        action: 'secretsmanager:GetSecretValue',
        on: { id: 'DicomCaseKey' },
      },
    ],
    [
      `${who} reads which series a case is`,
      {
        by: { role: role! },
        action: 's3:GetObject',
        on: object('dicom/liver/s0123456789abcdef.json'),
        ...(role!.endsWith('JobRole') && { through: S3 }),
      },
    ],
  ]),
  [
    'split deletes a result',
    {
      by: { role: 'PipelineSplitRole' },
      action: 's3:DeleteObject',
      on: object(`cases/liver/c1/${RUN}/mask.nii.gz`),
    },
  ],
];

/** For this account's roles alone, but for reading the layers of images, whose addresses ECR has signed. */
const isClosed = (statements: readonly PolicyStatement[]): boolean =>
  statements.length > 0 &&
  statements.every(
    ({ Action, Resource, Condition }) =>
      isDeepStrictEqual(Condition?.StringEquals, {
        'aws:PrincipalAccount': { Ref: 'AWS::AccountId' },
      }) ||
      (Action === 's3:GetObject' && JSON.stringify(Resource).includes('starport-layer-bucket/*')),
  );

interface PolicyStatement {
  readonly Action: unknown;
  readonly Resource: unknown;
  readonly Condition?: { readonly StringEquals?: unknown };
}

describe('what the parts of a site may do', () => {
  it.each(NEEDED)('%s', (what, call) => expect(verdict(what, call)).toBe('allowed'));
});

describe('what nobody may do', () => {
  it.each(FORBIDDEN)('%s', (what, call) => expect(verdict(what, call)).toMatch(/^denied/));

  it('take a role from another account', () => {
    for (const [id, { Properties }] of Object.entries(template.findResources('AWS::IAM::Role')))
      for (const { Principal, Condition } of Properties.AssumeRolePolicyDocument.Statement) {
        // An instance asks for its own role, from no other account.
        if (Principal.Service === 'ec2.amazonaws.com') continue;
        expect(Condition, id).toEqual({
          StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } },
        });
      }
  });

  it('find an endpoint open to everybody', () => {
    const open = Object.entries(template.findResources('AWS::EC2::VPCEndpoint'))
      .filter(([, { Properties }]) => !isClosed(Properties.PolicyDocument?.Statement ?? []))
      .map(([id]) => id);
    expect(open).toEqual([]);
  });
});
