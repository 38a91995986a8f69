import { Match, type Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, it } from 'vitest';
import { EvaluationRequested } from '../../site/contract/evaluation.ts';
import { templateOf } from './synth.ts';

let site: Template;
beforeAll(() => {
  site = templateOf({
    alarmEmail: 'ops@example.org',
    datasets: ['liver', 'liver-2'],
    targets: { 'left kidney': 'active' },
    evaluation: { judgeTrainedOn: 'liver-2', promotion: { marginDice: 0.01 } },
  });
});

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

function grantsOf(role: string): Statement[] {
  const policies = Object.entries(site.findResources('AWS::IAM::ManagedPolicy'));
  const [, policy] = policies.find(([id]) => id.startsWith(`${role}Grants`)) ?? [];
  if (!policy) throw new Error(`no grants of ${role}`);
  return policy.Properties.PolicyDocument.Statement;
}

/** Prefixes of the data bucket on which a role has an action. */
function prefixesOf(role: string, action: string): string[] {
  const found = grantsOf(role).filter((one) => [one.Action].flat().includes(action));
  const text = JSON.stringify(found);
  return [...text.matchAll(/"\/([a-z.*/-]+)\*"/g)].map((match) => match[1] ?? '').sort();
}

const functionOf = (name: string) =>
  Object.entries(site.findResources('AWS::Lambda::Function')).find(([id]) =>
    id.startsWith(name),
  )?.[1].Properties;

describe('the schedule of evaluations', () => {
  it('asks for each dataset and target by itself, tries again, and loses nothing', () => {
    const schedules = Object.values(site.findResources('AWS::Scheduler::Schedule'));
    const datasets = schedules.map(({ Properties: { Target } }) => {
      expect(Target).toMatchObject({
        RetryPolicy: { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 3600 },
        DeadLetterConfig: { Arn: { 'Fn::GetAtt': [expect.stringMatching(/Parked/), 'Arn'] } },
        Arn: { 'Fn::GetAtt': [expect.stringMatching(/^EvaluationRequests/), 'Arn'] },
      });
      // Scheduler puts the time in place of its placeholder.
      const text = Target.Input.replace('<aws.scheduler.scheduled-time>', '2026-01-04T03:00:00Z');
      const { detail } = EvaluationRequested.parse(JSON.parse(text));
      expect(detail).toMatchObject({ bundle: 'active', promote: false });
      return [detail.dataset, detail.target].filter(Boolean).join(', ');
    });
    expect(datasets.sort()).toEqual([
      'liver',
      'liver, left kidney',
      'liver-2',
      'liver-2, left kidney',
    ]);
    site.allResourcesProperties('AWS::Scheduler::Schedule', {
      ScheduleExpression: 'cron(0 3 ? * SUN *)',
      ScheduleExpressionTimezone: 'UTC',
    });
  });

  it('has a role that may send to its queue and is lent to this account only', () => {
    const sends = grantsOf('EvaluationScheduleRole').filter((one) =>
      [one.Action].flat().includes('sqs:SendMessage'),
    );
    expect(sends).toHaveLength(1);
    expect(JSON.stringify(sends[0]?.Resource)).not.toContain('*');
    site.hasResourceProperties('AWS::IAM::Role', {
      AssumeRolePolicyDocument: {
        Statement: [
          Match.objectLike({
            Principal: { Service: 'scheduler.amazonaws.com' },
            Condition: { StringEquals: { 'aws:SourceAccount': Match.anyValue() } },
          }),
        ],
      },
    });
  });

  it('is left out where a site wants none', () => {
    templateOf({ evaluation: { schedule: null } }).resourceCountIs('AWS::Scheduler::Schedule', 0);
  });
});

describe('the roles of an evaluation', () => {
  it('let the job read uploads and write results, but no state of runs and no bundle', () => {
    expect(prefixesOf('EvaluationJobJobRole', 's3:GetObjectVersion')).toEqual(['incoming/']);
    expect(prefixesOf('EvaluationJobJobRole', 's3:PutObject')).toEqual([
      'cases/',
      'evaluation-runs/*/jobs/',
      'work/',
    ]);
  });

  it('let only the function that applies the gate activate a bundle', () => {
    expect(prefixesOf('EvaluationStartRole', 's3:PutObject')).toEqual([
      'evaluation-runs/',
      'evaluations/',
    ]);
    expect(prefixesOf('EvaluationFinishRole', 's3:PutObject')).toEqual([
      'evaluation-runs/',
      'evaluations/',
      'models/active.json',
      'models/active/',
      'models/decisions/',
    ]);
    const text = JSON.stringify(site.findResources('AWS::IAM::ManagedPolicy'));
    expect(text.match(/"\/models\/active\.json\*"/g)).toHaveLength(1);
  });

  it('let the canary upload to its own dataset and nowhere else', () => {
    expect(prefixesOf('CanaryRunRole', 's3:PutObject')).toEqual([
      'incoming/canary/',
      'models/canaries/',
    ]);
  });
});

describe('the events of an evaluation', () => {
  it('start it by a request or a candidate bundle, and end it with the last job', () => {
    site.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        detail: {
          object: {
            key: [{ prefix: 'evaluation-runs/requests/' }, { prefix: 'models/candidates/' }],
          },
        },
      },
    });
    site.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.batch'],
        detail: {
          jobName: [{ prefix: 'evaluate-' }],
          status: ['SUCCEEDED', 'FAILED'],
          arrayProperties: { index: [{ exists: false }] },
        },
      },
    });
  });

  it('run in the segment image, with a time limit of their own', () => {
    site.hasResourceProperties('AWS::Batch::JobDefinition', {
      Timeout: { AttemptDurationSeconds: 7200 },
      ContainerProperties: { Command: ['node', 'evaluate.mjs'], ReadonlyRootFilesystem: true },
    });
  });

  it('carry the policy of the site file to the gate', () => {
    const { Variables } = functionOf('EvaluationFinish')?.Environment ?? {};
    expect(JSON.parse(Variables.SAMMIX_PROMOTION_POLICY)).toEqual({
      marginDice: 0.01,
      confidence: 0.95,
      stratumLimitDice: 0.02,
      stratumMinimumPatients: 3,
      minimumPatients: 10,
    });
    expect(functionOf('EvaluationStart')?.Environment.Variables.SAMMIX_JUDGE_TRAINED_ON).toBe(
      'liver-2',
    );
  });
});

describe('the canary', () => {
  it('starts after a deployment of this stack and after an activation', () => {
    site.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.cloudformation'],
        detail: {
          'stack-id': [{ Ref: 'AWS::StackId' }],
          'status-details': { status: ['CREATE_COMPLETE', 'UPDATE_COMPLETE'] },
        },
      },
    });
    site.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: { detail: { object: { key: [{ prefix: 'models/active.json' }] } } },
    });
    // Longer than a warm function keeps the bundle that it knows.
    site.hasResourceProperties('AWS::SQS::Queue', { DelaySeconds: 90 });
  });

  it('alarms with what to do, and sends its scans through the same pipeline', () => {
    site.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'CanaryScansFailed',
      AlarmDescription: Match.stringLikeRegexp('sammix site rollback north'),
    });
    site.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        detail: {
          object: { key: Match.arrayWith([{ prefix: 'incoming/canary/images/' }]) },
        },
      },
    });
  });

  it('is left out where a site wants none', () => {
    const without = JSON.stringify(templateOf({ evaluation: { canaryCases: 0 } }).toJSON());
    expect(without.includes('canary/')).toBe(false);
  });
});

describe('a site file', () => {
  it.each([
    [{ datasets: ['canary'] }, 'belongs to the canary'],
    [{ evaluation: { datasets: ['kidney'] } }, 'only datasets of the site'],
    [{ evaluation: { judgeTrainedOn: 'kidney' } }, 'only datasets of the site'],
  ])('with %j is refused', (settings, message) => {
    expect(() => templateOf(settings)).toThrow(message);
  });
});
