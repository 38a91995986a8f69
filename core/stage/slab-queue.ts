import type { RunKeys } from '../contract/keys.ts';
import {
  type SegmentedSlab,
  type SegmentManifest,
  type SegmentPorts,
  segmentSlab,
} from './segment.ts';

/** While one slab's outputs are made into masks, the next one's slices are in the graphs. */
const SLABS_AT_A_TIME = 2;

export interface SlabQueuePorts extends SegmentPorts {
  /** Aborted when the machine is taken away: slabs in work are finished, no other is begun. */
  readonly stop?: AbortSignal;
  readonly onSlab?: (slab: SegmentedSlab) => void;
  /** Counts slices of the whole case, when a slab is begun and when it is done. */
  readonly onProgress?: (slicesDone: number, slices: number) => void;
}

/** Segments slabs of a case in the order given, the first while the last are still being split. */
export class SlabQueue {
  /** How many were computed, and how many an earlier attempt had done. */
  readonly counts = { done: 0, skipped: 0 };
  private readonly keys: RunKeys;
  private readonly ports: SlabQueuePorts;
  private readonly segmented: Promise<void>[] = [];
  private slicesDone = 0;
  private stopped = false;
  private interrupted = false;

  constructor(keys: RunKeys, ports: SlabQueuePorts) {
    this.keys = keys;
    this.ports = ports;
  }

  add(manifest: SegmentManifest, slabIndex: number): void {
    const before = this.segmented.at(-SLABS_AT_A_TIME) ?? Promise.resolve();
    const segmented = before.then(() => this.segment(manifest, slabIndex));
    // Thrown by `done`: without this a failure meanwhile would count as unhandled.
    segmented.catch(() => undefined);
    this.segmented.push(segmented);
  }

  /** Waits for all that was added; throws what failed first. */
  async done(): Promise<'done' | 'interrupted'> {
    for (const segmented of this.segmented) await segmented;
    return this.interrupted ? 'interrupted' : 'done';
  }

  /** Begins nothing more, and waits for the slabs that are being segmented. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.allSettled(this.segmented);
  }

  private async segment(manifest: SegmentManifest, slabIndex: number): Promise<void> {
    const { keys, ports } = this;
    if (this.stopped || ports.stop?.aborted) {
      this.interrupted = true;
      return;
    }
    const { geometry, slabs } = manifest;
    ports.onProgress?.(this.slicesDone, geometry.grid.slices);
    const slab = await segmentSlab({ manifest, slabIndex, keys }, ports);
    this.counts[slab.reused ? 'skipped' : 'done'] += 1;
    this.slicesDone += slabs[slabIndex]!.slices;
    ports.onSlab?.(slab);
    ports.onProgress?.(this.slicesDone, geometry.grid.slices);
  }
}
