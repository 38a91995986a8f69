import type { BlobInfo, BlobStore, ByteStream } from '../../core/ports.ts';

/** A store whose next objects can be fetched while the GPU is busy with the last ones. */
export class ReadAheadStore implements BlobStore {
  private readonly inner: BlobStore;
  private readonly fetching = new Map<string, Promise<Uint8Array>>();

  constructor(inner: BlobStore) {
    this.inner = inner;
  }

  /** Starts fetching; a failure shows when the object is asked for. */
  prefetch(key: string): void {
    const bytes = this.inner.get(key);
    bytes.catch(() => undefined);
    this.fetching.set(key, bytes);
  }

  async get(key: string): Promise<Uint8Array> {
    const bytes = this.fetching.get(key) ?? this.inner.get(key);
    this.fetching.delete(key);
    return bytes;
  }

  read(key: string): ByteStream {
    return this.inner.read(key);
  }

  stat(key: string): Promise<BlobInfo | undefined> {
    return this.inner.stat(key);
  }

  put(key: string, body: Uint8Array | ByteStream, contentType?: string): Promise<void> {
    return this.inner.put(key, body, contentType);
  }

  list(prefix: string): AsyncIterable<BlobInfo> {
    return this.inner.list(prefix);
  }

  remove(key: string): Promise<void> {
    return this.inner.remove(key);
  }
}
