import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { S3Store } from '../../adapters/s3-store.ts';

interface Version {
  readonly id: string;
  readonly etag: string;
  readonly body: Uint8Array | null;
}

/** A versioned bucket behind the real client's commands: what S3 documents, held in memory. */
export class MemoryBucket {
  readonly client = new S3Client({
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  readonly store = new S3Store({ client: this.client, bucket: 'bucket' });
  private readonly mock = mockClient(this.client);
  private readonly objects = new Map<string, Version[]>();
  private writes = 0;

  constructor() {
    this.mock.on(GetObjectCommand).callsFake((input) => this.get(input));
    this.mock.on(HeadObjectCommand).callsFake((input) => this.head(input));
    this.mock.on(PutObjectCommand).callsFake((input) => this.put(input));
    this.mock.on(DeleteObjectCommand).callsFake((input) => this.add(input.Key, null));
    this.mock.on(ListObjectsV2Command).callsFake((input) => this.list(input));
  }

  /** Requests since the last call. */
  requests(): string[] {
    const names = this.mock.calls().map((call) => call.args[0].constructor.name);
    this.mock.resetHistory();
    return names;
  }

  below = (prefix: string): S3Store =>
    new S3Store({ client: this.client, bucket: 'bucket', prefix });

  versionOf(key: string): string {
    return this.newest(key).id;
  }

  /** Removes a version for good, as a lifecycle rule does. */
  forget(key: string, id: string): void {
    this.objects.set(
      key,
      (this.objects.get(key) ?? []).filter((version) => version.id !== id),
    );
  }

  keys(prefix = ''): string[] {
    return [...this.objects]
      .filter(([key, versions]) => key.startsWith(prefix) && versions.at(-1)?.body)
      .map(([key]) => key)
      .sort();
  }

  private newest(key: string, versionId?: string): Version & { body: Uint8Array } {
    const versions = this.objects.get(key) ?? [];
    const found = versionId ? versions.find(({ id }) => id === versionId) : versions.at(-1);
    if (!found?.body) throw failure(versionId ? 'NoSuchVersion' : 'NoSuchKey', 404);
    return { ...found, body: found.body };
  }

  private get({ Key, VersionId }: { Key: string; VersionId?: string }) {
    const { body, etag, id } = this.newest(Key, VersionId);
    const stream = Object.assign(Readable.from([Buffer.from(body)]), {
      transformToByteArray: async () => body,
    });
    return { Body: stream, ContentLength: body.length, ETag: etag, VersionId: id };
  }

  private head({ Key, VersionId }: { Key: string; VersionId?: string }) {
    const { body, etag, id } = this.newest(Key, VersionId);
    return { ContentLength: body.length, ETag: etag, VersionId: id };
  }

  private async put(input: {
    Key: string;
    Body: Uint8Array | Readable;
    IfMatch?: string;
    IfNoneMatch?: string;
  }) {
    const body = await toBytes(input.Body);
    const current = this.objects.get(input.Key)?.at(-1);
    if (input.IfNoneMatch === '*' && current?.body) throw failure('PreconditionFailed', 412);
    if (input.IfMatch !== undefined && current?.etag !== input.IfMatch)
      throw failure('PreconditionFailed', 412);
    return this.add(input.Key, body);
  }

  private add(key: string, body: Uint8Array | null) {
    this.writes += 1;
    const etag = body ? `"${createHash('md5').update(body).digest('hex')}"` : '';
    const version = { id: `v${this.writes}`, etag, body };
    this.objects.set(key, [...(this.objects.get(key) ?? []), version]);
    return { ETag: etag, VersionId: version.id };
  }

  private list({ Prefix, ContinuationToken }: { Prefix: string; ContinuationToken?: string }) {
    // Two a page, so that a listing of three has to go on.
    const first = Number(ContinuationToken ?? 0);
    const keys = this.keys(Prefix);
    const Contents = keys.slice(first, first + 2).map((Key) => {
      const { body, etag } = this.newest(Key);
      return { Key, Size: body.length, ETag: etag };
    });
    const more = first + 2 < keys.length;
    return { Contents, ...(more ? { NextContinuationToken: String(first + 2) } : {}) };
  }
}

const failure = (name: string, status: number): S3ServiceException =>
  new S3ServiceException({
    name,
    message: name,
    $fault: 'client',
    $metadata: { httpStatusCode: status },
  });

async function toBytes(body: Uint8Array | Readable): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return Uint8Array.from(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
