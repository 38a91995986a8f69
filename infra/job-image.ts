import path from 'node:path';
import { Aws, Stage } from 'aws-cdk-lib';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';
import { buildSegmentContext } from '../gpu-jobs/infer/build.ts';
import type { Site } from '../site/contract/config.ts';
import type { Grant } from './grants.ts';

export type Image = Site['segmentImage'];

const TRAINER = path.join(import.meta.dirname, '..', 'gpu-jobs', 'train');

/** The GPU instance types are x86. */
const platform = Platform.LINUX_AMD64;

/** The image of the segment job; its build context is made here, from this checkout. */
export function segmentImage(scope: Construct, image: Image): ContainerImage {
  if (image.from === 'registry') return ContainerImage.fromRegistry(image.uri);
  const outdir = path.join(Stage.of(scope)?.outdir ?? 'cdk.out', 'segment-image');
  buildSegmentContext(outdir);
  return ContainerImage.fromAsset(outdir, { platform });
}

/** The image of the training job; its .dockerignore leaves out environments, runs and tests. */
export const trainImage = (image: Image): ContainerImage =>
  image.from === 'registry'
    ? ContainerImage.fromRegistry(image.uri)
    : ContainerImage.fromAsset(TRAINER, { platform });

const ECR_URI = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^:@]+)/;

/** Pulling the image, where it is in ECR; other registries answer to no IAM. */
export function pulls(image: Image): Grant[] {
  const repository = repositoryArn(image);
  if (repository === undefined) return [];
  return [
    {
      actions: ['ecr:GetAuthorizationToken'],
      resources: ['*'],
      because: 'A registry token belongs to no repository.',
    },
    {
      actions: [
        'ecr:BatchGetImage',
        'ecr:GetDownloadUrlForLayer',
        'ecr:BatchCheckLayerAvailability',
      ],
      resources: [repository],
      ...(image.from === 'dockerfile' && {
        because: 'The repository that "cdk bootstrap" made has a qualifier in its name.',
      }),
    },
  ];
}

function repositoryArn(image: Image): string | undefined {
  const arn = (region: string, account: string, name: string) =>
    `arn:${Aws.PARTITION}:ecr:${region}:${account}:repository/${name}`;
  if (image.from === 'dockerfile')
    return arn(Aws.REGION, Aws.ACCOUNT_ID, 'cdk-*-container-assets-*');
  const [, account, region, name] = ECR_URI.exec(image.uri) ?? [];
  return account && region && name ? arn(region, account, name) : undefined;
}
