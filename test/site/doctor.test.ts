import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Site } from '../../site/contract/config.ts';
import { findingsAfter } from '../../site/doctor/after.ts';
import { FUNCTIONS_AT_ONCE, findingsBefore } from '../../site/doctor/before.ts';
import { ENDPOINT_SERVICES } from '../../site/doctor/before-site.ts';
import type { AccountFacts, DeploymentFacts } from '../../site/doctor/facts.ts';
import { type Asked, type Finding, isFit } from '../../site/doctor/finding.ts';
import { gpuQuotas } from '../../site/doctor/quotas.ts';

const REGION = 'eu-central-1';
const ACCOUNT = '123456789012';
const KEY = `arn:aws:kms:${REGION}:${ACCOUNT}:key/0f0f0f0f-0000-0000-0000-000000000000`;
const NOW = new Date('2026-03-10T12:00:00Z');
const ZONES = ['a', 'b', 'c'].map((letter) => REGION + letter);

const is = <T>(answer: T): Asked<T> => ({ answer });

const siteOf = (settings: object = {}): Site =>
  Site.parse({
    site: 'north',
    account: ACCOUNT,
    alarmEmail: 'it@example.org',
    budget: { usdPerMonth: 100 },
    ...settings,
  });

const POLICY = {
  Statement: [
    { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'kms:*' },
    {
      Effect: 'Allow',
      Principal: { Service: `logs.${REGION}.amazonaws.com` },
      Action: [
        'kms:Encrypt',
        'kms:Decrypt',
        'kms:ReEncrypt*',
        'kms:GenerateDataKey*',
        'kms:DescribeKey',
      ],
    },
    {
      Effect: 'Allow',
      Principal: { Service: ['events.amazonaws.com', 'cloudwatch.amazonaws.com'] },
      Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
    },
  ],
};

const key = (changes: object = {}) => ({
  arn: KEY,
  state: 'Enabled',
  spec: 'SYMMETRIC_DEFAULT',
  usage: 'ENCRYPT_DECRYPT',
  policy: JSON.stringify(POLICY),
  ...changes,
});

const quotas = (changes: Readonly<Record<string, number>> = {}): AccountFacts['quotas'] =>
  new Map(
    Object.entries({ 'L-3819A6DF': 64, 'L-DB2E81BA': 64, 'L-F678F1CE': 5, ...changes }).map(
      ([code, value]) => [code, is(value)],
    ),
  );

/** An account where nothing is wrong. */
const account = (changes: Partial<AccountFacts> = {}): AccountFacts => ({
  identity: is({ account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:user/it` }),
  bootstrap: is(21),
  quotas: quotas(),
  concurrency: is({ limit: 1000, unreserved: 900 }),
  zones: is(ZONES),
  offerings: is(new Map(siteOf().compute.gpuInstanceTypes.map((type) => [type, ZONES]))),
  endpointServices: is(new Map(ENDPOINT_SERVICES.map((service) => [service, ZONES]))),
  vpcs: is(1),
  subnets: is([{ id: 'subnet-1', vpcId: 'vpc-1', zone: ZONES[0]! }]),
  key: is(key()),
  docker: '27.0',
  newestImage: is({ id: 'ami-1', name: 'al2023-ami-ecs-gpu-hvm-2023.0.20260301' }),
  ...changes,
});

const machine = {
  instanceType: 'g4dn.xlarge',
  market: 'spot' as const,
  gpu: 'Tesla T4',
  driver: '580.159.03',
  image: 'ami-1',
  imageDate: '2026-03-01',
};

const scan = (seed: number, changes: object = {}) => ({
  caseId: `phantom-${seed}`,
  uploadedAt: '2026-03-01T12:10:00.000Z',
  verdict: 'as-before' as const,
  ...changes,
});

const queue = (changes: object = {}) => ({
  name: 'queue',
  state: 'ENABLED',
  status: 'VALID',
  statusReason: '',
  waiting: null,
  ...changes,
});

/** A deployment where nothing is wrong. */
const deployment = (changes: Partial<DeploymentFacts> = {}): DeploymentFacts => ({
  stack: { name: 'sammix-north', status: 'UPDATE_COMPLETE', changedAt: '2026-03-01T12:00:00.000Z' },
  environments: is([queue({ name: 'spot' })]),
  queues: is([queue()]),
  images: is([{ id: 'ami-1', createdAt: '2026-03-01T00:00:00.000Z' }]),
  subscriptions: is([{ address: 'it@example.org', confirmed: true }]),
  budget: is({ usdPerMonth: 100, spentUsd: 12 }),
  canary: is([scan(101), scan(102)]),
  targets: is([]),
  lastRun: is({
    runId: 'r1',
    reportedAt: '2026-03-01T12:20:00.000Z',
    backends: ['cuda'],
    machines: [machine],
  }),
  ...changes,
});

const ofCheck = (findings: readonly Finding[], check: string): Finding => {
  const found = findings.filter((one) => one.check === check && one.verdict !== 'well');
  expect(found, `one finding of ${check}`).toHaveLength(1);
  return found[0]!;
};

describe('before a deployment', () => {
  it('has nothing to say against an account where all is well', () => {
    const findings = findingsBefore(account(), siteOf());
    expect(findings.filter(({ verdict }) => verdict !== 'well')).toEqual([]);
    expect(findings.length).toBeGreaterThan(9);
    expect(isFit(findings)).toBe(true);
  });

  it('says nothing of an account that it cannot see', () => {
    const noAnswer = { action: 'sts:GetCallerIdentity', reason: 'ExpiredToken: expired' };
    const [only, ...others] = findingsBefore(account({ identity: { noAnswer } }), siteOf());
    expect(others).toEqual([]);
    expect(only).toMatchObject({ check: 'credentials', verdict: 'problem' });
    expect(only?.found).toContain('ExpiredToken');
  });

  it.each<[string, Finding['verdict'], Partial<AccountFacts>, object, RegExp, RegExp]>([
    [
      'credentials',
      'problem',
      { identity: is({ account: '9', arn: 'arn' }) },
      {},
      /account 9/,
      /AWS_PROFILE/,
    ],
    [
      'cdk-bootstrap',
      'problem',
      { bootstrap: is(null) },
      {},
      /none/,
      /cdk bootstrap aws:\/\/123456789012\/eu-central-1/,
    ],
    ['cdk-bootstrap', 'problem', { bootstrap: is(5) }, {}, /version 5/, /cdk bootstrap/],
    [
      'gpu-quota-spot',
      'problem',
      { quotas: quotas({ 'L-3819A6DF': 0 }) },
      {},
      /is 0 vCPUs/,
      /L-3819A6DF --desired-value 32/,
    ],
    [
      'gpu-quota-on-demand',
      'problem',
      { quotas: quotas({ 'L-DB2E81BA': 3 }) },
      {},
      /the smallest instance takes 4/,
      /L-DB2E81BA --desired-value 16/,
    ],
    [
      'gpu-quota-spot',
      'warning',
      { quotas: quotas({ 'L-3819A6DF': 8 }) },
      {},
      /allows 32/,
      /desired-value 32/,
    ],
    [
      'gpu-quota',
      'warning',
      { offerings: is(new Map([['trn1.2xlarge', ZONES]])) },
      { compute: { gpuInstanceTypes: ['trn1.2xlarge'] } },
      /trn1/,
      /list-service-quotas/,
    ],
    [
      'lambda-concurrency',
      'warning',
      { concurrency: is({ limit: 10, unreserved: 10 }) },
      {},
      /10 of 10/,
      /L-B99A9384/,
    ],
    [
      'lambda-concurrency',
      'problem',
      { concurrency: is({ limit: 10, unreserved: 0 }) },
      {},
      /0 of 10/,
      /L-B99A9384/,
    ],
    ['zones', 'warning', { zones: is(ZONES.slice(0, 2)) }, {}, /2 in eu-central-1/, /to 2/],
    [
      'instance-types',
      'problem',
      { offerings: is(new Map([['g4dn.xlarge', ZONES]])) },
      {},
      /g5.xlarge, g6.xlarge/,
      /gpuInstanceTypes/,
    ],
    [
      'instance-types',
      'problem',
      {
        offerings: is(
          new Map(['g4dn.xlarge', 'g5.xlarge', 'g6.xlarge'].map((type) => [type, [`${REGION}d`]])),
        ),
      },
      {},
      /none of/,
      /availabilityZones/,
    ],
    [
      'endpoint-services',
      'problem',
      {
        endpointServices: is(
          new Map(
            ENDPOINT_SERVICES.map((service) => [
              service,
              service === 'ecs-agent' ? ZONES.slice(1) : ZONES,
            ]),
          ),
        ),
      },
      {},
      /ecs-agent in eu-central-1a/,
      /\["eu-central-1b","eu-central-1c"\]/,
    ],
    ['vpcs', 'problem', { vpcs: is(5) }, {}, /5 of 5/, /L-F678F1CE/],
    ['docker', 'problem', { docker: null }, {}, /no container engine/, /docker info/],
    [
      'image',
      'problem',
      {},
      { segmentImage: { from: 'registry', uri: 'ghcr.io/x:1' } },
      /ghcr/,
      /dkr\.ecr\.eu-central-1/,
    ],
    [
      'image',
      'problem',
      {},
      {
        segmentImage: { from: 'registry', uri: '123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1' },
      },
      /us-east-1/,
      /Push/,
    ],
    ['machine-image', 'problem', { newestImage: is(null) }, {}, /no ECS image/, /region/],
    [
      'key',
      'problem',
      { key: is(null) },
      { encryption: { mode: 'existing-key', keyArn: KEY } },
      /no arn/,
      /keyArn/,
    ],
    [
      'key',
      'problem',
      { key: is(key({ state: 'PendingDeletion' })) },
      { encryption: { mode: 'existing-key', keyArn: KEY } },
      /PendingDeletion/,
      /describe-key/,
    ],
    [
      'key',
      'problem',
      { key: is(key({ spec: 'RSA_2048' })) },
      { encryption: { mode: 'existing-key', keyArn: KEY } },
      /RSA_2048/,
      /describe-key/,
    ],
    [
      'key',
      'problem',
      { key: is(key({ policy: JSON.stringify({ Statement: POLICY.Statement.slice(0, 2) }) })) },
      { encryption: { mode: 'existing-key', keyArn: KEY } },
      /events.amazonaws.com: kms:Decrypt.*cloudwatch/,
      /put-key-policy/,
    ],
    [
      'key',
      'problem',
      { key: is(key({ policy: JSON.stringify({ Statement: POLICY.Statement.slice(1) }) })) },
      { encryption: { mode: 'existing-key', keyArn: KEY } },
      /the roles of account/,
      /put-key-policy/,
    ],
    [
      'subnets',
      'problem',
      { subnets: is(null) },
      {
        network: {
          mode: 'existing-vpc',
          vpcId: 'vpc-1',
          subnetIds: ['subnet-1'],
          availabilityZones: [ZONES[0]],
        },
      },
      /not all of subnet-1/,
      /describe-subnets/,
    ],
    [
      'subnets',
      'problem',
      {},
      {
        network: {
          mode: 'existing-vpc',
          vpcId: 'vpc-2',
          subnetIds: ['subnet-1'],
          availabilityZones: [ZONES[0]],
        },
      },
      /not in vpc-2/,
      /describe-subnets/,
    ],
    [
      'subnets',
      'problem',
      {},
      {
        network: {
          mode: 'existing-vpc',
          vpcId: 'vpc-1',
          subnetIds: ['subnet-1'],
          availabilityZones: [ZONES[1]],
        },
      },
      /is in eu-central-1a/,
      /describe-subnets/,
    ],
  ])('finds %s to be a %s', (check, verdict, facts, settings, found, mend) => {
    const findings = findingsBefore(account(facts), siteOf(settings));
    const finding = ofCheck(findings, check);
    expect(finding.verdict).toBe(verdict);
    expect(finding.found).toMatch(found);
    expect(finding.mend).toMatch(mend);
    expect(finding.because).not.toBeNull();
    expect(isFit(findings)).toBe(verdict === 'warning');
  });

  it('does not call well what it may not look at', () => {
    const noAnswer = { action: 'ec2:DescribeVpcs', reason: 'UnauthorizedOperation' };
    const findings = findingsBefore(account({ vpcs: { noAnswer } }), siteOf());
    expect(ofCheck(findings, 'vpcs')).toMatchObject({ verdict: 'unknown' });
    expect(ofCheck(findings, 'vpcs').mend).toContain('ec2:DescribeVpcs');
    expect(isFit(findings)).toBe(false);
  });

  it('asks for no quota of a market that the site leaves out', () => {
    const site = siteOf({
      compute: { spotMaxVcpus: 0, gpuInstanceTypes: ['g5.xlarge', 'p3.2xlarge'] },
    });
    expect(gpuQuotas(site).map(({ quota }) => quota.code)).toEqual(['L-DB2E81BA', 'L-417A185B']);
    expect(FUNCTIONS_AT_ONCE).toBeGreaterThan(10);
  });
});

describe('after a deployment', () => {
  it('has nothing to say against a site where all is well', () => {
    const findings = findingsAfter(deployment(), siteOf(), NOW);
    expect(findings.filter(({ verdict }) => verdict !== 'well')).toEqual([]);
    expect(findings).toHaveLength(8);
  });

  const waiting = { jobId: 'j1', since: '2026-03-10T11:59:00.000Z' };
  it.each<[string, Finding['verdict'], Partial<DeploymentFacts>, object, RegExp, RegExp]>([
    [
      'stack',
      'problem',
      { stack: { name: 'sammix-north', status: 'ROLLBACK_COMPLETE', changedAt: '' } },
      {},
      /ROLLBACK/,
      /delete-stack/,
    ],
    [
      'stack',
      'warning',
      { stack: { name: 'sammix-north', status: 'UPDATE_ROLLBACK_COMPLETE', changedAt: '' } },
      {},
      /ROLLBACK/,
      /describe-stack-events/,
    ],
    [
      'compute-environments',
      'problem',
      { environments: is([queue({ status: 'INVALID', statusReason: 'CLIENT_ERROR' })]) },
      {},
      /INVALID: CLIENT_ERROR/,
      /describe-compute-environments/,
    ],
    [
      'compute-environments',
      'problem',
      { environments: is([queue({ state: 'DISABLED' })]) },
      {},
      /DISABLED/,
      /--state ENABLED/,
    ],
    [
      'job-queues',
      'problem',
      { queues: is([queue({ state: 'DISABLED' })]) },
      {},
      /DISABLED/,
      /update-job-queue/,
    ],
    [
      'job-queues',
      'problem',
      {
        queues: is([
          queue({
            waiting: { ...waiting, reason: 'MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - x' },
          }),
        ]),
      },
      {},
      /j1 waits 1 minutes, MISCONF/,
      /vcpusPerJob/,
    ],
    [
      'job-queues',
      'warning',
      {
        queues: is([
          queue({ waiting: { ...waiting, reason: 'CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY' } }),
        ]),
      },
      {},
      /CAPACITY/,
      /More types or zones/,
    ],
    [
      'job-queues',
      'problem',
      {
        queues: is([queue({ waiting: { ...waiting, since: '2026-03-10T10:00:00Z', reason: '' } })]),
      },
      {},
      /120 minutes/,
      /list-jobs/,
    ],
    [
      'machine-image-age',
      'warning',
      { images: is([{ id: 'ami-1', createdAt: '2026-01-01T00:00:00Z' }]) },
      {},
      /68 days/,
      /cdk deploy/,
    ],
    [
      'machine-image-age',
      'problem',
      { images: is([{ id: 'ami-1', createdAt: null }]) },
      {},
      /does not exist/,
      /cdk deploy/,
    ],
    [
      'alarm-mail',
      'problem',
      { subscriptions: is([{ address: 'it@example.org', confirmed: false }]) },
      {},
      /not confirmed/,
      /sns subscribe/,
    ],
    ['alarm-mail', 'problem', { subscriptions: is([]) }, {}, /not subscribed/, /cdk deploy/],
    ['alarm-mail', 'warning', {}, { alarmEmail: null, budget: null }, /no "alarmEmail"/, /Set it/],
    ['budget', 'warning', {}, { budget: null }, /none in the site file/, /usdPerMonth/],
    ['budget', 'problem', { budget: is(null) }, {}, /the account has none/, /cdk deploy/],
    [
      'budget',
      'warning',
      { budget: is({ usdPerMonth: 100, spentUsd: 101 }) },
      {},
      /101.00 of 100.00/,
      /site status/,
    ],
    [
      'canary',
      'problem',
      { canary: is([scan(101), scan(102, { verdict: 'differs' })]) },
      {},
      /phantom-102 differs/,
      /rollback/,
    ],
    [
      'canary',
      'problem',
      { canary: is([scan(101, { verdict: 'failed' })]) },
      {},
      /phantom-101 failed/,
      /fetch/,
    ],
    ['canary', 'warning', { canary: is([]) }, {}, /0 of 2/, /register/],
    [
      'canary',
      'warning',
      { canary: is([scan(101, { uploadedAt: '2026-02-01T00:00:00Z' }), scan(102)]) },
      {},
      /the deployment of/,
      /doctor/,
    ],
    [
      'canary',
      'warning',
      {},
      { evaluation: { canaryCases: 0 } },
      /none at this site/,
      /canaryCases/,
    ],
    [
      'targets',
      'problem',
      {
        targets: is([
          { target: 'spleen', fault: 'expected a registered model bundle, found none' },
        ]),
      },
      {},
      /spleen: expected a registered/,
      /register north <bundle of the spleen> --activate/,
    ],
    [
      'gpu',
      'problem',
      { lastRun: is({ runId: 'r1', reportedAt: '', backends: ['cpu'], machines: [machine] }) },
      {},
      /by cpu, not by cuda/,
      /Rebuild/,
    ],
    [
      'gpu',
      'problem',
      {
        lastRun: is({
          runId: 'r1',
          reportedAt: '',
          backends: ['cuda'],
          machines: [{ ...machine, driver: '550.1' }],
        }),
      },
      {},
      /driver 550.1/,
      /cdk deploy/,
    ],
    ['gpu', 'warning', { lastRun: is(null) }, {}, /no run/, /submit/],
  ])('finds %s to be a %s', (check, verdict, facts, settings, found, mend) => {
    const findings = findingsAfter(deployment(facts), siteOf(settings), NOW);
    const finding = ofCheck(findings, check);
    expect(finding.verdict).toBe(verdict);
    expect(finding.found).toMatch(found);
    expect(finding.mend).toMatch(mend);
  });

  it('lets a job wait for its instance', () => {
    const fresh = queue({ waiting: { ...waiting, reason: '' } });
    const findings = findingsAfter(deployment({ queues: is([fresh]) }), siteOf(), NOW);
    expect(isFit(findings)).toBe(true);
  });
});

describe('docs/security.md', () => {
  it("allows what the doctor's questions need, and nothing else of an account", () => {
    const root = path.join(import.meta.dirname, '..', '..');
    const folder = path.join(root, 'cli', 'site', 'doctor');
    const files = readdirSync(folder).map((file) => path.join(folder, file));
    const sources = [...files, `${folder}.ts`].map((file) => readFileSync(file, 'utf8')).join('');
    const asked = sources.match(/\b(?!sts:|s3:)[a-z0-9]+:[A-Z]\w+/g) ?? [];
    const document = readFileSync(path.join(root, 'docs', 'security.md'), 'utf8');
    const [, policy = ''] = /The doctor[\s\S]*?```json\n([\s\S]*?)```/.exec(document) ?? [];
    const [first, ...others] = JSON.parse(policy).Statement as { Action: string[] }[];
    expect([...(first?.Action ?? [])].sort()).toEqual([...new Set(asked)].sort());
    const reads = others.flatMap(({ Action }) => Action);
    expect(reads).toEqual(['s3:GetObject', 's3:ListBucket', 'kms:Decrypt']);
  });
});
