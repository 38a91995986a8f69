import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Machine } from '../../core/contract/report.ts';
import { buildSegmentContext } from '../../gpu-jobs/infer/build.ts';
import { FUNCTION_NAMES, functionCode } from '../../infra/function-code.ts';
import { templateOf } from './synth.ts';

let site: Template;
beforeAll(() => {
  site = templateOf();
}, 600_000);

describe('GPU jobs', () => {
  it('take one GPU and are retried only where that can help', () => {
    site.hasResourceProperties('AWS::Batch::JobDefinition', {
      Timeout: { AttemptDurationSeconds: 3600 },
      RetryStrategy: {
        Attempts: 5,
        EvaluateOnExit: [
          { Action: 'RETRY', OnStatusReason: 'Host EC2*' },
          { Action: 'RETRY', OnStatusReason: 'Task failed to start*' },
          { Action: 'RETRY', OnExitCode: '143' },
          { Action: 'RETRY', OnExitCode: '7*' },
          { Action: 'EXIT', OnReason: '*' },
        ],
      },
      ContainerProperties: {
        ReadonlyRootFilesystem: true,
        ResourceRequirements: Match.arrayWith([{ Type: 'GPU', Value: '1' }]),
      },
    });
  });

  it('train on one GPU of the same queue, with one folder that can be written', () => {
    site.hasResourceProperties('AWS::Batch::JobDefinition', {
      Timeout: { AttemptDurationSeconds: 24 * 3600 },
      RetryStrategy: {
        Attempts: 10,
        EvaluateOnExit: Match.arrayWith([{ Action: 'RETRY', OnStatusReason: 'Host EC2*' }]),
      },
      ContainerProperties: {
        Command: ['python', '-m', 'sammix_train.job'],
        Environment: Match.arrayWith([{ Name: 'SAMMIX_SCRATCH', Value: '/scratch' }]),
        ReadonlyRootFilesystem: true,
        Volumes: Match.arrayWith([{ Name: 'scratch', Host: {} }]),
        MountPoints: Match.arrayWith([{ ContainerPath: '/scratch', SourceVolume: 'scratch' }]),
        ResourceRequirements: Match.arrayWith([{ Type: 'GPU', Value: '1' }]),
      },
    });
  });

  it('do not train where the site file says so, and requests are still answered', () => {
    const template = templateOf({ training: null });
    expect(JSON.stringify(template.findResources('AWS::Batch::JobDefinition'))).not.toContain(
      'sammix_train',
    );
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ SAMMIX_TRAIN_JOB: '' }) },
    });
  });

  it('run on nothing while there is nothing to do, on spot first', () => {
    site.allResourcesProperties('AWS::Batch::ComputeEnvironment', {
      ComputeResources: Match.objectLike({ MinvCpus: 0 }),
    });
    const types = Object.values(site.findResources('AWS::Batch::ComputeEnvironment')).map(
      (one) => one.Properties.ComputeResources.Type,
    );
    expect(types.sort()).toEqual(['EC2', 'SPOT']);
  });

  it('of an upload go before evaluations, trainings and the canary, on the same instances', () => {
    const queues = Object.entries(site.findResources('AWS::Batch::JobQueue'));
    const [background, uploads] = queues.sort(
      ([, a], [, b]) => a.Properties.Priority - b.Properties.Priority,
    );
    expect(queues).toHaveLength(2);
    expect(uploads![1].Properties.Priority).toBeGreaterThan(background![1].Properties.Priority);
    expect(uploads![1].Properties.ComputeEnvironmentOrder).toEqual(
      background![1].Properties.ComputeEnvironmentOrder,
    );
    const queueOf = (name: string): unknown =>
      Object.entries(site.findResources('AWS::Lambda::Function')).find(([id]) =>
        id.startsWith(name),
      )![1].Properties.Environment.Variables.SAMMIX_JOB_QUEUE['Fn::GetAtt'][0];
    expect(queueOf('PipelineSplit')).toBe(uploads![0]);
    expect(queueOf('TrainingTrain')).toBe(background![0]);
    expect(queueOf('EvaluationStart')).toBe(background![0]);
  });

  it('name their region and their provider: no agent and no library chooses for them', () => {
    for (const [id, { Properties }] of Object.entries(
      site.findResources('AWS::Batch::JobDefinition'),
    )) {
      const variables: { Name: string; Value: unknown }[] =
        Properties.ContainerProperties.Environment;
      const value = (name: string) => variables.find(({ Name }) => Name === name)?.Value;
      expect(value('AWS_REGION'), id).toEqual({ Ref: 'AWS::Region' });
      expect(value('SAMMIX_PROVIDERS') ?? value('SAMMIX_DEVICE'), id).toBe('cuda');
      expect(Properties.ResourceRetentionPolicy, id).toEqual({ SkipDeregisterOnUpdate: true });
    }
  });

  it('run on instances that a deployment renews', () => {
    const parameters = Object.entries(site.findParameters('*'));
    const [image] = parameters.find(([, { Default }]) =>
      String(Default).includes('amazon-linux-2023/gpu/recommended/image_id'),
    )!;
    site.allResourcesProperties('AWS::Batch::ComputeEnvironment', {
      ComputeResources: Match.objectLike({
        Ec2Configuration: [{ ImageType: 'ECS_AL2023_NVIDIA', ImageIdOverride: { Ref: image } }],
        LaunchTemplate: Match.objectLike({
          Version: { 'Fn::GetAtt': [Match.anyValue(), 'LatestVersionNumber'] },
        }),
        UpdateToLatestImageVersion: true,
      }),
    });
  });

  it('are cancelled rather than wait for ever', () => {
    const actions = ['CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY'].concat(
      [
        'COMPUTE_ENVIRONMENT_MAX_RESOURCE',
        'JOB_RESOURCE_REQUIREMENT',
        'EC2_INSTANCE_CONFIGURATION_UNSUPPORTED',
      ].map((reason) => `MISCONFIGURATION:${reason}`),
    );
    site.allResourcesProperties('AWS::Batch::JobQueue', {
      JobStateTimeLimitActions: actions.map((Reason) => ({
        Action: 'CANCEL',
        MaxTimeSeconds: 7200,
        State: 'RUNNABLE',
        Reason,
      })),
    });
  });
});

describe('the script with which an instance starts', () => {
  const start = async (programs: Readonly<Record<string, string>>) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sammix-start-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    for (const [name, body] of Object.entries(programs))
      writeFileSync(path.join(folder, name), `#!/bin/bash\n${body}\n`, { mode: 0o755 });
    const script = path.join(import.meta.dirname, '..', '..', 'infra', 'instance-start.sh');
    const env = { PATH: `${folder}:/usr/bin:/bin`, SAMMIX_MACHINE: folder };
    execFileSync('bash', [script], { env });
    const said = (name: string) => readFileSync(path.join(folder, name), 'utf8');
    return { said, machine: Machine.parse(JSON.parse(said('machine.json'))) };
  };
  const iptables = 'echo "$@" > "$SAMMIX_MACHINE/rule"';
  const curl = `case "\${@: -1}" in
    */token) echo t ;; */instance-type) echo g5.xlarge ;; */instance-life-cycle) echo spot ;;
    */ami-id) echo ami-0123 ;; esac`;

  it('keeps the jobs away from the credentials of the instance, and says what it is', async () => {
    const { said, machine } = await start({
      iptables,
      curl,
      rpm: 'printf 2023.9.20251117',
      'nvidia-smi': 'echo "NVIDIA A10G, 580.95.05"',
    });
    expect(said('rule')).toBe(
      '-w -I OUTPUT -m owner --uid-owner 10001 -d 169.254.169.254 -j REJECT\n',
    );
    // The user of both images.
    for (const image of ['infer', 'train'])
      expect(
        readFileSync(path.join(import.meta.dirname, '../../gpu-jobs', image, 'Dockerfile'), 'utf8'),
      ).toMatch(/^USER 10001$/m);
    expect(machine).toEqual({
      instanceType: 'g5.xlarge',
      market: 'spot',
      gpu: 'NVIDIA A10G',
      driver: '580.95.05',
      image: 'ami-0123',
      imageDate: '2025-11-17',
    });
  });

  it('says nothing that it does not know', async () => {
    const broken = 'exit 1';
    const { machine } = await start({ iptables, curl: broken, rpm: broken, 'nvidia-smi': broken });
    expect(machine).toEqual({
      instanceType: 'unknown',
      market: null,
      gpu: null,
      driver: null,
      image: null,
      imageDate: null,
    });
  });

  it('lets no job run where the rule cannot be set', async () => {
    const off = 'echo "$@" > "$SAMMIX_MACHINE/off"';
    const { said } = await start({
      iptables: 'exit 1',
      curl,
      rpm: 'exit 1',
      'nvidia-smi': 'exit 1',
      shutdown: off,
    });
    expect(said('off')).toBe('-h now\n');
  });
});

describe('the image of the inference jobs', () => {
  const folder = path.join(import.meta.dirname, '..', '..', 'gpu-jobs', 'infer');
  const cuda = readFileSync(path.join(folder, 'cuda.txt'), 'utf8');
  const lock = JSON.parse(readFileSync(path.join(folder, '../../package-lock.json'), 'utf8'));

  it('has the CUDA provider of the very ONNX Runtime that the lock file has', () => {
    const { version } = lock.packages['node_modules/onnxruntime-node'];
    expect(cuda).toContain(`onnxruntime-gpu==${version} --hash=sha256:`);
  });

  it("has the trainer's CUDA libraries, each by hash", () => {
    const trainer = readFileSync(path.join(folder, '../train/requirements.lock'), 'utf8');
    const lines = cuda.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    for (const line of lines)
      expect(line).toMatch(/^[a-z0-9-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}$/);
    const pins = lines
      .map((line) => line.split(' ')[0]!)
      .filter((pin) => pin.startsWith('nvidia-'));
    const shared = pins.filter((pin) => trainer.includes(`${pin.split('==')[0]}==`));
    expect(shared.length).toBeGreaterThan(5);
    for (const pin of shared) expect(trainer.split('\n')).toContain(pin);
  });

  it('locks all that it installs from npm', () => {
    const context = mkdtempSync(path.join(tmpdir(), 'sammix-image-'));
    onTestFinished(() => rmSync(context, { recursive: true, force: true }));
    buildSegmentContext(context);
    const { packages } = JSON.parse(readFileSync(path.join(context, 'package-lock.json'), 'utf8'));
    const names = Object.keys(packages).filter((name) => name !== '');
    expect(names).toContain('node_modules/onnxruntime-node');
    for (const name of names) {
      expect(packages[name].integrity, name).toBe(lock.packages[name].integrity);
      for (const needed of Object.keys(packages[name].dependencies ?? {}))
        expect(names).toContain(`node_modules/${needed}`);
    }
  });

  it('is not built where a library is missing, and the check names it', () => {
    const context = mkdtempSync(path.join(tmpdir(), 'sammix-libraries-'));
    onTestFinished(() => rmSync(context, { recursive: true, force: true }));
    const here = path.join(folder, '../../node_modules/onnxruntime-node/bin/napi-v6/linux/x64');
    const check = (libraries: string) =>
      spawnSync('sh', [path.join(folder, 'check-libraries.sh'), libraries], { encoding: 'utf8' });
    expect(check(here)).toMatchObject({ status: 0, stderr: '' });
    copyFileSync(path.join(here, 'onnxruntime_binding.node'), path.join(context, 'binding.node'));
    const { status, stderr } = check(context);
    expect(status).toBe(1);
    expect(stderr).toMatch(/binding\.node needs.*libonnxruntime\.so\.1/);
  });
});

describe('the code of the functions', () => {
  it('is under 2 MB each as a zip, without ONNX Runtime', () => {
    for (const name of FUNCTION_NAMES) {
      const folder = functionCode(name).path;
      const files = readdirSync(folder).map((file) => readFileSync(path.join(folder, file)));
      const zipped = files.reduce((sum, file) => sum + gzipSync(file).length, 0);
      expect(zipped, name).toBeLessThan(2 * 2 ** 20);
      // The name of the native library, which its package asks for.
      for (const file of files) expect(file.includes('onnxruntime_binding'), name).toBe(false);
    }
  });

  it('draws nothing and submits nothing until it is asked to', () => {
    for (const name of ['split', 'assemble', 'failures', 'train'] as const) {
      const code = readFileSync(path.join(functionCode(name).path, 'index.mjs'), 'utf8');
      expect(code.length, name).toBeLessThan(400_000);
      expect(/echarts|SubmitJobCommand/.test(code), name).toBe(false);
    }
  });
});
