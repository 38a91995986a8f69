import * as z from 'zod';

/** The part of a key's policy that decides whether AWS's services may use it for a site. */

const words = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());

const Principal = z.union([
  z.literal('*').transform(() => ({ Service: [] as string[], AWS: ['*'] })),
  z.object({ Service: words.default([]), AWS: words.default([]) }),
]);
type Principal = z.infer<typeof Principal>;

const Statement = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Principal: Principal.optional(),
  Action: words.optional(),
});

const Policy = z.object({
  Statement: z.union([Statement, z.array(Statement)]).transform((value) => [value].flat()),
});

const DATA_KEYS = ['kms:Decrypt', 'kms:GenerateDataKey'] as const;

/** Who has to use the key by its own policy; roles are let in by the account's root. */
const keyUsers = (region: string): Readonly<Record<string, readonly string[]>> => ({
  [`logs.${region}.amazonaws.com`]: [
    ...DATA_KEYS,
    'kms:Encrypt',
    'kms:ReEncryptTo',
    'kms:DescribeKey',
  ],
  'events.amazonaws.com': DATA_KEYS,
  'cloudwatch.amazonaws.com': DATA_KEYS,
});

/**
 * What a policy lacks for a site of that region and account, as `<principal>: <action>`. Conditions are
 * not decided: a statement that allows under one counts as allowing.
 */
export function missingGrants(policyJson: string, region: string, account: string): string[] {
  const statements = Policy.parse(JSON.parse(policyJson)).Statement;
  const allows = (names: (principal: Principal) => boolean, action: string) =>
    statements.some(
      ({ Effect, Principal, Action }) =>
        Effect === 'Allow' &&
        Principal !== undefined &&
        names(Principal) &&
        (Action ?? []).some((pattern) => covers(pattern, action)),
    );
  const services = Object.entries(keyUsers(region)).flatMap(([service, actions]) =>
    actions
      .filter((action) => !allows(({ Service }) => Service.includes(service), action))
      .map((action) => `${service}: ${action}`),
  );
  const root = new RegExp(`^(\\*|${account}|arn:aws[a-z-]*:iam::${account}:root)$`);
  const byRoles = allows(({ AWS }) => AWS.some((name) => root.test(name)), 'kms:Decrypt');
  return byRoles ? services : [...services, `the roles of account ${account}: kms:*`];
}

/** IAM's wildcards; actions have no case. */
function covers(pattern: string, action: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`, 'i').test(action);
}
