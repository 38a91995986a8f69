import type { ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3';

/** One version of an object, or a delete marker over the versions before it. */
export interface StoredVersion {
  readonly key: string;
  readonly versionId: string;
  /** 0 of a delete marker. */
  readonly bytes: number;
  readonly isDeleteMarker: boolean;
  readonly isLatest: boolean;
  /** ISO 8601, UTC. */
  readonly modifiedAt: string;
}

/** Where a page of a listing begins. */
export interface PageOfVersions {
  readonly KeyMarker?: string | undefined;
  readonly VersionIdMarker?: string | undefined;
}

/** Goes through all pages; versions and delete markers of a page come one kind after the other. */
export async function* versionsOf(
  page: (from: PageOfVersions) => Promise<ListObjectVersionsCommandOutput>,
  prefixLength: number,
): AsyncIterable<StoredVersion> {
  for (let from: PageOfVersions | undefined = {}; from; ) {
    const found: ListObjectVersionsCommandOutput = await page(from);
    const stored = (
      { Key, VersionId, LastModified, IsLatest }: NonNullable<typeof found.DeleteMarkers>[number],
      bytes: number | undefined,
    ): StoredVersion => ({
      key: (Key ?? '').slice(prefixLength),
      versionId: VersionId ?? 'null',
      bytes: bytes ?? 0,
      isDeleteMarker: bytes === undefined,
      isLatest: IsLatest ?? false,
      modifiedAt: (LastModified ?? new Date(0)).toISOString(),
    });
    for (const one of found.Versions ?? []) yield stored(one, one.Size ?? 0);
    for (const one of found.DeleteMarkers ?? []) yield stored(one, undefined);
    from = found.IsTruncated
      ? { KeyMarker: found.NextKeyMarker, VersionIdMarker: found.NextVersionIdMarker }
      : undefined;
  }
}
