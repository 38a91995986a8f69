import type { BlobInfo, BlobStore, ByteStream } from '../core/ports.ts';

/**
 * Puts objects in the order in which they are given, but behind the caller's back: compressing and
 * flushing to the disk go on while the next objects are made. A read of an object that is still to be
 * written waits for it. After a write that failed nothing more is written; `flush` after the last
 * throws what failed.
 *
 * A body must not be changed after it was given.
 */
export class WriteBehindStore implements BlobStore {
  private readonly store: BlobStore;
  private written: Promise<void> = Promise.resolve();
  private readonly pending = new Map<string, Promise<void>>();

  constructor(store: BlobStore) {
    this.store = store;
  }

  async put(key: string, body: Uint8Array | ByteStream, contentType?: string): Promise<void> {
    const writing = this.written.then(async () => {
      await this.store.put(key, body, contentType);
      if (this.pending.get(key) === writing) this.pending.delete(key);
    });
    // Thrown where it is awaited: by a read, or by `flush`.
    writing.catch(() => undefined);
    this.pending.set(key, writing);
    this.written = writing;
  }

  /** Waits for all that was put; throws what failed first. */
  flush(): Promise<void> {
    return this.written;
  }

  async *read(key: string): ByteStream {
    await this.pending.get(key);
    yield* this.store.read(key);
  }

  async get(key: string): Promise<Uint8Array> {
    await this.pending.get(key);
    return this.store.get(key);
  }

  async stat(key: string): Promise<BlobInfo | undefined> {
    await this.pending.get(key);
    return this.store.stat(key);
  }

  async *list(prefix: string): AsyncIterable<BlobInfo> {
    await this.flush();
    yield* this.store.list(prefix);
  }

  async remove(key: string): Promise<void> {
    await this.pending.get(key);
    await this.store.remove(key);
  }
}
