import type { RunKeys } from '../core/contract/keys.ts';
import type { BlobStore } from '../core/ports.ts';
import { type SegmentManifest, segmentSlab } from '../core/stage/segment.ts';
import type { LocalRun } from './local.ts';

/** Segments the slabs of a case one after the other, the first while the last are still being split. */
export class SlabQueue {
  private readonly run: LocalRun;
  private readonly keys: RunKeys;
  private readonly store: BlobStore;
  private segmented: Promise<void> = Promise.resolve();
  private slicesDone = 0;
  private stopped = false;

  constructor(run: LocalRun, keys: RunKeys, store: BlobStore) {
    this.run = run;
    this.keys = keys;
    this.store = store;
  }

  add(manifest: SegmentManifest, slabIndex: number): void {
    this.segmented = this.segmented.then(() => this.segment(manifest, slabIndex));
    // Thrown by `done`: without this a failure meanwhile would count as unhandled.
    this.segmented.catch(() => undefined);
  }

  /** Waits for all that was added; throws what failed first. */
  done(): Promise<void> {
    return this.segmented;
  }

  /** Begins nothing more, and waits for the slab that is being segmented. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.segmented.catch(() => undefined);
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
