import { CfnOutput, Stack, Tags } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { OUTPUT, type Site, stackName } from '../site/contract/config.ts';
import { monthlyBudget } from './budget.ts';
import { Canary } from './canary.ts';
import { Dicom } from './dicom.ts';
import { DicomSeg } from './dicom-seg.ts';
import { Evaluation } from './evaluation.ts';
import { segmentJob } from './gpu-job.ts';
import { GpuQueue } from './gpu-queue.ts';
import { ofThisAccount } from './grants.ts';
import { SiteNetwork } from './network.ts';
import { Operations } from './operations.ts';
import { Pipeline } from './pipeline.ts';
import { Storage } from './storage.ts';
import { Training } from './training.ts';
import { Watch } from './watch.ts';

/** Where alarms and the headlines of evaluations go, encrypted by the site's key. */
function noticeTopic(
  scope: Construct,
  id: string,
  { site, key }: { readonly site: Site; readonly key: IKey },
): Topic {
  const topic = new Topic(scope, id, { masterKey: key, enforceSSL: true });
  topic.addToResourcePolicy(
    new PolicyStatement({
      principals: [ofThisAccount('cloudwatch')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
    }),
  );
  if (site.alarmEmail !== null) topic.addSubscription(new EmailSubscription(site.alarmEmail));
  return topic;
}

/** Of cfn-lint: W3005, CDK states dependencies that references imply; W3010, a site's zones are its own. */
const LINT_EXCEPTIONS = ['W3005', 'W3010'];

/** Everything of one site. Names are CDK's own, so sites share an account without clashes. */
export class SiteStack extends Stack {
  constructor(scope: Construct, site: Site) {
    const account = site.account ?? process.env.CDK_DEFAULT_ACCOUNT;
    super(scope, stackName(site.site), {
      env: { region: site.region, ...(account ? { account } : {}) },
      description: `sammix: liver segmentation for the site ${site.site}`,
    });
    const storage = new Storage(this, 'Storage', site);
    const network = new SiteNetwork(this, 'Network', {
      site,
      key: storage.key,
      data: storage.data,
    });
    const gpu = new GpuQueue(this, 'Gpu', { site, network });
    const segment = segmentJob(this, 'SegmentJob', site, storage);
    const pipeline = new Pipeline(this, 'Pipeline', {
      site,
      storage,
      gpu,
      segment: segment.definition,
    });
    const dicom = new Dicom(this, 'Dicom', { site, storage, pipeline });
    const training = new Training(this, 'Training', { site, storage, gpu, pipeline });
    const topic = noticeTopic(this, 'Notices', { site, key: storage.key });
    const evaluation = new Evaluation(this, 'Evaluation', { site, storage, gpu, pipeline, topic });
    const canary =
      site.evaluation.canaryCases === 0
        ? undefined
        : new Canary(this, 'Canary', { site, storage, pipeline });
    const dicomSeg = new DicomSeg(this, 'DicomSeg', { site, storage, pipeline });
    const jobs = [segment, training.job, evaluation.job].filter((job) => job !== undefined);
    if (network.s3)
      storage.onlyFrom(
        network.s3,
        jobs.map(({ role }) => role),
      );
    const watch = new Watch(this, 'Watch', {
      site,
      storage,
      gpu,
      pipeline,
      evaluation,
      training,
    });
    new Operations(this, 'Operations', {
      site,
      topic,
      pipeline,
      dicom,
      training,
      evaluation,
      canary,
      dicomSeg,
      watch,
      jobs,
    });
    monthlyBudget(this, 'Budget', site);

    this.templateOptions.metadata = { 'cfn-lint': { config: { ignore_checks: LINT_EXCEPTIONS } } };
    Tags.of(this).add('sammix:site', site.site);
    for (const [tag, value] of Object.entries(site.tags)) Tags.of(this).add(tag, value);
    new CfnOutput(this, OUTPUT.bucket, { value: storage.data.bucketName });
    new CfnOutput(this, OUTPUT.jobQueue, { value: gpu.queue.jobQueueArn });
  }
}
