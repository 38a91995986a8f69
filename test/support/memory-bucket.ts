import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { S3Store } from '../../adapters/s3-store.ts';

interface Version {
  readonly id: string;
  readonly etag: string;
  /** Null of a delete marker. */
  readonly body: Uint8Array | null;
  readonly at: Date;
  readonly metadata: Readonly<Record<string, string>>;
}

interface GetInput {
  readonly Key: string;
  readonly VersionId?: string;
  readonly Range?: string;
}

interface PutInput {
  readonly Key: string;
  readonly Body: Uint8Array | Readable;
  readonly Metadata?: Readonly<Record<string, string>>;
  readonly IfMatch?: string;
  readonly IfNoneMatch?: string;
}

interface ListInput {
  readonly Prefix: string;
  readonly ContinuationToken?: string;
  readonly KeyMarker?: string;
}

/** A versioned bucket behind the real client's commands: what S3 documents, held in memory. */
export class MemoryBucket {
  readonly client = new S3Client({
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  readonly store = new S3Store({ client: this.client, bucket: 'bucket' });
  private readonly objects = new Map<string, Version[]>();
  /** Called before an object is written, with its key. */
  onPut: ((key: string) => Promise<void>) | undefined;
  /** Called before an object is read, with its key. */
  onGet: ((key: string) => void) | undefined;
  private writes = 0;
  private seen: string[] = [];

  constructor() {
    buckets.set(this.client, this);
  }

  /** From now on every client that is nobody's own, whoever makes it, has this bucket. */
  answerAll(): void {
    everyonesBucket = this;
  }

  /** Another bucket with the same objects and versions. */
  copy(): MemoryBucket {
    const other = new MemoryBucket();
    for (const [key, versions] of this.objects) other.objects.set(key, [...versions]);
    other.writes = this.writes;
    return other;
  }

  /** What S3 answers to a request. */
  answer = {
    GetObject: (input: GetInput) => this.get(input),
    HeadObject: (input: GetInput) => this.head(input),
    PutObject: (input: PutInput) => this.put(input),
    DeleteObject: ({ Key, VersionId }: GetInput) =>
      VersionId === undefined ? this.add(Key, null) : this.forget(Key, VersionId),
    ListObjectVersions: (input: ListInput) => this.listVersions(input),
    ListObjectsV2: (input: ListInput) => this.list(input),
  } as const;

  note(request: string): void {
    this.seen.push(request);
  }

  /** Requests since the last call. */
  requests(): string[] {
    return this.seen.splice(0);
  }

  below = (prefix: string): S3Store =>
    new S3Store({ client: this.client, bucket: 'bucket', prefix });

  versionOf(key: string): string {
    return this.newest(key).id;
  }

  bytesOf(key: string): number {
    return this.newest(key).body.length;
  }

  /** Removes a version for good, as a lifecycle rule does. */
  forget(key: string, id: string): void {
    this.objects.set(
      key,
      (this.objects.get(key) ?? []).filter((version) => version.id !== id),
    );
  }

  /** Keys of which there is any version or delete marker. */
  everyKey(): string[] {
    return [...this.objects].flatMap(([key, versions]) => (versions.length > 0 ? [key] : []));
  }

  /** The content of every version of every object. */
  everything(): { readonly key: string; readonly body: Uint8Array }[] {
    return [...this.objects].flatMap(([key, versions]) =>
      versions.flatMap(({ body }) => (body ? [{ key, body }] : [])),
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
    if (!found?.body) throw serviceFailure(versionId ? 'NoSuchVersion' : 'NoSuchKey', 404);
    return { ...found, body: found.body };
  }

  private get({ Key, VersionId, Range }: GetInput) {
    this.onGet?.(Key);
    const { body: whole, etag, id, metadata } = this.newest(Key, VersionId);
    const body = Range === undefined ? whole : partOf(whole, Range);
    const stream = Object.assign(Readable.from([Buffer.from(body)]), {
      transformToByteArray: async () => body,
    });
    return {
      Body: stream,
      ContentLength: body.length,
      ETag: etag,
      VersionId: id,
      Metadata: metadata,
    };
  }

  private head({ Key, VersionId }: GetInput) {
    const { body, etag, id } = this.newest(Key, VersionId);
    return { ContentLength: body.length, ETag: etag, VersionId: id };
  }

  private async put(input: PutInput) {
    const body = await toBytes(input.Body);
    await this.onPut?.(input.Key);
    const current = this.objects.get(input.Key)?.at(-1);
    if (input.IfNoneMatch === '*' && current?.body) throw serviceFailure('PreconditionFailed', 412);
    if (input.IfMatch !== undefined && current?.etag !== input.IfMatch)
      throw serviceFailure('PreconditionFailed', 412);
    return this.add(input.Key, body, input.Metadata);
  }

  private add(
    key: string,
    body: Uint8Array | null,
    metadata: Readonly<Record<string, string>> = {},
  ) {
    this.writes += 1;
    const etag = body ? `"${createHash('md5').update(body).digest('hex')}"` : '';
    const version = { id: `v${this.writes}`, etag, body, at: new Date(), metadata };
    this.objects.set(key, [...(this.objects.get(key) ?? []), version]);
    return { ETag: etag, VersionId: version.id };
  }

  private list({ Prefix, ContinuationToken }: ListInput) {
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

  private listVersions({ Prefix, KeyMarker }: ListInput) {
    const keys = this.everyKey()
      .filter((key) => key.startsWith(Prefix) && key > (KeyMarker ?? ''))
      .sort();
    // Two keys a page.
    const page = keys.slice(0, 2).flatMap((Key) => {
      const versions = this.objects.get(Key)!.toReversed();
      return versions.map(({ id, body, at }, age) => ({
        Key,
        VersionId: id,
        Size: body?.length,
        IsLatest: age === 0,
        LastModified: at,
      }));
    });
    return {
      Versions: page.filter(({ Size }) => Size !== undefined),
      DeleteMarkers: page.filter(({ Size }) => Size === undefined),
      ...(keys.length > 2 ? { IsTruncated: true, NextKeyMarker: keys[1] } : {}),
    };
  }
}

/** The last byte is included; what begins behind the end is an error. */
function partOf(whole: Uint8Array, range: string): Uint8Array {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range)!;
  if (Number(from) >= whole.length) throw serviceFailure('InvalidRange', 416);
  return whole.subarray(Number(from), Number(to) + 1);
}

const buckets = new WeakMap<object, MemoryBucket>();
let everyonesBucket: MemoryBucket | undefined;

const COMMANDS = {
  GetObject: GetObjectCommand,
  HeadObject: HeadObjectCommand,
  PutObject: PutObjectCommand,
  DeleteObject: DeleteObjectCommand,
  ListObjectsV2: ListObjectsV2Command,
  ListObjectVersions: ListObjectVersionsCommand,
} as const;

// The class and not each client: a second mock of a client would undo that of the class.
const mock = mockClient(S3Client);
for (const [name, command] of Object.entries(COMMANDS) as [
  keyof typeof COMMANDS,
  typeof GetObjectCommand,
][])
  mock.on(command).callsFake((input, client) => {
    const bucket = buckets.get(client()) ?? everyonesBucket;
    if (!bucket) throw new Error('no bucket in memory answers this client');
    bucket.note(name);
    return bucket.answer[name](input);
  });

/** An answer of S3 that is none. */
export const serviceFailure = (name: string, status: number): S3ServiceException =>
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
