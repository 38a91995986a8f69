import type { Log } from '../../adapters/log.ts';
import type { RunKeys } from '../../core/contract/keys.ts';
import type { CaseManifest } from '../../core/contract/manifest.ts';
import type { BlobInfo, BlobStore, ByteStream } from '../../core/ports.ts';
import { finishedSlab, segmentSlab } from '../../core/stage/segment.ts';
import type { JobModel } from './job-model.ts';

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

export interface SlabPorts {
  readonly store: BlobStore;
  readonly log: Log;
  /** Aborted when the instance is taken away: the slab in work is finished, the next not begun. */
  readonly stop: AbortSignal;
}

/** Those of the given slabs that no earlier attempt has finished. */
export async function openSlabs(
  slabs: readonly number[],
  keys: RunKeys,
  store: BlobStore,
): Promise<number[]> {
  const open: number[] = [];
  for (const index of slabs) if (!(await finishedSlab(keys, index, store))) open.push(index);
  return open;
}

/** Segments slabs one after the other, reading the next meanwhile. Returns how many were done. */
export async function segmentSlabs(
  slabs: readonly number[],
  { manifest, keys }: { readonly manifest: CaseManifest; readonly keys: RunKeys },
  model: JobModel,
  { store, log, stop }: SlabPorts,
): Promise<number> {
  if (slabs.length === 0) return 0;
  const bundle = await model.openBundle();
  const { infer, backend } = await model.openRuntime();
  const ahead = new ReadAheadStore(store);
  let done = 0;
  for (const [at, index] of slabs.entries()) {
    if (stop.aborted) break;
    const next = slabs[at + 1];
    const segmented = segmentSlab(
      { manifest, slabIndex: index, bundle: bundle.manifest, keys },
      { store: ahead, infer, backend },
    );
    if (next !== undefined) ahead.prefetch(keys.slab(next));
    const { seconds, slices } = await segmented;
    done += 1;
    log.info('slab', { index, slices: slices.length, seconds: seconds.total });
  }
  return done;
}
