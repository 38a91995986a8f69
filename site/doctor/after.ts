import { OUTPUT, type Site, stackName } from '../contract/config.ts';
import { judgeResults } from './after-results.ts';
import type { DeploymentFacts, EnvironmentFacts, QueueFacts, StackFacts } from './facts.ts';
import { type Finding, fault, judged, well } from './finding.ts';

/** Machine images bring driver, agent and kernel; older than this, patches are missing. */
const OLDEST_IMAGE_DAYS = 45;

/** What keeps a deployed site from doing what it should. */
export function findingsAfter(facts: DeploymentFacts, site: Site, now: Date): Finding[] {
  return [
    judgeStack(facts.stack, site),
    ...judged('compute-environments', facts.environments, (all) =>
      all.map((one) => judgeEnvironment(one, site)),
    ),
    ...judged('job-queues', facts.queues, (all) =>
      all.flatMap((one) => judgeQueue(one, site, now)),
    ),
    ...judged('machine-image-age', facts.images, (all) =>
      all.map(({ id, createdAt }) => judgeAge(id, createdAt, site, now)),
    ),
    ...judged('alarm-mail', facts.subscriptions, (all) => judgeSubscriptions(all, site)),
    ...judged('budget', facts.budget, (budget) => judgeBudget(budget, site)),
    ...judgeResults(facts, site),
  ];
}

const deploy = (site: Site): string => `npx cdk deploy -c site=${site.site}`;

function judgeStack({ name, status, changedAt }: StackFacts, site: Site): Finding {
  const found = `${name} is ${status} since ${changedAt}`;
  const at = `--region ${site.region} --stack-name ${name}`;
  const mend =
    status === 'ROLLBACK_COMPLETE' || status === 'ROLLBACK_FAILED'
      ? `aws cloudformation delete-stack ${at}   # then deploy again`
      : status === 'UPDATE_ROLLBACK_FAILED'
        ? `aws cloudformation continue-update-rollback ${at}`
        : `aws cloudformation describe-stack-events ${at}`;
  if (/^(CREATE|UPDATE|IMPORT)_COMPLETE$/.test(status)) return well('stack', found);
  if (/^UPDATE_ROLLBACK_COMPLETE$/.test(status))
    return fault(
      'stack',
      'warning',
      found,
      'The last deployment did not arrive; the version before is running.',
      mend,
    );
  const isOnItsWay = status.endsWith('_IN_PROGRESS');
  return fault(
    'stack',
    isOnItsWay ? 'warning' : 'problem',
    found,
    isOnItsWay ? 'It is being changed; ask again when it has ended.' : 'The site is not whole.',
    mend,
  );
}

function judgeEnvironment(
  { name, state, status, statusReason }: EnvironmentFacts,
  site: Site,
): Finding {
  const check = 'compute-environments';
  const found = `${name} is ${state}, ${status}${statusReason === '' ? '' : `: ${statusReason}`}`;
  if (state === 'ENABLED' && status === 'VALID') return well(check, found);
  const isOnItsWay = ['CREATING', 'UPDATING'].includes(status) && state === 'ENABLED';
  const one = `--region ${site.region} --compute-environment ${name}`;
  return fault(
    check,
    isOnItsWay ? 'warning' : 'problem',
    found,
    'It starts no instances: its jobs wait until they are given up.',
    state === 'ENABLED'
      ? `aws batch describe-compute-environments --region ${site.region} --compute-environments ${name}   # mend what it says, then ${deploy(site)}`
      : `aws batch update-compute-environment ${one} --state ENABLED`,
  );
}

/** Jobs wait minutes for a first instance; what waits longer has Batch's reason, or a limit behind it. */
const LONGEST_WAIT_MINUTES = 30;

function judgeQueue(queue: QueueFacts, site: Site, now: Date): readonly Finding[] {
  const { name, state, status, statusReason, waiting } = queue;
  const check = 'job-queues';
  if (state !== 'ENABLED' || status !== 'VALID')
    return [
      fault(
        check,
        'problem',
        `${name} is ${state}, ${status}${statusReason === '' ? '' : `: ${statusReason}`}`,
        'It takes no jobs, or starts none.',
        `aws batch update-job-queue --region ${site.region} --job-queue ${name} --state ENABLED`,
      ),
    ];
  if (waiting === null) return [well(check, `${name} is enabled, and nothing waits`)];
  const minutes = Math.round((now.getTime() - Date.parse(waiting.since)) / 60_000);
  const found = `${name}: job ${waiting.jobId} waits ${minutes} minutes${waiting.reason === '' ? '' : `, ${waiting.reason}`}`;
  if (waiting.reason === '' && minutes < LONGEST_WAIT_MINUTES) return [well(check, found)];
  return [
    fault(
      check,
      waiting.reason.startsWith('MISCONFIGURATION') || minutes >= LONGEST_WAIT_MINUTES
        ? 'problem'
        : 'warning',
      found,
      'All jobs behind it wait too.',
      mendOfWaiting(waiting.reason, site),
    ),
  ];
}

function mendOfWaiting(reason: string, site: Site): string {
  const { region } = site;
  if (reason.startsWith('MISCONFIGURATION'))
    return `Change "compute" in the site file (vcpusPerJob, memoryMiBPerJob, ceilings), then ${deploy(site)}`;
  if (reason.startsWith('CAPACITY'))
    return `More types or zones in the site file, then ${deploy(site)}; it may also pass by itself`;
  return `aws batch list-jobs --region ${region} --job-queue <queue> --job-status RUNNABLE   # and the quotas above; ${OUTPUT.jobQueue} of ${stackName(site.site)} names the queue`;
}

function judgeAge(id: string, createdAt: string | null, site: Site, now: Date): Finding {
  const check = 'machine-image-age';
  const because = 'Patches of driver, agent and kernel arrive with a deployment only.';
  if (createdAt === null)
    return fault(
      check,
      'problem',
      `${id} does not exist any more`,
      'No instance can start from it.',
      deploy(site),
    );
  const days = Math.floor((now.getTime() - Date.parse(createdAt)) / 86_400_000);
  const found = `${id} is ${days} days old`;
  return days <= OLDEST_IMAGE_DAYS
    ? well(check, found)
    : fault(check, 'warning', found, because, deploy(site));
}

function judgeSubscriptions(
  all: readonly { readonly address: string; readonly confirmed: boolean }[],
  site: Site,
): Finding {
  const check = 'alarm-mail';
  const because = 'Alarms reach nobody.';
  if (site.alarmEmail === null)
    return fault(check, 'warning', 'no "alarmEmail"', because, `Set it, then ${deploy(site)}`);
  const own = all.find(({ address }) => address === site.alarmEmail);
  if (!own) return fault(check, 'problem', 'the address is not subscribed', because, deploy(site));
  return own.confirmed
    ? well(check, 'confirmed')
    : fault(
        check,
        'problem',
        'not confirmed by its owner',
        because,
        `Open the link in the mail "AWS Notification - Subscription Confirmation"; a new one: aws sns subscribe --region ${site.region} --topic-arn <topic> --protocol email --notification-endpoint <alarmEmail>`,
      );
}

function judgeBudget(
  budget: { readonly usdPerMonth: number; readonly spentUsd: number } | null,
  site: Site,
): Finding {
  const check = 'budget';
  if (site.budget === null)
    return fault(
      check,
      'warning',
      'none in the site file',
      'Nobody is told when a mistake costs money.',
      `"budget": {"usdPerMonth": ...} in the site file ("sammix estimate" helps), then ${deploy(site)}`,
    );
  if (budget === null)
    return fault(
      check,
      'problem',
      'the site file has one, the account has none',
      'Nobody is told when a mistake costs money.',
      deploy(site),
    );
  const { usdPerMonth, spentUsd } = budget;
  const found = `${spentUsd.toFixed(2)} of ${usdPerMonth.toFixed(2)} USD spent this month`;
  return spentUsd <= usdPerMonth
    ? well(check, found)
    : fault(
        check,
        'warning',
        found,
        'More is spent than was meant.',
        `sammix site status ${site.site}   # and Cost Explorer, by the tag sammix:site`,
      );
}
