import { siteContext } from '../site/context.ts';
import { DicomEnv } from '../site/contract/env.ts';
import { eachMessage } from './each-message.ts';

const context = siteContext('dicom', DicomEnv);

/** Uploads of DICOM, from their queue. */
export const handler = eachMessage(
  async (event) => {
    if (event.source !== 'aws.s3') return;
    const { ingestDicomUpload } = await import('../site/dicom/ingest.ts');
    await ingestDicomUpload(event, context());
  },
  () => context().log,
);
