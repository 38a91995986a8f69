import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Duration } from 'aws-cdk-lib';
import { MachineImage, MultipartBody, MultipartUserData, UserData } from 'aws-cdk-lib/aws-ec2';

/** Where an instance describes itself; mounted into the jobs. */
export const MACHINE_FOLDER = '/etc/sammix';

/** ECS's own list of its newest machine images; CloudFormation reads it at every deployment. */
const NEWEST_IMAGE = '/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id';

/**
 * The newest GPU image of ECS (driver, agent, kernel). Batch never replaces the image of an environment
 * by itself: that its id is looked up at every deployment is what brings patches to the instances.
 */
export const newestGpuImage = () => MachineImage.fromSsmParameter(NEWEST_IMAGE);

/** Batch wants the parts of a MIME archive. */
export function startScript(): MultipartUserData {
  const script = readFileSync(path.join(import.meta.dirname, 'instance-start.sh'), 'utf8');
  const userData = new MultipartUserData();
  userData.addPart(MultipartBody.fromUserData(UserData.custom(script)));
  return userData;
}

/** Of a volume that holds images of up to 9 GB: with the default of 125 MB/s a cold pull takes minutes. */
export const ROOT_VOLUME = { gib: 100, mibPerSecond: 400 } as const;

/** Running jobs end before their instance is replaced by an update: Batch waits for 6 hours at most. */
export const LONGEST_UPDATE = Duration.hours(6);
