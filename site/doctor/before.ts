import type { Site } from '../contract/config.ts';
import { judgeImages, judgeKey, judgeNetwork } from './before-site.ts';
import type { AccountFacts } from './facts.ts';
import { type Finding, fault, judged, well } from './finding.ts';
import { gpuQuotas, LAMBDA_CONCURRENCY, type NeededQuota, uncoveredTypes } from './quotas.ts';

/** Messages that the site's functions work on at once, all queues at their most. */
export const FUNCTIONS_AT_ONCE = 55;

/** CDK's own minimum for the assets of this version's templates. */
const BOOTSTRAP_VERSION = 6;

/**
 * What keeps a site from being deployed, or from working once it is. Without credentials nothing else
 * can be known, so that is then the only finding of the account.
 */
export function findingsBefore(facts: AccountFacts, site: Site): Finding[] {
  const identity = judged('credentials', facts.identity, (who) => judgeIdentity(who, site));
  if (!('answer' in facts.identity)) return [noCredentials(facts.identity.noAnswer.reason)];
  const { account } = facts.identity.answer;
  return [
    ...identity,
    ...judged('cdk-bootstrap', facts.bootstrap, (found) => judgeBootstrap(found, site, account)),
    ...gpuQuotas(site).flatMap((needed) => gpuQuota(needed, facts, site)),
    ...uncovered(site),
    ...judged('lambda-concurrency', facts.concurrency, (found) => judgeConcurrency(found, site)),
    ...judgeNetwork(facts, site, account),
    ...judgeKey(facts, site, account),
    ...judgeImages(facts, site),
  ];
}

const noCredentials = (reason: string): Finding =>
  fault(
    'credentials',
    'problem',
    `none that work (${reason})`,
    'Nothing of the account can be looked at, and nothing be deployed.',
    'aws sts get-caller-identity   # mend what it says: aws sso login, AWS_PROFILE, or aws configure',
  );

function judgeIdentity(who: { account: string; arn: string }, site: Site): Finding {
  if (site.account === null || site.account === who.account)
    return well('credentials', `${who.arn}, account ${who.account}`);
  return fault(
    'credentials',
    'problem',
    `account ${who.account}; the site file says ${site.account}`,
    'The site would be looked for, or deployed, in the wrong account.',
    `Use credentials of ${site.account} (AWS_PROFILE), or correct "account" in the site file.`,
  );
}

function judgeBootstrap(version: number | null, site: Site, account: string): Finding {
  if (version !== null && version >= BOOTSTRAP_VERSION)
    return well('cdk-bootstrap', `version ${version}`);
  return fault(
    'cdk-bootstrap',
    'problem',
    version === null
      ? 'none in this region'
      : `version ${version}, older than ${BOOTSTRAP_VERSION}`,
    '"cdk deploy" has no place for its templates and images.',
    `npx cdk bootstrap aws://${account}/${site.region} -c site=${site.site}`,
  );
}

function gpuQuota(
  { quota, market, ceilingVcpus, leastVcpus }: NeededQuota,
  facts: AccountFacts,
  site: Site,
) {
  const check = `gpu-quota-${market === 'spot' ? 'spot' : 'on-demand'}`;
  const asked = facts.quotas.get(quota.code);
  if (!asked) return [];
  const ask = (vcpus: number): string =>
    `aws service-quotas request-service-quota-increase --region ${site.region} --service-code ${quota.service} --quota-code ${quota.code} --desired-value ${vcpus}`;
  return judged(check, asked, (vcpus) => {
    const found = `"${quota.name}" is ${vcpus} vCPUs`;
    if (vcpus < leastVcpus)
      return fault(
        check,
        'problem',
        `${found}; the smallest instance takes ${leastVcpus}`,
        'No instance of this market can start: its jobs wait until they are given up.',
        ask(Math.max(ceilingVcpus, leastVcpus)),
      );
    if (vcpus < ceilingVcpus)
      return fault(
        check,
        'warning',
        `${found}; the site file allows ${ceilingVcpus}`,
        'Fewer jobs run at once than the site file means to.',
        ask(ceilingVcpus),
      );
    return well(check, found);
  });
}

const uncovered = (site: Site): Finding[] =>
  uncoveredTypes(site).map((type) =>
    fault(
      'gpu-quota',
      'warning',
      `no known vCPU quota covers ${type}`,
      'Whether an instance of it may start is not known.',
      `aws service-quotas list-service-quotas --region ${site.region} --service-code ec2   # look for its family`,
    ),
  );

function judgeConcurrency(
  { limit, unreserved }: { limit: number; unreserved: number },
  site: Site,
): Finding {
  const check = 'lambda-concurrency';
  const found = `${unreserved} of ${limit} calls at once are free for any function`;
  if (unreserved >= FUNCTIONS_AT_ONCE) return well(check, found);
  return fault(
    check,
    unreserved < 1 ? 'problem' : 'warning',
    `${found}; the site's use up to ${FUNCTIONS_AT_ONCE}`,
    'Messages are handed back unworked, four times at most: a rush of uploads ends among the failures.',
    `aws service-quotas request-service-quota-increase --region ${site.region} --service-code lambda --quota-code ${LAMBDA_CONCURRENCY.code} --desired-value 1000`,
  );
}
