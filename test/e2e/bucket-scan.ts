import { GetObjectCommand, ListObjectVersionsCommand, type S3Client } from '@aws-sdk/client-s3';
import { createS3Client } from '../../adapters/aws-clients.ts';
import { readings } from '../support/planted.ts';

/** A version of an object, or a delete marker. */
export interface Version {
  readonly Key: string;
  readonly VersionId: string;
  readonly isDeleteMarker: boolean;
}

/** All that a bucket keeps, by the service's own listing, not by ours. */
export async function versionsIn(
  bucket: string,
  client: S3Client = createS3Client(),
): Promise<Version[]> {
  const found: Version[] = [];
  for (let from: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {}; from; ) {
    const page: Awaited<ReturnType<typeof list>> = await list(client, bucket, from);
    for (const one of page.Versions ?? []) found.push({ ...named(one), isDeleteMarker: false });
    for (const one of page.DeleteMarkers ?? []) found.push({ ...named(one), isDeleteMarker: true });
    from = page.IsTruncated
      ? { KeyMarker: page.NextKeyMarker!, VersionIdMarker: page.NextVersionIdMarker! }
      : undefined;
  }
  return found;
}

const list = (client: S3Client, Bucket: string, from: object) =>
  client.send(new ListObjectVersionsCommand({ Bucket, ...from }));

const named = ({ Key = '', VersionId = '' }: { Key?: string; VersionId?: string }) => ({
  Key,
  VersionId,
});

/** Keys of the versions in whose content the text can be read, unpacked where they are packed. */
export async function holding(
  bucket: string,
  versions: readonly Version[],
  text: string,
): Promise<string[]> {
  const client = createS3Client();
  const found: string[] = [];
  for (const { Key, VersionId, isDeleteMarker } of versions) {
    if (isDeleteMarker) continue;
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key, VersionId }));
    const bytes = await Body!.transformToByteArray();
    if (readings(Key, bytes).some((one) => one.includes(text))) found.push(Key);
  }
  return found;
}
