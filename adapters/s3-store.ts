import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { StorageError } from '../core/errors.ts';
import type { BlobInfo, BlobStore, ByteStream, RangedFile } from '../core/ports.ts';
import { wholeStream } from '../core/whole-stream.ts';
import {
  type Action,
  expectation,
  isConnectionError,
  isMissing,
  isRefusal,
  isServiceError,
  nameOf,
} from './s3-faults.ts';
import { type PageOfVersions, type StoredVersion, versionsOf } from './s3-versions.ts';

/** Multipart threshold and part size of streamed writes: 10 000 parts make 80 GB. */
const PART_BYTES = 8 * 2 ** 20;

export interface S3StoreOptions {
  readonly client: S3Client;
  readonly bucket: string;
  /** Prepended to every key; '' or a prefix that ends with `/`. */
  readonly prefix?: string;
}

/** One stored version of an object, being read. */
export interface OpenVersion {
  readonly body: ByteStream;
  readonly bytes: number;
  /** What whoever wrote it has said of it; names in lower case. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What is written with an object: at most 2 KB of metadata, in ASCII. */
type WrittenHeaders = Pick<PutObjectCommandInput, 'ContentType' | 'Metadata'>;

/** Stores objects in an S3 bucket. S3's own writes are atomic. */
export class S3Store implements BlobStore {
  private readonly client: S3Client;
  readonly bucket: string;
  private readonly prefix: string;

  constructor(options: S3StoreOptions) {
    this.client = options.client;
    this.bucket = options.bucket;
    this.prefix = options.prefix ?? '';
  }

  /** Another view of the bucket, whose keys begin below a prefix that ends with `/`. */
  below(prefix: string): S3Store {
    return new S3Store({
      client: this.client,
      bucket: this.bucket,
      prefix: this.prefix + prefix,
    });
  }

  async *read(key: string): ByteStream {
    yield* (await this.open(key)).body;
  }

  /** Opens an object, or the given version of it, for streaming. */
  async open(key: string, versionId?: string): Promise<OpenVersion> {
    const answer = await this.attempt(key, 'read', () =>
      this.client.send(
        new GetObjectCommand({
          ...this.target(key),
          ...(versionId === undefined ? {} : { VersionId: versionId }),
        }),
      ),
    );
    return {
      body: this.chunks(
        key,
        answer.Body as unknown as AsyncIterable<Uint8Array>,
        answer.ContentLength,
      ),
      bytes: answer.ContentLength ?? 0,
      metadata: answer.Metadata ?? {},
    };
  }

  /**
   * One version of an object, of which any part can be read.
   *
   * @param name what readers call it, by which errors name it: a key may be a patient's
   */
  ranged(
    { key, versionId, bytes }: { key: string; versionId: string; bytes: number },
    name: string,
  ): RangedFile {
    return { name, bytes, read: (from, to) => this.range(key, versionId, from, to) };
  }

  private async range(key: string, versionId: string, from: number, to: number) {
    if (to <= from) return new Uint8Array(0);
    const request = { ...this.target(key), VersionId: versionId, Range: `bytes=${from}-${to - 1}` };
    const { Body, ContentLength } = await this.attempt(key, 'read', () =>
      this.client.send(new GetObjectCommand(request)),
    );
    const body = Body as unknown as AsyncIterable<Uint8Array>;
    return wholeStream(this.chunks(key, body, ContentLength));
  }

  async get(key: string): Promise<Uint8Array> {
    return wholeStream(this.read(key));
  }

  /**
   * An address with which whoever has it may read the object (or the given version of it) until the
   * time is over, or the credentials that signed it end, whichever comes first.
   */
  async presign(key: string, seconds: number, versionId?: string): Promise<string> {
    const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
    const version = versionId === undefined ? {} : { VersionId: versionId };
    const command = new GetObjectCommand({ ...this.target(key), ...version });
    return getSignedUrl(this.client, command, { expiresIn: seconds });
  }

  async stat(key: string): Promise<BlobInfo | undefined> {
    try {
      const head = await this.client.send(new HeadObjectCommand(this.target(key)));
      return {
        key,
        bytes: head.ContentLength ?? 0,
        version: head.VersionId ?? head.ETag ?? 'unversioned',
      };
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      throw this.error(key, 'read', cause);
    }
  }

  async put(key: string, body: Uint8Array | ByteStream, contentType?: string): Promise<void> {
    await this.putVersion(key, body, contentType === undefined ? {} : { ContentType: contentType });
  }

  /** Writes, and returns S3's id of the version; empty in a bucket that keeps none. */
  async putVersion(
    key: string,
    body: Uint8Array | ByteStream,
    headers: WrittenHeaders = {},
  ): Promise<string> {
    const written = await this.attempt(key, 'write', () =>
      body instanceof Uint8Array
        ? this.client.send(new PutObjectCommand({ ...this.target(key), ...headers, Body: body }))
        : this.putStream(key, body, headers),
    );
    return written.VersionId ?? '';
  }

  /**
   * Writes only where there is nothing yet, or (with `replaces`, an ETag) only over exactly that
   * content. Returns the new ETag, or undefined where another writer was first.
   */
  async putIf(key: string, body: Uint8Array, replaces?: string): Promise<string | undefined> {
    try {
      const { ETag } = await this.client.send(
        new PutObjectCommand({
          ...this.target(key),
          ContentType: 'application/json',
          Body: body,
          ...(replaces === undefined ? { IfNoneMatch: '*' } : { IfMatch: replaces }),
        }),
      );
      return ETag ?? '';
    } catch (cause) {
      if (['PreconditionFailed', 'ConditionalRequestConflict'].includes(nameOf(cause)))
        return undefined;
      throw this.error(key, 'write', cause);
    }
  }

  /** A small object with its ETag, for `putIf`; undefined where there is none. */
  async getTagged(key: string): Promise<{ body: Uint8Array; etag: string } | undefined> {
    try {
      const answer = await this.client.send(new GetObjectCommand(this.target(key)));
      const body = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
      if (answer.ContentLength !== undefined && body.length < answer.ContentLength)
        throw this.failed(key, 'read', `${body.length} of ${answer.ContentLength} bytes`);
      return { body, etag: answer.ETag ?? '' };
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      throw this.error(key, 'read', cause);
    }
  }

  async *list(prefix: string): AsyncIterable<BlobInfo> {
    let token: string | undefined;
    do {
      const page = await this.attempt(prefix, 'list', () =>
        this.client.send(
          new ListObjectsV2Command({
            Bucket: this.bucket,
            Prefix: this.prefix + prefix,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        ),
      );
      for (const entry of page.Contents ?? [])
        yield {
          key: (entry.Key ?? '').slice(this.prefix.length),
          bytes: entry.Size ?? 0,
          version: entry.ETag ?? 'unversioned',
        };
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async remove(key: string): Promise<void> {
    await this.attempt(key, 'remove', () =>
      this.client.send(new DeleteObjectCommand(this.target(key))),
    );
  }

  /** All that versioning keeps below a prefix, delete markers included; in the order of keys. */
  listVersions(prefix: string): AsyncIterable<StoredVersion> {
    const below = { Bucket: this.bucket, Prefix: this.prefix + prefix };
    const page = (from: PageOfVersions) =>
      this.attempt(prefix, 'list', () =>
        this.client.send(new ListObjectVersionsCommand({ ...below, ...from })),
      );
    return versionsOf(page, this.prefix.length);
  }

  /** Removes one version (or delete marker) for good. */
  async removeVersion(key: string, versionId: string): Promise<void> {
    await this.attempt(key, 'remove', () =>
      this.client.send(new DeleteObjectCommand({ ...this.target(key), VersionId: versionId })),
    );
  }

  private target(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.prefix + key };
  }

  /** A stream of unknown length goes up in parts; S3 shows the object when all have arrived. */
  private async putStream(key: string, body: ByteStream, headers: WrittenHeaders) {
    const [{ Readable }, { Upload }] = await Promise.all([
      import('node:stream'),
      import('@aws-sdk/lib-storage'),
    ]);
    return new Upload({
      client: this.client,
      params: { ...this.target(key), ...headers, Body: Readable.from(body, { objectMode: false }) },
      partSize: PART_BYTES,
      queueSize: 2,
      // A rule of the bucket removes unfinished uploads; taking them back is one more permission.
      leavePartsOnError: true,
    }).done();
  }

  /** A body may break off with an error, or end early without one. */
  private async *chunks(
    key: string,
    body: AsyncIterable<Uint8Array>,
    expectedBytes: number | undefined,
  ): ByteStream {
    let bytes = 0;
    try {
      for await (const chunk of body) {
        bytes += chunk.length;
        yield chunk;
      }
    } catch (cause) {
      throw this.error(key, 'read', cause);
    }
    if (expectedBytes !== undefined && bytes < expectedBytes)
      throw this.failed(key, 'read', `${bytes} of ${expectedBytes} bytes`);
  }

  private async attempt<T>(key: string, action: Action, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      throw this.error(key, action, cause);
    }
  }

  private error(key: string, action: Action, cause: unknown): Error {
    if (isConnectionError(cause)) return this.failed(key, action, 'a broken connection', cause);
    // An error that is neither S3's nor the network's comes from the stream being written: it says more as it is.
    if (!isServiceError(cause)) return cause as Error;
    const missing = isMissing(cause);
    if (!missing && !isRefusal(cause))
      return this.failed(key, action, `the answer ${nameOf(cause)}`, cause);
    return new StorageError(
      {
        code: missing ? 'blob-missing' : 'no-permission',
        subject: this.subject(key),
        expected: expectation(action),
        found: missing ? 'none' : `the answer ${nameOf(cause)}`,
        remedy: missing
          ? 'Check the key.'
          : 'Check the permissions of the role and of the KMS key.',
      },
      { cause },
    );
  }

  /** What another attempt may find otherwise. */
  private failed(key: string, action: Action, found: string, cause?: unknown): StorageError {
    return new StorageError(
      {
        code: 'storage-failed',
        subject: this.subject(key),
        expected: expectation(action),
        found,
        remedy: 'Try again; see the state of S3 in this region.',
      },
      { cause },
    );
  }

  private subject(key: string): string {
    return `s3://${this.bucket}/${this.prefix}${key}`;
  }
}
