import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import type { Construct } from 'constructs';
import { budgetName, type Site } from '../site/contract/config.ts';

/** Percent of the month's money: spent already, or by AWS's forecast at the month's end. */
const TOLD_AT = [
  { notificationType: 'ACTUAL', threshold: 80 },
  { notificationType: 'ACTUAL', threshold: 100 },
  { notificationType: 'FORECASTED', threshold: 100 },
] as const;

/**
 * The site's monthly budget. It mails by itself and not by the alarm topic, which is encrypted: AWS
 * Budgets would have to be let into the site's key.
 */
export function monthlyBudget(scope: Construct, id: string, site: Site): CfnBudget | undefined {
  const { budget } = site;
  const address = budget?.email ?? site.alarmEmail;
  if (budget === null || address === null) return undefined;
  return new CfnBudget(scope, id, {
    budget: {
      budgetName: budgetName(site.site),
      budgetType: 'COST',
      timeUnit: 'MONTHLY',
      budgetLimit: { amount: budget.usdPerMonth, unit: 'USD' },
      ...(budget.counts === 'site' && {
        costFilters: { TagKeyValue: [`user:sammix:site$${site.site}`] },
      }),
    },
    notificationsWithSubscribers: TOLD_AT.map((when) => ({
      notification: {
        ...when,
        comparisonOperator: 'GREATER_THAN',
        thresholdType: 'PERCENTAGE',
      },
      subscribers: [{ subscriptionType: 'EMAIL', address }],
    })),
  });
}
