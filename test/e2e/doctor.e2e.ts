import { execFile } from 'node:child_process';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  BatchClient,
  DescribeComputeEnvironmentsCommand,
  DescribeJobDefinitionsCommand,
  DescribeJobQueuesCommand,
  SubmitJobCommand,
  UpdateComputeEnvironmentCommand,
} from '@aws-sdk/client-batch';
import { BudgetsClient, DeleteBudgetCommand } from '@aws-sdk/client-budgets';
import { CreateVpcCommand, EC2Client } from '@aws-sdk/client-ec2';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { S3Store } from '../../adapters/s3-store.ts';
import { silentProgress } from '../../cli/progress.ts';
import { examine } from '../../cli/site/doctor.ts';
import { openSite } from '../../cli/site/open-site.ts';
import { registerBundle } from '../../cli/site/register.ts';
import { submitCases } from '../../cli/site/submit.ts';
import { putJson } from '../../core/json.ts';
import { CANARY_DATASET, canaryCase, canarySeeds } from '../../site/contract/canary.ts';
import { budgetName } from '../../site/contract/config.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { requestsOf } from '../../site/cost/workload.ts';
import type { Finding } from '../../site/doctor/finding.ts';
import { readLatest } from '../../site/runs.ts';
import { loadSite } from '../../site/site-file.ts';
import { TINY_BUNDLE } from '../support/case.ts';
import { json, phantom, segmented, until } from './cases.ts';
import type { Deployment } from './deployment.ts';
import { ACCOUNT, become, type Emulator, ROOT } from './emulator.ts';
import { closeWorld, openWorld } from './world.ts';

const run = promisify(execFile);

const MAIL = 'it@example.org';
const SETTINGS = {
  alarmEmail: MAIL,
  budget: { usdPerMonth: 200 },
  compute: { vcpusPerJob: 1, slicesPerSlab: 8 },
  evaluation: { canaryCases: 2 },
  segmentImage: { from: 'dockerfile' },
  training: null,
};

/** An account where a site can be deployed. */
const GOOD = { quotas: { 'L-3819A6DF': 32, 'L-DB2E81BA': 16 }, functions: 1000 };

let work: string;
let emulator: Emulator;
let deployment: Deployment;

beforeAll(async () => {
  ({ work, emulator, deployment } = await openWorld());
  const engine = path.join(work, 'engine');
  await writeFile(engine, '#!/bin/sh\necho 27.1.0\n');
  await chmod(engine, 0o755);
  process.env.CDK_DOCKER = engine;
  await deployment.writeSite('north', SETTINGS);
});

// Whatever a test that failed has planted is gone.
beforeEach(() => account());

afterAll(closeWorld);

const account = (changes: object = {}): Promise<void> =>
  writeFile(path.join(work, 'account.json'), JSON.stringify({ ...GOOD, ...changes }));

/** What is not well. */
async function faults(settings?: object): Promise<Finding[]> {
  if (settings) await deployment.writeSite('north', { ...SETTINGS, ...settings });
  const { findings } = await examine(loadSite(deployment.siteFile('north')));
  if (settings) await deployment.writeSite('north', SETTINGS);
  return findings.filter(({ verdict }) => verdict !== 'well');
}

const named = (found: readonly Finding[]): string[] =>
  found.map((one) => `${one.check} ${one.verdict}`);

interface Request {
  /** Access key. */
  readonly by: string | null;
  readonly on: 'key' | 'bucket';
  readonly method: string;
  readonly path: string;
}

/** All that S3 was asked so far. */
async function requests(): Promise<Request[]> {
  const text = await readFile(path.join(work, 's3-calls.log'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The command as users run it. */
async function doctor(): Promise<{ code: number; printed: string }> {
  const words = ['site', 'doctor', deployment.siteFile('north'), '--json'];
  try {
    const { stdout } = await run('node', [path.join(ROOT, 'cli', 'bin.mjs'), ...words]);
    return { code: 0, printed: stdout };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { code, printed: stdout };
  }
}

describe('sammix site doctor, before the deployment', () => {
  it('finds nothing wrong with an account that is ready', async () => {
    await account();
    expect(await faults()).toEqual([]);
    const { code, printed } = await doctor();
    expect(code).toBe(0);
    expect(JSON.parse(printed)).toMatchObject({ fit: true });
  });

  it('finds what a new account lacks', async () => {
    await rm(path.join(work, 'account.json'));
    const found = await faults();
    expect(named(found)).toEqual([
      'gpu-quota-spot problem',
      'gpu-quota-on-demand problem',
      'lambda-concurrency warning',
    ]);
    expect(found[0]?.mend).toContain('--quota-code L-3819A6DF --desired-value 32');
    const { code, printed } = await doctor();
    expect(code).toBe(6);
    expect(JSON.parse(printed)).toMatchObject({ fit: false });
    await account();
  });

  it('finds a region without an instance type, and a zone without an endpoint service', async () => {
    const compute = { ...SETTINGS.compute, gpuInstanceTypes: ['g4dn.xlarge', 'g9.xlarge'] };
    expect(named(await faults({ compute }))).toEqual(['instance-types problem']);
    await account({ withoutEndpoint: { 'us-east-1a': ['ecs-agent'] } });
    const [endpoint, ...others] = await faults();
    expect(others).toEqual([]);
    expect(endpoint).toMatchObject({ check: 'endpoint-services', verdict: 'problem' });
    expect(endpoint?.mend).toContain('"us-east-1b"');
    await account();
  });

  it('finds a key that lets no service in', async () => {
    const { KeyMetadata } = await new KMSClient({}).send(
      new CreateKeyCommand({ KeyUsage: 'ENCRYPT_DECRYPT' }),
    );
    const encryption = { mode: 'existing-key', keyArn: KeyMetadata?.Arn };
    const [key, ...others] = await faults({ encryption });
    expect(others).toEqual([]);
    expect(key).toMatchObject({ check: 'key', verdict: 'problem' });
    expect(key?.found).toMatch(/logs\.us-east-1\.amazonaws\.com.*events\.amazonaws\.com/);
    const gone = `arn:aws:kms:us-east-1:${ACCOUNT}:key/00000000-0000-0000-0000-000000000000`;
    const absent = await faults({ encryption: { mode: 'existing-key', keyArn: gone } });
    expect(named(absent)).toEqual(['key problem']);
  });

  it('finds subnets that are not there, a machine without an engine, a full VPC quota', async () => {
    const network = {
      mode: 'existing-vpc',
      vpcId: 'vpc-0',
      subnetIds: ['subnet-0'],
      availabilityZones: ['us-east-1a'],
    };
    expect(named(await faults({ network }))).toEqual(['subnets problem']);
    const engine = process.env.CDK_DOCKER;
    process.env.CDK_DOCKER = path.join(work, 'no-engine');
    expect(named(await faults())).toEqual(['docker problem']);
    process.env.CDK_DOCKER = engine;
    const ec2 = new EC2Client({});
    await account({ quotas: { ...GOOD.quotas, 'L-F678F1CE': 2 } });
    await ec2.send(new CreateVpcCommand({ CidrBlock: '10.9.0.0/16' }));
    expect(named(await faults())).toEqual(['vpcs problem']);
    await account();
  });

  it('finds an account that is not bootstrapped: another region', async () => {
    const found = await faults({ region: 'eu-west-1' });
    expect(named(found)).toContain('cdk-bootstrap problem');
    expect(found.find(({ check }) => check === 'cdk-bootstrap')?.mend).toBe(
      `npx cdk bootstrap aws://${ACCOUNT}/eu-west-1 -c site=north`,
    );
  });

  it('finds credentials of another account, and credentials that nobody knows', async () => {
    expect(named(await faults({ account: '210987654321' }))).toEqual(['credentials problem']);
    await emulator.checkPermissions(true);
    become({ accessKeyId: 'AKIAUNKNOWNUNKNOWN00', secretAccessKey: 'x' });
    const found = await faults();
    become(emulator.administrator);
    await emulator.checkPermissions(false);
    expect(named(found)).toEqual(['credentials problem']);
    expect(found[0]?.found).toMatch(/none that work/);
  });
});

describe('sammix site doctor, after the deployment', () => {
  let site: S3Store;

  beforeAll(async () => {
    // The image is a folder here; the doctor was asked about one that is built.
    const { segmentImage: _, ...settings } = SETTINGS;
    await deployment.deploy('north', settings);
    site = await openSite('north', { region: 'us-east-1' });
  });

  /** Of the site as it was deployed: its registry is the emulator's, which no instance could reach. */
  const deployed = async (): Promise<Finding[]> =>
    (await faults()).filter(({ check }) => check !== 'image');

  it('knows that a site without results has shown nothing yet', async () => {
    expect(named(await deployed())).toEqual(['canary warning', 'gpu warning']);
  });

  it('finds that the canary was computed on a CPU, as everything here is', async () => {
    await registerBundle(site, TINY_BUNDLE, { activate: true });
    for (const seed of canarySeeds(2))
      await until(`canary ${seed}`, () => readLatest(site, CANARY_DATASET, canaryCase(seed)));
    const found = await until('the run of the canary', async () => {
      const now = await deployed();
      return now.some(({ check, verdict }) => check === 'gpu' && verdict === 'problem') && now;
    });
    expect(named(found)).toEqual(['gpu problem']);
    expect(found[0]?.found).toContain('by cpu, not by cuda');
  });

  it('is content with a run on a GPU, and not with an old driver', async () => {
    await onGpu('580.95.05');
    expect(await deployed()).toEqual([]);
    await onGpu('535.1');
    expect(named(await deployed())).toEqual(['gpu problem']);
    await onGpu('580.95.05');
  });

  /** As a GPU instance would have accounted for it. */
  async function onGpu(driver: string): Promise<void> {
    for (const seed of canarySeeds(2)) {
      const { prefix } = (await readLatest(site, CANARY_DATASET, canaryCase(seed)))!;
      const record = (await json(site, `${prefix}/run.json`)) as object;
      const machine = {
        instanceType: 'g4dn.xlarge',
        market: 'spot',
        gpu: 'Tesla T4',
        driver,
        image: 'ami-1',
        imageDate: '2026-01-01',
      };
      await putJson(site, `${prefix}/run.json`, {
        ...record,
        backends: ['cuda'],
        machines: [machine],
      });
    }
  }

  it('finds a canary that comes out otherwise', async () => {
    const { prefix } = (await readLatest(site, CANARY_DATASET, canaryCase(101)))!;
    const key = `${prefix}/report.json`;
    const report = (await json(site, key)) as { volumeMl: number };
    await putJson(site, key, { ...report, volumeMl: report.volumeMl * 1.1 });
    expect(named(await deployed())).toEqual(['canary problem']);
    await putJson(site, key, report);
  });

  it('finds environments that are invalid or off', async () => {
    await account({ environments: { status: 'INVALID', reason: 'CLIENT_ERROR - no role' } });
    expect(named(await deployed())).toEqual([
      'compute-environments problem',
      'compute-environments problem',
    ]);
    await account();
    const batch = new BatchClient({});
    const { computeEnvironments = [] } = await batch.send(
      new DescribeComputeEnvironmentsCommand({}),
    );
    const computeEnvironment = computeEnvironments[0]?.computeEnvironmentName ?? '';
    const turn = (state: 'DISABLED' | 'ENABLED') =>
      batch.send(new UpdateComputeEnvironmentCommand({ computeEnvironment, state }));
    await turn('DISABLED');
    expect(named(await deployed())).toEqual(['compute-environments problem']);
    await turn('ENABLED');
  });

  it("finds a blocked queue and Batch's reason", async () => {
    const held = path.join(work, 'no-instance');
    await writeFile(held, '');
    const batch = new BatchClient({});
    const { jobQueues = [] } = await batch.send(new DescribeJobQueuesCommand({}));
    const { jobDefinitions = [] } = await batch.send(new DescribeJobDefinitionsCommand({}));
    await batch.send(
      new SubmitJobCommand({
        jobName: 'waits',
        jobQueue: jobQueues[0]?.jobQueueArn,
        jobDefinition: jobDefinitions[0]?.jobDefinitionArn,
      }),
    );
    await account({ waiting: 'MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large' });
    const found = await until('a waiting job', async () => {
      const now = await deployed();
      return now.length > 0 && now;
    });
    expect(named(found)).toEqual(['job-queues problem']);
    expect(found[0]?.found).toContain('JOB_RESOURCE_REQUIREMENT');
    await rm(held);
    await account();
    await until('the job to go', async () => (await deployed()).length === 0);
  });

  it('finds an old machine image, an unconfirmed address and a missing budget', async () => {
    await account({ image: '2026-01-01T00:00:00Z' });
    expect(named(await deployed())).toEqual(['machine-image-age warning']);
    await account({ image: '' });
    expect(named(await deployed())).toEqual(['machine-image-age problem']);
    await account({ unconfirmed: [MAIL] });
    expect(named(await deployed())).toEqual(['alarm-mail problem']);
    await account();
    const budget = { AccountId: ACCOUNT, BudgetName: budgetName('north') };
    await new BudgetsClient({}).send(new DeleteBudgetCommand(budget));
    expect(named(await deployed())).toEqual(['budget problem']);
  });

  it('made as many requests for an upload as sammix estimate counts', async () => {
    const { image } = await phantom(work, 'counted', 1);
    const before = (await requests()).length;
    await submitCases(site, [image], { dataset: 'liver' }, silentProgress);
    const { report } = await segmented(site, 'counted');
    await until('its account', () => site.stat(cloudKeys.reported(report.runId ?? '')));
    const own = [`${report.runId}`, '/cases/liver/counted/', '/incoming/', '/models/'];
    const made = (await requests())
      .slice(before)
      .filter(
        ({ by, path: at }) =>
          by !== emulator.administrator.accessKeyId && own.some((part) => at.includes(part)),
      );
    const reads = made.filter(({ on, method }) => on === 'key' && /GET|HEAD/.test(method)).length;
    const lists = (await requests())
      .slice(before)
      .filter(({ by, on }) => by !== emulator.administrator.accessKeyId && on === 'bucket').length;
    const writes = made.filter(
      ({ on, method }) => on === 'key' && /PUT|POST|DELETE/.test(method),
    ).length;
    const told = requestsOf({ slices: report.slices.length, slicesPerSlab: 8, slicesPerJob: 512 });
    console.log(
      `requests of an upload: ${writes} writes, ${lists} lists, ${reads} reads; told ${JSON.stringify(told)}`,
    );
    // The upload itself is the test's own; every call here is a function's first, which reads a little more.
    expect(Math.abs(writes + lists + 1 - told.writes)).toBeLessThanOrEqual(3);
    expect(reads).toBeLessThanOrEqual(1.25 * told.reads);
    expect(reads).toBeGreaterThan(0.75 * told.reads);
  });

  it('says what it may not look at', async () => {
    become(emulator.nobody);
    await emulator.checkPermissions(true);
    const found = await faults();
    await emulator.checkPermissions(false);
    become(emulator.administrator);
    const unknown = found.filter(({ verdict }) => verdict === 'unknown');
    expect(unknown.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['cdk-bootstrap', 'gpu-quota-spot', 'vpcs', 'stack']),
    );
    for (const { mend } of unknown)
      expect(mend).toMatch(/Let these credentials do [a-z0-9]+:[A-Z]/);
  });
});
