import type { RunKeys } from '../contract/keys.ts';
import {
  type SegmentedSlab,
  type SegmentManifest,
  type SegmentPorts,
  segmentSlab,
} from './segment.ts';

/** While one slab's outputs are made into masks, the next one's slices are in the graphs. */
const SLABS_AT_A_TIME = 2;

export interface SliceProgress {
  readonly slices: number;
  readonly done: number;
  /** Of those that are done: by an earlier attempt. */
  readonly kept: number;
}

export interface SlabQueuePorts extends Omit<SegmentPorts, 'onSlices'> {
  /** Aborted when the machine is taken away: slabs in work are finished, no other is begun. */
  readonly stop?: AbortSignal;
  readonly onSlab?: (slab: SegmentedSlab) => void;
  /** How far the whole case has come, a few slices at a time. */
  readonly onProgress?: (progress: SliceProgress) => void;
}

/** Segments slabs of a case in the order given, the first while the last are still being split. */
export class SlabQueue {
  /** How many were computed, and how many an earlier attempt had done. */
  readonly counts = { done: 0, skipped: 0 };
  private readonly keys: RunKeys;
  private readonly ports: SlabQueuePorts;
  private readonly segmented: Promise<void>[] = [];
  private slicesDone = 0;
  private slicesKept = 0;
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
    const { slices } = manifest.geometry.grid;
    const advance = (count: number): void => {
      this.slicesDone += count;
      ports.onProgress?.({ slices, done: this.slicesDone, kept: this.slicesKept });
    };
    const slab = await segmentSlab({ manifest, slabIndex, keys }, { ...ports, onSlices: advance });
    this.counts[slab.reused ? 'skipped' : 'done'] += 1;
    ports.onSlab?.(slab);
    if (!slab.reused) return;
    this.slicesKept += slab.records.slices.length;
    advance(slab.records.slices.length);
  }
}
