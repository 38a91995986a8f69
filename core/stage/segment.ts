import type { BundleManifest } from '../contract/bundle.ts';
import type { RunKeys } from '../contract/keys.ts';
import { type Backend, type CaseManifest, SlabRecords } from '../contract/manifest.ts';
import { putJson, usableJson } from '../json.ts';
import type { BlobStore, GraphRole, Infer } from '../ports.ts';
import { NativeGridMapper } from '../slice/native.ts';
import { segmentSlices } from '../slice/segment-slices.ts';
import {
  decodeImages,
  encodeMasks,
  encodeProbabilities,
  type SliceMasks,
} from '../slice/slab-codec.ts';

/** What segmenting needs to know of a case: known before all of it is split. */
export type SegmentManifest = Pick<CaseManifest, 'run' | 'geometry' | 'letterbox' | 'slabs'>;

export interface SegmentInput {
  readonly manifest: SegmentManifest;
  readonly slabIndex: number;
  readonly keys: RunKeys;
}

/** An opened bundle: what it says of itself, and its graphs. */
export interface SlabModel {
  readonly manifest: BundleManifest;
  readonly infer: Infer;
  /** Named in the report. */
  readonly backend: Backend;
}

export interface SegmentPorts {
  readonly store: BlobStore;
  /** Asked for by a slab that is not done yet: where all are, no graph is loaded. */
  readonly model: () => SlabModel | Promise<SlabModel>;
  /** Told of slices as they are computed, a few at a time. */
  readonly onSlices?: (count: number) => void;
}

export interface SegmentedSlab {
  readonly records: SlabRecords;
  /** True where an earlier attempt had done it and nothing was computed. */
  readonly reused: boolean;
}

/**
 * Runs the method on one slab and writes its masks and records. The records are written last, so a
 * slab with records is done: running it again (a spot reclaim, a duplicate event) changes nothing.
 */
export async function segmentSlab(
  input: SegmentInput,
  ports: SegmentPorts,
): Promise<SegmentedSlab> {
  const done = await finishedSlab(input.keys, input.slabIndex, ports.store);
  if (done) return { records: done, reused: true };
  const model = await ports.model();
  return { records: await computeSlab(input, ports, model), reused: false };
}

async function computeSlab(
  { manifest, slabIndex, keys }: SegmentInput,
  { store, onSlices }: SegmentPorts,
  model: SlabModel,
): Promise<SlabRecords> {
  const slab = manifest.slabs[slabIndex]!;
  const startedMs = performance.now();
  const { infer, seconds } = timed(model.infer);
  const images = decodeImages(await store.get(keys.slab(slab.index)));
  const { rows, columns } = manifest.geometry.grid;
  const native = new NativeGridMapper(manifest.letterbox, rows, columns);
  const { probabilityMap = false } = manifest.run.parameters;
  const bundle = atThreshold(model.manifest, manifest.run.parameters);
  const slices = await segmentSlices(images, slab.firstSlice, bundle, native, infer, {
    keepProbabilities: probabilityMap,
    onSlices,
  });

  const masks = slices.flatMap(({ mask, cam }): SliceMasks[] =>
    mask && cam ? [{ mask, cam: cam.mask }] : [],
  );
  const activations = slices.map((slice) => slice.activation);
  await store.put(keys.slabMasks(slab.index), encodeMasks(activations, masks), 'application/gzip');
  if (probabilityMap) {
    const planes = slices.flatMap((slice) => (slice.probabilities ? [slice.probabilities] : []));
    await store.put(keys.slabProbabilities(slab.index), encodeProbabilities(planes));
  }
  const records: SlabRecords = {
    schemaVersion: 1,
    index: slab.index,
    backend: model.backend,
    seconds: { ...seconds, total: (performance.now() - startedMs) / 1000, endMs: Date.now() },
    camGridPx: Math.sqrt(activations[0]!.length),
    slices: slices.map((slice) => slice.record),
  };
  await putJson(store, keys.slabRecords(slab.index), records, 0);
  return records;
}

/** The bundle with the run's own threshold, where it has one. */
function atThreshold(
  bundle: BundleManifest,
  { maskProbability: p }: CaseManifest['run']['parameters'],
): BundleManifest {
  if (p === undefined) return bundle;
  const maskThresholdLogit = Math.log(p / (1 - p));
  return { ...bundle, decoder: { ...bundle.decoder, maskThresholdLogit } };
}

/** The records of a slab that an earlier run finished. */
export async function finishedSlab(
  keys: RunKeys,
  index: number,
  store: BlobStore,
): Promise<SlabRecords | undefined> {
  // Without its masks, or damaged, it is segmented again.
  if (!(await store.stat(keys.slabMasks(index)))) return undefined;
  return usableJson(store, keys.slabRecords(index), SlabRecords);
}

function timed(infer: Infer): { infer: Infer; seconds: Record<GraphRole, number> } {
  const seconds: Record<GraphRole, number> = { classifier: 0, encoder: 0, decoder: 0 };
  return {
    seconds,
    infer: async (graphs, feeds) => {
      const inferred = await infer(graphs, feeds);
      graphs.forEach((graph, n) => {
        seconds[graph] += inferred.seconds[n]!;
      });
      return inferred;
    },
  };
}
