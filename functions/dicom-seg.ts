import { siteContext } from '../site/context.ts';
import { DicomSegEnv } from '../site/contract/env.ts';
import { eachMessageOf } from './each-message.ts';

const context = siteContext('dicom-seg', DicomSegEnv);

/** Cases that have a newest run, from the queue of what is written as DICOM. */
export const handler = eachMessageOf(
  async () => (await import('../site/contract/events.ts')).ObjectCreated,
)(
  async (event) => {
    const { segmentationOfNewest } = await import('../site/dicom/segmentation.ts');
    await segmentationOfNewest(event, context());
  },
  () => context().log,
);
