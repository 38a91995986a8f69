import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, it } from 'vitest';
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
          { Action: 'RETRY', OnReason: 'CannotPullContainerError:*' },
          { Action: 'RETRY', OnExitCode: '143' },
          { Action: 'RETRY', OnExitCode: '75' },
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
        Volumes: [{ Name: 'scratch', Host: {} }],
        MountPoints: [{ ContainerPath: '/scratch', SourceVolume: 'scratch' }],
        ResourceRequirements: Match.arrayWith([{ Type: 'GPU', Value: '1' }]),
      },
    });
    site.resourceCountIs('AWS::Batch::JobQueue', 1);
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

  it('are cancelled rather than wait for ever', () => {
    const actions = ['CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY'].concat(
      ['COMPUTE_ENVIRONMENT_MAX_RESOURCE', 'JOB_RESOURCE_REQUIREMENT'].map(
        (reason) => `MISCONFIGURATION:${reason}`,
      ),
    );
    site.hasResourceProperties('AWS::Batch::JobQueue', {
      JobStateTimeLimitActions: actions.map((Reason) => ({
        Action: 'CANCEL',
        MaxTimeSeconds: 7200,
        State: 'RUNNABLE',
        Reason,
      })),
    });
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
