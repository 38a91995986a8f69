import type { Log } from '../../adapters/log.ts';
import type { RunKeys } from '../../core/contract/keys.ts';
import type { CaseManifest } from '../../core/contract/manifest.ts';
import type { BlobStore } from '../../core/ports.ts';
import { finishedSlab, segmentSlab } from '../../core/stage/segment.ts';
import type { JobModel } from './job-model.ts';
import { ReadAheadStore } from './read-ahead.ts';

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
