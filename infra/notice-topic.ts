import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import type { Site } from '../site/contract/config.ts';

/** Where alarms and the headlines of evaluations go, encrypted by the site's key. */
export function noticeTopic(
  scope: Construct,
  id: string,
  { site, key }: { readonly site: Site; readonly key: IKey },
): Topic {
  const topic = new Topic(scope, id, { masterKey: key, enforceSSL: true });
  topic.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
    }),
  );
  if (site.alarmEmail !== null) topic.addSubscription(new EmailSubscription(site.alarmEmail));
  return topic;
}
