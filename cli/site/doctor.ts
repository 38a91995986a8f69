import type { Command } from 'commander';
import { RETRIES } from '../../adapters/aws-clients.ts';
import type { Site } from '../../site/contract/config.ts';
import { findingsAfter } from '../../site/doctor/after.ts';
import { findingsBefore } from '../../site/doctor/before.ts';
import { type Finding, isFit, judged } from '../../site/doctor/finding.ts';
import { loadSite, siteFile } from '../../site/site-file.ts';
import { report, withOutput } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { ask } from './doctor/ask.ts';
import { askAccount } from './doctor/ask-account.ts';
import { askDeployment, askStack } from './doctor/ask-deployment.ts';
import { openSite } from './open-site.ts';

/** `sammix site doctor` */
export function define(command: Command): void {
  withOutput(command)
    .argument('<site>', "name of the site, or its file's path")
    .action(async (name: string) => {
      await report(command, async () => {
        const { fit, findings } = await examine(loadSite(siteFile(name)));
        return {
          result: { fit, findings },
          text: findings.map(findingText).join('\n'),
          exitCode: fit ? EXIT.ok : EXIT.unfit,
        };
      });
    });
}

export interface Examination {
  /** No problem, and nothing that could not be looked at. */
  readonly fit: boolean;
  readonly findings: readonly Finding[];
}

/**
 * Looks at what a site needs: of the account before it is deployed, and of the deployment once it is
 * there. Only reads; a question that is refused is a finding, not the end.
 */
export async function examine(site: Site): Promise<Examination> {
  const at = { region: site.region, ...RETRIES };
  const stack = await ask('cloudformation:DescribeStacks', () => askStack(site, at));
  const isDeployed = 'answer' in stack && stack.answer !== null;
  const account = await askAccount(site, isDeployed);
  const before = findingsBefore(account, site);
  if (!('answer' in account.identity)) return { fit: isFit(before), findings: before };
  const { account: accountId } = account.identity.answer;
  const after =
    'answer' in stack && stack.answer
      ? findingsAfter(
          await askDeployment(
            site,
            stack.answer,
            await ask('cloudformation:DescribeStacks', () =>
              openSite(site.site, { region: site.region }),
            ),
            accountId,
            at,
          ),
          site,
          new Date(),
        )
      : judged('stack', stack, () => notDeployed(site));
  const findings = [...before, ...after];
  return { fit: isFit(findings), findings };
}

const notDeployed = ({ site }: Site): Finding => ({
  check: 'stack',
  verdict: 'well',
  found: 'not deployed yet',
  because: null,
  mend: `npx cdk deploy -c site=${site}`,
});

const MARK = {
  well: 'well   ',
  warning: 'WARNING',
  problem: 'PROBLEM',
  unknown: 'UNKNOWN',
} as const;

const findingText = ({ check, verdict, found, because, mend }: Finding): string =>
  [`${MARK[verdict]} ${check}: ${found}`, because, mend && `mend: ${mend}`]
    .filter((line) => line !== null)
    .join('\n          ');
