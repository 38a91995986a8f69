import type { Template } from 'aws-cdk-lib/assertions';

/**
 * IAM's decision over a synthesized template, for one call at a time: identity policies, the resource's
 * own policy, the key's, and the endpoint's through which it goes. After "Policy evaluation logic" of the
 * IAM User Guide, as far as the site's policies use it.
 */

export const OWN = '123456789012';
export const FOREIGN = '999999999999';
const REGION = 'eu-central-1';

export interface Call {
  /** A role of the template by the beginning of its logical id, a service, or somebody of another account. */
  readonly by:
    | { readonly role: string }
    | { readonly service: string }
    | { readonly account: string };
  readonly action: string;
  /** A resource of the template by the beginning of its logical id, with what follows its ARN; or an ARN. */
  readonly on: string | { readonly id: string; readonly path?: string };
  readonly context?: Readonly<Record<string, string>>;
  /** Where it goes through an endpoint of the network, the beginning of that one's logical id. */
  readonly through?: string;
}

export type Verdict = 'allowed' | 'denied explicitly' | 'denied: nothing allows it';

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal?: unknown;
  readonly Action: string | readonly string[];
  readonly Resource?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: a template has no types
  readonly Properties: Record<string, any>;
}

const list = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : ([value].flat() as T[]);

const matches = (pattern: string, value: string, ignoreCase = false): boolean =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    ignoreCase ? 'i' : '',
  ).test(value);

export class Policies {
  private readonly resources: Record<string, Resource>;

  constructor(template: Template) {
    this.resources = template.toJSON().Resources;
  }

  /** The full logical id that begins so. */
  find(prefix: string, type?: string): string {
    const found = Object.keys(this.resources).find(
      (id) => id.startsWith(prefix) && (type === undefined || this.resources[id]!.Type === type),
    );
    if (found === undefined) throw new Error(`nothing of the template begins with ${prefix}`);
    return found;
  }

  decide(call: Call): Verdict {
    const resource =
      typeof call.on === 'string'
        ? call.on
        : `${this.arn(this.find(call.on.id))}${call.on.path ?? ''}`;
    const role = 'role' in call.by ? this.find(call.by.role, 'AWS::IAM::Role') : undefined;
    const account = 'account' in call.by ? call.by.account : OWN;
    const context = {
      'aws:SecureTransport': 'true',
      's3:TlsVersion': '1.3',
      ...('service' in call.by
        ? { 'aws:PrincipalIsAWSService': 'true' }
        : {
            'aws:PrincipalIsAWSService': 'false',
            'aws:PrincipalAccount': account,
            'aws:PrincipalArn': role ? this.arn(role) : `arn:aws:iam::${account}:role/any`,
          }),
      ...(call.through && { 'aws:SourceVpce': `ref:${this.find(call.through)}` }),
      ...call.context,
    };
    const applies = (statement: Statement) =>
      list(statement.Action).some((action) => matches(action, call.action, true)) &&
      (statement.Resource === undefined ||
        list(this.value(statement.Resource)).some((one) => matches(String(one), resource))) &&
      this.holds(statement.Condition, context) &&
      this.isFor(statement.Principal, call.by, role);
    const identity = role ? this.identity(role).filter(applies) : [];
    const own = this.resourcePolicy(resource).filter(applies);
    const endpoint = call.through ? this.endpoint(call.through).filter(applies) : undefined;
    const all = [...identity, ...own, ...(endpoint ?? [])];
    if (all.some(({ Effect }) => Effect === 'Deny')) return 'denied explicitly';
    const allows = (statements: readonly Statement[]) =>
      statements.some(({ Effect }) => Effect === 'Allow');
    // Whoever is not of this account is taken to be allowed everything there: by his own, and by what is his.
    const elsewhere = 'account' in call.by && typeof call.on === 'string';
    const allowed = role
      ? allows(identity) || allows(own.filter(isNoAccount))
      : elsewhere || allows(own);
    return allowed && (endpoint === undefined || allows(endpoint))
      ? 'allowed'
      : 'denied: nothing allows it';
  }

  private identity(role: string): Statement[] {
    return Object.values(this.resources)
      .filter(
        ({ Type, Properties }) =>
          Type === 'AWS::IAM::ManagedPolicy' && names(Properties.Roles, role),
      )
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
  }

  private resourcePolicy(resource: string): Statement[] {
    return Object.entries(this.resources).flatMap(([id, { Type, Properties }]) => {
      if (Type === 'AWS::KMS::Key')
        return resource === this.arn(id) ? Properties.KeyPolicy.Statement : [];
      const targets = [Properties?.Bucket, Properties?.Queues, Properties?.Topics].flat();
      if (!/BucketPolicy|QueuePolicy|TopicPolicy/.test(Type)) return [];
      const owns = targets.some((target) => {
        const at = target === undefined ? '' : this.arn(idOf(target) ?? '');
        return at !== '' && (resource === at || resource.startsWith(`${at}/`));
      });
      return owns ? Properties.PolicyDocument.Statement : [];
    });
  }

  private endpoint(prefix: string): Statement[] {
    const { Properties } = this.resources[this.find(prefix)]!;
    return (
      Properties.PolicyDocument?.Statement ?? [{ Effect: 'Allow', Principal: '*', Action: '*' }]
    );
  }

  private isFor(principal: unknown, by: Call['by'], role: string | undefined): boolean {
    if (principal === undefined) return true;
    if (principal === '*') return true;
    const { AWS, Service } = principal as { AWS?: unknown; Service?: unknown };
    if ('service' in by)
      return AWS === '*' || list(this.value(Service)).includes(`${by.service}.amazonaws.com`);
    return list(this.value(AWS)).some(
      (one) =>
        one === '*' ||
        (role !== undefined && one === this.arn(role)) ||
        one === `arn:aws:iam::${'account' in by ? by.account : OWN}:root`,
    );
  }

  private holds(
    condition: Statement['Condition'],
    context: Readonly<Record<string, string>>,
  ): boolean {
    return Object.entries(condition ?? {}).every(([operator, keys]) =>
      Object.entries(keys).every(([key, wanted]) => {
        const values = list(this.value(wanted)).map(String);
        const found = context[key];
        const isAny = (test: (value: string) => boolean) =>
          found !== undefined && values.some(test);
        switch (operator) {
          case 'Null':
            return (found === undefined) === (values[0] === 'true');
          case 'StringEquals':
          case 'Bool':
            return isAny((value) => value === found);
          case 'StringNotEquals':
            return !isAny((value) => value === found);
          case 'StringNotEqualsIfExists':
            return found !== undefined && !values.includes(found);
          case 'StringLike':
          case 'ArnLike':
          case 'ArnEquals':
            return isAny((value) => matches(value, found!));
          case 'NumericLessThan':
            return isAny((value) => Number(found) < Number(value));
          default:
            throw new Error(`no rule for the condition ${operator}`);
        }
      }),
    );
  }

  /** Intrinsic functions as CloudFormation would put them; names of resources are their logical ids. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the template holds
  private value(given: unknown): any {
    if (Array.isArray(given)) return given.map((one) => this.value(one));
    if (given === null || typeof given !== 'object') return given;
    // biome-ignore lint/suspicious/noExplicitAny: an intrinsic function of any form
    const one = given as Record<string, any>;
    if ('Ref' in one) return PSEUDO[one.Ref] ?? this.reference(one.Ref);
    if ('Fn::GetAtt' in one) return this.arn(one['Fn::GetAtt'][0]);
    if ('Fn::Join' in one) {
      const [separator, parts] = one['Fn::Join'];
      return this.value(parts).join(separator);
    }
    throw new Error(`no rule for ${JSON.stringify(given)}`);
  }

  private reference(id: string): string {
    const type = this.resources[id]?.Type;
    if (type === 'AWS::SNS::Topic' || type === 'AWS::SecretsManager::Secret') return this.arn(id);
    return type?.startsWith('AWS::EC2') ? `ref:${id}` : id;
  }

  private arn(id: string): string {
    const type = this.resources[id]?.Type ?? '';
    const [, service = '', kind = ''] = type.split('::');
    if (type === 'AWS::S3::Bucket') return `arn:aws:s3:::${id}`;
    if (service === 'IAM') return `arn:aws:iam::${OWN}:${kind.toLowerCase()}/${id}`;
    const path = service === 'SQS' || service === 'SNS' ? id : `${kind.toLowerCase()}/${id}`;
    return `arn:aws:${service.toLowerCase()}:${REGION}:${OWN}:${path}`;
  }
}

const PSEUDO: Readonly<Record<string, string>> = {
  'AWS::Partition': 'aws',
  'AWS::Region': REGION,
  'AWS::AccountId': OWN,
  'AWS::StackName': 'sammix-north',
};

const names = (roles: readonly unknown[], role: string): boolean =>
  roles.some((one) => idOf(one) === role);

const idOf = (reference: unknown): string | undefined => {
  const { Ref, 'Fn::GetAtt': got } = reference as { Ref?: string; 'Fn::GetAtt'?: string[] };
  return Ref ?? got?.[0];
};

/** The key's statement for the account only hands the decision on to the identity's policies. */
const isNoAccount = ({ Principal }: Statement): boolean =>
  !JSON.stringify(Principal ?? '').includes(':root');
