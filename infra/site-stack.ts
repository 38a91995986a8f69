import { CfnOutput, Stack, Tags } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Site } from '../core/contract/site.ts';
import { GpuQueue } from './gpu-queue.ts';
import { SiteNetwork } from './network.ts';
import { Operations } from './operations.ts';
import { Pipeline } from './pipeline.ts';
import { SegmentJob } from './segment-job.ts';
import { Storage } from './storage.ts';

export const stackName = (site: string): string => `sammix-${site}`;

/** Everything of one site. Names are CDK's own, so sites share an account without clashes. */
export class SiteStack extends Stack {
  constructor(scope: Construct, site: Site) {
    const account = site.account ?? process.env.CDK_DEFAULT_ACCOUNT;
    super(scope, stackName(site.site), {
      env: { region: site.region, ...(account ? { account } : {}) },
      description: `sammix: liver segmentation for the site ${site.site}`,
    });
    const storage = new Storage(this, 'Storage', site);
    const network = new SiteNetwork(this, 'Network', { site, key: storage.key });
    const gpu = new GpuQueue(this, 'Gpu', { site, network });
    const segment = new SegmentJob(this, 'SegmentJob', { site, storage }).definition;
    const pipeline = new Pipeline(this, 'Pipeline', { site, storage, gpu, segment });
    new Operations(this, 'Operations', { site, key: storage.key, pipeline });

    Tags.of(this).add('sammix:site', site.site);
    for (const [tag, value] of Object.entries(site.tags)) Tags.of(this).add(tag, value);
    new CfnOutput(this, 'Bucket', { value: storage.data.bucketName });
    new CfnOutput(this, 'JobQueue', { value: gpu.queue.jobQueueArn });
  }
}
