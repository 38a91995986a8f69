import type { RunKeys } from '../contract/keys.ts';
import type { Backend, CaseManifest, SlabRecords, SliceRecord } from '../contract/manifest.ts';
import { StorageError } from '../errors.ts';
import { boundingBox, boxGrid, countSet, unionBox } from '../mask/bounds.ts';
import {
  type Components,
  connectedComponents,
  eraseSmallerComponents,
  fillHoles,
} from '../mask/clean.ts';
import type { BlobStore, ByteStream } from '../ports.ts';
import { encodeCamVolume } from '../slice/cam.ts';
import {
  decodeActivations,
  decodeMasks,
  decodeProbabilities,
  type PackedMasks,
} from '../slice/slab-codec.ts';
import type { CroppedMask, Grid, VoxelBox } from '../volume/grid.ts';
import { writeMask, writeProbabilities } from '../volume/mask-writer.ts';
import { finishedSlab } from './segment.ts';
import { storedImage } from './stored-image.ts';
import { segmentWallSeconds } from './wall-seconds.ts';

type SegmentSeconds = Omit<SlabRecords['seconds'], 'endMs'>;

/** The whole case again, after its last slab. */
export interface AssembledCase {
  /** The final mask inside its bounding box; undefined where no voxel was drawn. */
  readonly mask: CroppedMask | undefined;
  readonly slices: readonly SliceRecord[];
  /** Voxels as drawn, and after the clean-up. */
  readonly rawVoxels: number;
  readonly voxels: number;
  /** 26-connected components as drawn, and the size of the largest. */
  readonly components: number;
  readonly largestVoxels: number;
  readonly backend: Backend;
  readonly seconds: SegmentSeconds & { readonly assemble: number };
}

export interface AssembleInput {
  readonly manifest: CaseManifest;
  readonly keys: RunKeys;
}

/**
 * Puts the slabs together, cleans the volume up as the run's parameters say and writes the mask in
 * the input's own geometry. Needs memory for the bounding box of the mask, not for the volume.
 *
 * @throws StorageError (`slab-missing`) where a slab has no records
 */
export async function assembleCase(
  { manifest, keys }: AssembleInput,
  { store }: { store: BlobStore },
): Promise<AssembledCase> {
  const startedMs = performance.now();
  const slabs = await readSlabs(manifest, keys, store);
  const { grid } = manifest.geometry;
  const drawn = cropDrawn(slabs, grid);
  const raw = drawn && cleanUp(drawn, manifest.run.parameters);

  await store.put(keys.mask, maskFile(manifest, drawn), 'application/gzip');
  await store.put(keys.cam, camFile(manifest, slabs), 'application/gzip');
  if (manifest.run.parameters.probabilityMap)
    await store.put(
      keys.probability,
      probabilityFile(manifest, keys, slabs, store),
      'application/gzip',
    );
  return {
    mask: drawn,
    slices: slabs.flatMap((slab) => slab.records.slices),
    rawVoxels: raw?.sizesVoxels.reduce((sum, voxels) => sum + voxels, 0) ?? 0,
    voxels: drawn ? countSet(drawn.mask.data) : 0,
    components: raw?.count ?? 0,
    largestVoxels: raw ? (raw.sizesVoxels[raw.largest] ?? 0) : 0,
    backend: slabs[0]!.records.backend,
    seconds: { ...secondsOf(slabs, manifest), assemble: (performance.now() - startedMs) / 1000 },
  };
}

interface Slab {
  readonly records: SlabRecords;
  readonly masks: () => ReadonlyMap<number, PackedMasks>;
  readonly activations: () => Float32Array;
}

/** Masks stay compressed until they are needed: twice, for the box and for the voxels. */
async function readSlabs(manifest: CaseManifest, keys: RunKeys, store: BlobStore): Promise<Slab[]> {
  const slabs: Slab[] = [];
  for (const { index } of manifest.slabs) {
    const records = await finishedSlab(keys, index, store);
    if (!records) throw missingSlab(manifest, index);
    const bytes = await store.get(keys.slabMasks(index));
    const masks = () => decodeMasks(bytes, records, manifest);
    slabs.push({ records, masks, activations: () => decodeActivations(bytes, records) });
  }
  return slabs;
}

function cropDrawn(slabs: readonly Slab[], grid: Grid): CroppedMask | undefined {
  const box = slabs.map((slab) => drawnBox(slab, grid)).reduce(unionBox, undefined);
  if (!box) return undefined;
  const cropGrid = boxGrid(box, grid);
  const data = new Uint8Array(cropGrid.columns * cropGrid.rows * cropGrid.slices);
  for (const slab of slabs)
    for (const [k, slice] of slab.masks()) copySlice(slice.mask(), grid.columns, k, box, data);
  return { mask: { grid: cropGrid, data }, box };
}

function drawnBox(slab: Slab, grid: Grid): VoxelBox | undefined {
  let box: VoxelBox | undefined;
  for (const [k, packed] of slab.masks()) {
    const slice = boundingBox({ grid: { ...grid, slices: 1 }, data: packed.mask() });
    if (slice) box = unionBox(box, { ...slice, sliceStart: k, sliceEnd: k + 1 });
  }
  return box;
}

/** Copies the part of slice `k` inside `box` to its place in the cropped `data`. */
function copySlice(
  mask: Uint8Array,
  columns: number,
  k: number,
  box: VoxelBox,
  data: Uint8Array,
): void {
  if (k < box.sliceStart || k >= box.sliceEnd) return;
  const width = box.columnEnd - box.columnStart;
  const height = box.rowEnd - box.rowStart;
  for (let j = 0; j < height; j++) {
    const from = (box.rowStart + j) * columns + box.columnStart;
    data.set(mask.subarray(from, from + width), ((k - box.sliceStart) * height + j) * width);
  }
}

/** Changes the mask itself; returns the components that it had as drawn. */
function cleanUp({ mask }: CroppedMask, parameters: CaseManifest['run']['parameters']): Components {
  const drawn = parameters.largestComponent3d
    ? eraseSmallerComponents(mask)
    : connectedComponents(mask);
  if (parameters.fillHoles) fillHoles(mask);
  return drawn;
}

function maskFile(manifest: CaseManifest, drawn: CroppedMask | undefined): ByteStream {
  const { header, geometry } = storedImage(manifest);
  return writeMask(header, geometry, drawn);
}

/** As the decoder gave them, before the clean-up; 0 in slices that never reached it. */
function probabilityFile(
  manifest: CaseManifest,
  keys: RunKeys,
  slabs: readonly Slab[],
  store: BlobStore,
): ByteStream {
  const { header, geometry } = storedImage(manifest);
  const { columns, rows } = geometry.grid;
  let held: { readonly at: number; readonly planes: Map<number, Uint8Array> } | undefined;
  return writeProbabilities(header, geometry, async (k) => {
    const at = manifest.slabs.findIndex(
      ({ firstSlice, slices }) => k >= firstSlice && k < firstSlice + slices,
    );
    if (held?.at !== at) {
      const bytes = await store.get(keys.slabProbabilities(manifest.slabs[at]!.index));
      held = { at, planes: decodeProbabilities(bytes, slabs[at]!.records, columns * rows) };
    }
    return held.planes.get(k);
  });
}

function camFile(manifest: CaseManifest, slabs: readonly Slab[]): ByteStream {
  const gridPx = slabs[0]!.records.camGridPx;
  const activations = new Float32Array(manifest.geometry.grid.slices * gridPx ** 2);
  slabs.forEach((slab, at) => {
    activations.set(slab.activations(), manifest.slabs[at]!.firstSlice * gridPx ** 2);
  });
  return encodeCamVolume({ activations, gridPx }, storedImage(manifest), manifest.letterbox);
}

/** Those of the graphs, which run one at a time, add up. */
function secondsOf(slabs: readonly Slab[], manifest: CaseManifest): SegmentSeconds {
  const sum = (part: keyof Omit<SegmentSeconds, 'total'>): number =>
    slabs.reduce((total, { records }) => total + records.seconds[part], 0);
  return {
    classifier: sum('classifier'),
    encoder: sum('encoder'),
    decoder: sum('decoder'),
    total: segmentWallSeconds(
      slabs.map(({ records }) => records),
      manifest,
    ),
  };
}

const missingSlab = (manifest: CaseManifest, index: number): StorageError =>
  new StorageError({
    code: 'slab-missing',
    subject: `${manifest.run.caseId} (run ${manifest.run.runId})`,
    expected: `the results of all ${manifest.slabs.length} slabs`,
    found: `none of slab ${index}`,
    remedy: 'Run the segmentation of the case again; finished slabs are kept.',
  });
