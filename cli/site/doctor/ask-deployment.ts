import type { BatchClient } from '@aws-sdk/client-batch';
import type { S3Store } from '../../../adapters/s3-store.ts';
import { budgetName, type Site, stackName } from '../../../site/contract/config.ts';
import type {
  DeploymentFacts,
  EnvironmentFacts,
  QueueFacts,
  StackFacts,
} from '../../../site/doctor/facts.ts';
import type { Asked } from '../../../site/doctor/finding.ts';
import { lastRun, readCanary, readTargetBundles } from '../../../site/doctor/results.ts';
import { ask, orNone } from './ask.ts';
import type { At } from './ask-account.ts';

/** The stack of a site; null where there is none. */
export async function askStack(site: Site, at: At): Promise<StackFacts | null> {
  const { CloudFormationClient, DescribeStacksCommand } = await import(
    '@aws-sdk/client-cloudformation'
  );
  const name = stackName(site.site);
  const found = await orNone(['ValidationError'], () =>
    new CloudFormationClient(at).send(new DescribeStacksCommand({ StackName: name })),
  );
  const stack = found?.Stacks?.[0];
  if (!stack) return null;
  return {
    name,
    status: stack.StackStatus ?? 'unknown',
    changedAt: (stack.LastUpdatedTime ?? stack.CreationTime ?? new Date(0)).toISOString(),
  };
}

/** Reads of a deployed site; nothing is changed. `store` is the site's bucket, where it could be opened. */
export async function askDeployment(
  site: Site,
  stack: StackFacts,
  store: Asked<S3Store>,
  account: string,
  at: At,
): Promise<DeploymentFacts> {
  const resources = await ask('cloudformation:ListStackResources', () =>
    physicalIds(stack.name, at),
  );
  const of = <T>(action: string, type: string, question: (ids: readonly string[]) => Promise<T>) =>
    'answer' in resources
      ? ask(action, () => question(resources.answer.get(type) ?? []))
      : Promise.resolve(resources);
  const inBucket = <T>(question: (store: S3Store) => Promise<T>) =>
    'answer' in store ? ask('s3:GetObject', () => question(store.answer)) : Promise.resolve(store);
  const [environments, queues, subscriptions, budget, canary, targets, run] = await Promise.all([
    of('batch:DescribeComputeEnvironments', 'AWS::Batch::ComputeEnvironment', (ids) =>
      environmentsOf(ids, at),
    ),
    of(
      'batch:DescribeJobQueues, batch:ListJobs and batch:DescribeJobs',
      'AWS::Batch::JobQueue',
      (ids) => queuesOf(ids, at),
    ),
    of('sns:ListSubscriptionsByTopic', 'AWS::SNS::Topic', (ids) => subscriptionsOf(ids, at)),
    ask('budgets:ViewBudget', () => budgetOf(site, account, at)),
    inBucket((open) => readCanary(open, site.evaluation.canaryCases)),
    inBucket((open) => readTargetBundles(open, site)),
    inBucket((open) => lastRun(open, site.datasets)),
  ]);
  return {
    stack,
    environments,
    queues,
    subscriptions,
    budget,
    canary,
    targets,
    lastRun: run,
    images: await imagesOf(environments, at),
  };
}

/** The stack's resources by their type. */
async function physicalIds(StackName: string, at: At): Promise<Map<string, string[]>> {
  const { CloudFormationClient, paginateListStackResources } = await import(
    '@aws-sdk/client-cloudformation'
  );
  const ids = new Map<string, string[]>();
  const pages = paginateListStackResources({ client: new CloudFormationClient(at) }, { StackName });
  for await (const { StackResourceSummaries = [] } of pages)
    for (const { ResourceType = '', PhysicalResourceId } of StackResourceSummaries)
      if (PhysicalResourceId !== undefined)
        ids.set(ResourceType, [...(ids.get(ResourceType) ?? []), PhysicalResourceId]);
  return ids;
}

type FoundEnvironment = EnvironmentFacts & { readonly images: readonly string[] };

async function environmentsOf(ids: readonly string[], at: At): Promise<FoundEnvironment[]> {
  const batch = await import('@aws-sdk/client-batch');
  const { computeEnvironments = [] } = await new batch.BatchClient(at).send(
    new batch.DescribeComputeEnvironmentsCommand({ computeEnvironments: [...ids] }),
  );
  return computeEnvironments.map((one) => ({
    name: one.computeEnvironmentName ?? '',
    state: one.state ?? 'unknown',
    status: one.status ?? 'unknown',
    statusReason: one.statusReason ?? '',
    images: (one.computeResources?.ec2Configuration ?? []).flatMap(
      ({ imageIdOverride }) => imageIdOverride ?? [],
    ),
  }));
}

async function imagesOf(
  environments: Asked<readonly FoundEnvironment[]>,
  at: At,
): Promise<DeploymentFacts['images']> {
  if (!('answer' in environments)) return environments;
  const ids = [...new Set(environments.answer.flatMap(({ images }) => images))];
  const { DescribeImagesCommand, EC2Client } = await import('@aws-sdk/client-ec2');
  const client = new EC2Client(at);
  return ask('ec2:DescribeImages', () =>
    Promise.all(
      ids.map(async (id) => {
        const found = await orNone(['InvalidAMIID.NotFound', 'InvalidAMIID.Unavailable'], () =>
          client.send(new DescribeImagesCommand({ ImageIds: [id], IncludeDeprecated: true })),
        );
        return { id, createdAt: found?.Images?.[0]?.CreationDate ?? null };
      }),
    ),
  );
}

async function queuesOf(ids: readonly string[], at: At): Promise<QueueFacts[]> {
  const batch = await import('@aws-sdk/client-batch');
  const client = new batch.BatchClient(at);
  const { jobQueues = [] } = await client.send(
    new batch.DescribeJobQueuesCommand({ jobQueues: [...ids] }),
  );
  return Promise.all(
    jobQueues.map(async (queue) => ({
      name: queue.jobQueueName ?? '',
      state: queue.state ?? 'unknown',
      status: queue.status ?? 'unknown',
      statusReason: queue.statusReason ?? '',
      waiting: await firstWaiting(queue.jobQueueArn ?? '', client),
    })),
  );
}

/** The oldest job that waits for an instance. Batch says why only of the first, and only where it knows. */
async function firstWaiting(jobQueue: string, client: BatchClient): Promise<QueueFacts['waiting']> {
  const { DescribeJobsCommand, paginateListJobs } = await import('@aws-sdk/client-batch');
  let oldest: { id: string; at: number } | undefined;
  for await (const { jobSummaryList = [] } of paginateListJobs(
    { client },
    { jobQueue, jobStatus: 'RUNNABLE' },
  ))
    for (const { jobId: id, createdAt: at = 0 } of jobSummaryList)
      if (id !== undefined && (oldest === undefined || at < oldest.at)) oldest = { id, at };
  if (!oldest) return null;
  const { jobs = [] } = await client.send(new DescribeJobsCommand({ jobs: [oldest.id] }));
  return {
    jobId: oldest.id,
    reason: jobs[0]?.statusReason ?? '',
    since: new Date(oldest.at).toISOString(),
  };
}

async function subscriptionsOf(
  topics: readonly string[],
  at: At,
): Promise<{ address: string; confirmed: boolean }[]> {
  const { paginateListSubscriptionsByTopic, SNSClient } = await import('@aws-sdk/client-sns');
  const client = new SNSClient(at);
  const found: { address: string; confirmed: boolean }[] = [];
  for (const TopicArn of topics)
    for await (const { Subscriptions = [] } of paginateListSubscriptionsByTopic(
      { client },
      { TopicArn },
    ))
      for (const { Endpoint = '', SubscriptionArn = '' } of Subscriptions)
        found.push({ address: Endpoint, confirmed: SubscriptionArn.startsWith('arn:') });
  return found;
}

/** Budgets has one place for all regions of a partition. */
async function budgetOf(
  { site }: Site,
  account: string,
  at: At,
): Promise<{ usdPerMonth: number; spentUsd: number } | null> {
  const { BudgetsClient, DescribeBudgetCommand } = await import('@aws-sdk/client-budgets');
  const found = await orNone(['NotFoundException'], () =>
    new BudgetsClient(at).send(
      new DescribeBudgetCommand({ AccountId: account, BudgetName: budgetName(site) }),
    ),
  );
  if (!found?.Budget) return null;
  const { BudgetLimit, CalculatedSpend } = found.Budget;
  return {
    usdPerMonth: Number(BudgetLimit?.Amount ?? 0),
    spentUsd: Number(CalculatedSpend?.ActualSpend?.Amount ?? 0),
  };
}
