import { Aws, Stack } from 'aws-cdk-lib';
import { ManagedPolicy, PolicyStatement, type Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { acknowledge } from './acknowledge.ts';

/** What one role may do, and (where a resource has a wildcard) why it cannot be narrower. */
export interface Grant {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly because?: string;
  readonly conditions?: Readonly<
    Record<string, Readonly<Record<string, string | readonly string[]>>>
  >;
}

/**
 * Gives a role exactly these grants, as one managed policy. CDK's own `grant…` methods would add an
 * inline policy with more actions than are used.
 */
export function grantAll(role: Role, grants: readonly Grant[]): ManagedPolicy {
  const policy = new ManagedPolicy(role, 'Grants', {
    roles: [role],
    statements: grants.map(
      ({ actions, resources, conditions }) =>
        new PolicyStatement({
          actions: [...actions],
          resources: [...resources],
          ...(conditions && { conditions: { ...conditions } }),
        }),
    ),
  });
  for (const { resources, because } of grants)
    for (const resource of resources) {
      const text = ruleText(Stack.of(role).resolve(resource));
      if (because !== undefined && text.includes('*'))
        acknowledge(policy, because, `AwsSolutions-IAM5[Resource::${text}]`);
    }
  return policy;
}

type Resolved =
  | string
  | { readonly 'Fn::Join': readonly [string, readonly Resolved[]] }
  | { readonly 'Fn::GetAtt': readonly string[] }
  | { readonly Ref: string };

/** A resource as cdk-nag names it in a finding: references in angle brackets. */
function ruleText(resource: Resolved): string {
  if (typeof resource === 'string') return resource;
  if ('Ref' in resource) return `<${resource.Ref}>`;
  if ('Fn::GetAtt' in resource) return `<${resource['Fn::GetAtt'].join('.')}>`;
  const [separator, parts] = resource['Fn::Join'];
  return parts.map(ruleText).join(separator);
}

/** A service that takes a role, or writes to a resource, only on behalf of this account's own resources. */
export const ofThisAccount = (service: string): ServicePrincipal =>
  new ServicePrincipal(`${service}.amazonaws.com`, {
    conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
  });

/** Reading or writing below prefixes of a bucket. */
export const onPrefixes = (
  bucket: IBucket,
  action: 's3:GetObject' | 's3:GetObjectVersion' | 's3:PutObject' | 's3:DeleteObject',
  ...prefixes: readonly string[]
): Grant => ({
  actions: [action],
  resources: prefixes.map((prefix) => bucket.arnForObjects(`${prefix}*`)),
  because: `${action} is limited to ${prefixes.join(', ')}; the names below are the data's own.`,
});

/** Keys of a form, `*` standing for any characters. */
export const onKeys = (
  bucket: IBucket,
  action: 's3:GetObject' | 's3:PutObject',
  form: string,
): Grant => ({
  actions: [action],
  resources: [bucket.arnForObjects(form)],
  because: `${action} is limited to ${form}; the names are the data's own.`,
});

/** Writing below a prefix what is not there yet: S3 refuses a write that does not ask for that. */
export const writesOnce = (bucket: IBucket, prefix: string): Grant => ({
  ...onPrefixes(bucket, 's3:PutObject', prefix),
  conditions: { Null: { 's3:if-none-match': 'false' } },
});

/** Without it, asking for an object that is not there answers 403 instead of 404. */
export const seesWhatIsMissing = (bucket: IBucket): Grant => ({
  actions: ['s3:ListBucket'],
  resources: [bucket.bucketArn],
});

/** Which versions there are below prefixes, and of nothing else. */
export const listsVersions = (bucket: IBucket, prefixes: readonly string[]): Grant => ({
  actions: ['s3:ListBucketVersions'],
  resources: [bucket.bucketArn],
  conditions: { StringLike: { 's3:prefix': prefixes.map((prefix) => `${prefix}*`) } },
});

/** Through the services that hold the site's data only: who steals a role cannot decrypt elsewhere. */
export const usesKey = (key: IKey): Grant => ({
  actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
  resources: [key.keyArn],
});
