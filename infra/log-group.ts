import { RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';

/** An encrypted log group with the site's retention; CDK names it. */
export function siteLogGroup(
  scope: Construct,
  id: string,
  { site, key }: { readonly site: Site; readonly key: IKey },
): LogGroup {
  return new LogGroup(scope, id, {
    encryptionKey: key,
    retention: site.retention.logDays as RetentionDays,
    removalPolicy: RemovalPolicy.DESTROY,
  });
}
