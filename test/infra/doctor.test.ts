import { describe, expect, it } from 'vitest';
import { AT_ONCE } from '../../site/cost/rush.ts';
import { IDLE } from '../../site/cost/tables.ts';
import { FUNCTIONS_AT_ONCE } from '../../site/doctor/before.ts';
import { ENDPOINT_SERVICES } from '../../site/doctor/before-site.ts';
import { missingGrants } from '../../site/doctor/key-policy.ts';
import { templateOf } from './synth.ts';

const REGION = 'eu-central-1';
const ACCOUNT = '123456789012';

/** What the doctor looks at is what the stack asks for. */
describe('the doctor and the template', () => {
  const template = templateOf({
    alarmEmail: 'it@example.org',
    budget: { usdPerMonth: 250, counts: 'site' },
  });
  const properties = (type: string) =>
    Object.values(template.findResources(type)).map((one) => one.Properties);

  it('agree on how many messages are worked on at once', () => {
    const mappings = properties('AWS::Lambda::EventSourceMapping');
    const most = mappings.map(({ ScalingConfig }) => ScalingConfig.MaximumConcurrency as number);
    expect(most.reduce((sum, one) => sum + one, 0)).toBe(FUNCTIONS_AT_ONCE);
    const of = (id: string): number =>
      mappings.find(({ FunctionName }) => FunctionName.Ref.startsWith(id))?.ScalingConfig
        .MaximumConcurrency;
    expect({ split: of('PipelineSplit'), assemble: of('PipelineAssemble') }).toEqual(AT_ONCE);
  });

  it('keeps every message for the fourteen days that the limits count on', () => {
    const days = properties('AWS::SQS::Queue').map(({ MessageRetentionPeriod: s }) => s / 86_400);
    expect(days.length).toBeGreaterThan(8);
    expect(new Set(days)).toEqual(new Set([14]));
  });

  it('agree with the table of costs on what an idle site has', () => {
    const count = (type: string) => properties(type).length;
    expect({
      endpoints: properties('AWS::EC2::VPCEndpoint').filter(
        ({ VpcEndpointType }) => VpcEndpointType === 'Interface',
      ).length,
      alarms: count('AWS::CloudWatch::Alarm'),
      queues: count('AWS::Lambda::EventSourceMapping'),
    }).toEqual(IDLE);
  });

  it('agree on the endpoints', () => {
    const names = properties('AWS::EC2::VPCEndpoint')
      .filter(({ VpcEndpointType }) => VpcEndpointType === 'Interface')
      .map(({ ServiceName }) => ServiceName as string);
    expect(names.sort()).toEqual(
      ENDPOINT_SERVICES.map((service) => `com.amazonaws.${REGION}.${service}`).sort(),
    );
  });

  it('agree on who must be let into the key: the own key of a site passes', () => {
    const [key] = properties('AWS::KMS::Key');
    const text = JSON.stringify(key?.KeyPolicy)
      .replaceAll('{"Ref":"AWS::Partition"}', '"aws"')
      .replaceAll('{"Ref":"AWS::Region"}', `"${REGION}"`)
      .replaceAll(/\{"Fn::Join":\["",\[([^\]]*)\]\]\}/g, (_, parts: string) =>
        JSON.stringify(JSON.parse(`[${parts}]`).join('')),
      );
    expect(missingGrants(text, REGION, ACCOUNT)).toEqual([]);
  });

  it('has the budget that the site file asks for, and tells somebody', () => {
    const [budget] = properties('AWS::Budgets::Budget');
    expect(budget?.Budget).toMatchObject({
      BudgetName: 'sammix-north-monthly',
      BudgetLimit: { Amount: 250, Unit: 'USD' },
      TimeUnit: 'MONTHLY',
      CostFilters: { TagKeyValue: ['user:sammix:site$north'] },
    });
    const told = budget?.NotificationsWithSubscribers as {
      Notification: { NotificationType: string; Threshold: number };
      Subscribers: unknown;
    }[];
    expect(told.map(({ Notification: n }) => [n.NotificationType, n.Threshold])).toEqual([
      ['ACTUAL', 80],
      ['ACTUAL', 100],
      ['FORECASTED', 100],
    ]);
    for (const { Subscribers } of told)
      expect(Subscribers).toEqual([{ SubscriptionType: 'EMAIL', Address: 'it@example.org' }]);
    expect(templateOf().findResources('AWS::Budgets::Budget')).toEqual({});
  });

  it('refuses a budget that tells nobody', () => {
    expect(() => templateOf({ budget: { usdPerMonth: 250 } })).toThrow(/tells nobody/);
  });
});
