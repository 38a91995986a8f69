import type { RunKeys } from '../core/contract/keys.ts';
import type { BlobStore } from '../core/ports.ts';
import { type SegmentManifest, segmentSlab } from '../core/stage/segment.ts';
import type { LocalRun } from './local.ts';

/** While one slab's outputs are made into masks, the next one's slices are in the graphs. */
const SLABS_AT_A_TIME = 2;

/** Segments the slabs of a case in their order, the first while the last are still being split. */
export class SlabQueue {
  private readonly run: LocalRun;
  private readonly keys: RunKeys;
  private readonly store: BlobStore;
  private readonly segmented: Promise<void>[] = [];
  private slicesDone = 0;
  private stopped = false;

  constructor(run: LocalRun, keys: RunKeys, store: BlobStore) {
    this.run = run;
    this.keys = keys;
    this.store = store;
  }

  add(manifest: SegmentManifest, slabIndex: number): void {
    const before = this.segmented.at(-SLABS_AT_A_TIME) ?? Promise.resolve();
    const segmented = before.then(() => this.segment(manifest, slabIndex));
    // Thrown by `done`: without this a failure meanwhile would count as unhandled.
    segmented.catch(() => undefined);
    this.segmented.push(segmented);
  }

  /** Waits for all that was added; throws what failed first. */
  async done(): Promise<void> {
    for (const segmented of this.segmented) await segmented;
  }

  /** Begins nothing more, and waits for the slabs that are being segmented. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.allSettled(this.segmented);
  }

  private async segment(manifest: SegmentManifest, slabIndex: number): Promise<void> {
    if (this.stopped) return;
    const { bundle, runtime, progress } = this.run;
    const { infer, backend } = await runtime;
    // Loaded while the graphs run: the drawing library takes longer to load than to draw.
    import('../core/report/render.ts').catch(() => undefined);
    const { geometry, slabs } = manifest;
    progress.update(this.slicesDone, geometry.grid.slices);
    await segmentSlab(
      { manifest, slabIndex, bundle: bundle.manifest, keys: this.keys },
      { store: this.store, infer, backend },
    );
    this.slicesDone += slabs[slabIndex]!.slices;
    progress.update(this.slicesDone, geometry.grid.slices);
  }
}
