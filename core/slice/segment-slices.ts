import type { BundleManifest } from '../contract/bundle.ts';
import type { SliceRecord } from '../contract/manifest.ts';
import { countSet } from '../mask/bounds.ts';
import type { Feeds, FloatTensor, GraphRole, Infer, Inferred } from '../ports.ts';
import { type CamPrompt, CamPrompter } from './cam.ts';
import type { NativeGridMapper } from './native.ts';

/** The mask that the decoder itself scores best, one per slice. */
export interface ChosenMask {
  /** sizePx x sizePx logits; a view into the decoder's output. */
  readonly logits: Float32Array;
  /** The decoder's estimate of the mask's IoU, as it came out (not clamped). */
  readonly predictedIou: number;
}

/**
 * The decoder's inputs beside the encoder's outputs: the CAM masks as dense prompts `cam_mask`
 * float32[n, 1, size, size] and the boxes `box` float32[n, 4] (inclusive pixel indices x0, y0, x1,
 * y1; the graph adds SAM's half pixel itself).
 */
export function promptFeeds(prompts: readonly CamPrompt[], sizePx: number): Feeds {
  const plane = sizePx * sizePx;
  const masks = new Float32Array(prompts.length * plane);
  const boxes = new Float32Array(prompts.length * 4);
  prompts.forEach((prompt, at) => {
    masks.set(prompt.mask, at * plane);
    boxes.set(prompt.box, at * 4);
  });
  return {
    cam_mask: { data: masks, dims: [prompts.length, 1, sizePx, sizePx] },
    box: { data: boxes, dims: [prompts.length, 4] },
  };
}

/**
 * @param maskLogits float32[n, masks, size, size]
 * @param scores float32[n, masks]
 */
export function chooseMasks(maskLogits: FloatTensor, scores: FloatTensor): ChosenMask[] {
  const [count, masks] = scores.dims as [number, number];
  const plane = maskLogits.data.length / (count * masks);
  return Array.from({ length: count }, (_, at) => {
    const row = scores.data.subarray(at * masks, (at + 1) * masks);
    const best = row.indexOf(Math.max(...row));
    const from = (at * masks + best) * plane;
    return { logits: maskLogits.data.subarray(from, from + plane), predictedIou: row[best]! };
  });
}

/** Slices a graph sees at once: large enough to fill the device, small enough for a laptop. */
const BATCH: Readonly<Record<'classifier' | 'sam', number>> = { classifier: 16, sam: 4 };

/** What the method made of one slice. `mask` is rows x columns on the slice's own grid. */
export interface SegmentedSlice {
  readonly record: SliceRecord;
  readonly mask: Uint8Array | null;
  /** rows x columns, times 255; null where none were asked for or the slice ended before SAM. */
  readonly probabilities: Uint8Array | null;
  readonly cam: CamPrompt | null;
  /** The classifier's map, gridPx x gridPx, negative values as 0; also where the slice ended here. */
  readonly activation: Float32Array;
}

interface Classified {
  /** Position in the batch that was handed in. */
  readonly at: number;
  readonly probability: number;
  readonly activation: Float32Array;
  readonly prompt: CamPrompt | null;
}

export interface SegmentOptions {
  readonly keepProbabilities?: boolean;
  /** Told of slices as they end, those that never reach SAM first. */
  readonly onSlices?: ((count: number) => void) | undefined;
}

/**
 * SAM-Mix on a run of slices, in the order of the method:
 *
 * 1. the classifier gives each slice a probability and a class activation map,
 * 2. slices below the bundle's threshold end here and never reach SAM,
 * 3. the map becomes a dense prompt and a box,
 * 4. SAM's encoder and decoder draw three masks with scores,
 * 5. the best-scored mask goes back to the slice's own grid.
 *
 * @param images float32[n, 1, size, size] in [0, 1], as `SliceShrinker` makes them
 * @param firstSlice canonical index of the first
 */
export async function segmentSlices(
  images: Float32Array,
  firstSlice: number,
  bundle: BundleManifest,
  native: NativeGridMapper,
  infer: Infer,
  { keepProbabilities = false, onSlices }: SegmentOptions = {},
): Promise<SegmentedSlice[]> {
  const sizePx = bundle.preprocess.sliceSizePx;
  const classified = await classify(images, bundle, infer);
  const results: SegmentedSlice[] = classified.map(({ at, probability, activation }) => ({
    record: emptyRecord(firstSlice + at, probability),
    mask: null,
    probabilities: null,
    cam: null,
    activation,
  }));
  const positives = classified.filter((slice) => slice.prompt !== null);
  onSlices?.(classified.length - positives.length);
  const draw = (batch: readonly Classified[]): Promise<Inferred> => {
    const at = batch.map((slice) => slice.at);
    const image = gather(images, at, sizePx);
    const prompts = batch.map((slice) => slice.prompt!);
    return infer(['encoder', 'decoder'], { image, ...promptFeeds(prompts, sizePx) });
  };
  for await (const { batch, outputs } of lookingAhead(batches(positives, BATCH.sam), draw)) {
    const masks = chooseMasks(
      output(outputs, 'decoder', 'mask_logits'),
      output(outputs, 'decoder', 'scores'),
    );
    batch.forEach((slice, position) => {
      const index = firstSlice + slice.at;
      results[slice.at] = drawn(index, slice, masks[position]!, bundle, native, keepProbabilities);
    });
    onSlices?.(batch.length);
  }
  return results;
}

async function classify(
  images: Float32Array,
  bundle: BundleManifest,
  infer: Infer,
): Promise<Classified[]> {
  const sizePx = bundle.preprocess.sliceSizePx;
  const count = images.length / (sizePx * sizePx);
  const classified: Classified[] = [];
  let prompter: CamPrompter | undefined;
  const look = (batch: readonly number[]): Promise<Inferred> =>
    infer(['classifier'], { image: gather(images, batch, sizePx) });
  const all = batches([...Array(count).keys()], BATCH.classifier);
  for await (const { batch, outputs } of lookingAhead(all, look)) {
    const logit = output(outputs, 'classifier', 'logit').data;
    const cam = output(outputs, 'classifier', 'cam');
    const gridPx = cam.dims.at(-1)!;
    prompter ??= new CamPrompter(gridPx, sizePx, bundle.cam);
    for (const [position, at] of batch.entries()) {
      const probability = 1 / (1 + Math.exp(-logit[position]!));
      const map = cam.data.subarray(position * gridPx ** 2, (position + 1) * gridPx ** 2);
      const prompt = probability >= bundle.classifier.threshold ? prompter.prompt(map) : null;
      const activation = map.map((value) => Math.max(0, value));
      classified.push({ at, probability, activation, prompt });
    }
  }
  return classified;
}

function drawn(
  index: number,
  slice: Classified,
  chosen: ChosenMask,
  bundle: BundleManifest,
  native: NativeGridMapper,
  keepProbabilities: boolean,
): SegmentedSlice {
  const prompt = slice.prompt!;
  const threshold = bundle.decoder.maskThresholdLogit;
  const mask = native.mask(chosen.logits, threshold);
  return {
    mask,
    probabilities: keepProbabilities ? native.probabilities(chosen.logits) : null,
    cam: prompt,
    activation: slice.activation,
    record: {
      ...emptyRecord(index, slice.probability),
      camAreaPx: prompt.areaPx,
      camEmpty: prompt.empty,
      box: [...prompt.box],
      predictedIou: chosen.predictedIou,
      camMaskIou: overlap(prompt.mask, chosen.logits, threshold),
      maskVoxels: countSet(mask),
    },
  };
}

const emptyRecord = (index: number, probability: number): SliceRecord => ({
  index,
  probability,
  camAreaPx: null,
  camEmpty: false,
  box: null,
  predictedIou: null,
  camMaskIou: null,
  maskVoxels: 0,
});

/** IoU of the CAM mask and the drawn mask; 0 where both are empty cannot occur, a CAM mask never is. */
function overlap(cam: Uint8Array, logits: Float32Array, threshold: number): number {
  let both = 0;
  let either = 0;
  for (let at = 0; at < cam.length; at++) {
    const inMask = logits[at]! > threshold ? 1 : 0;
    both += cam[at]! & inMask;
    either += cam[at]! | inMask;
  }
  return both / either;
}

/** The slices at `indices` as one float32[n, 1, size, size] tensor. */
function gather(images: Float32Array, indices: readonly number[], sizePx: number): FloatTensor {
  const plane = sizePx * sizePx;
  const data = new Float32Array(indices.length * plane);
  indices.forEach((index, at) => {
    data.set(images.subarray(index * plane, (index + 1) * plane), at * plane);
  });
  return { data, dims: [indices.length, 1, sizePx, sizePx] };
}

/**
 * Each batch with its outputs, the next one already in the graph: where graphs run in another thread
 * they need not wait for what is made of their outputs. No two are in the graphs at a time.
 */
async function* lookingAhead<T>(
  items: Iterable<readonly T[]>,
  run: (batch: readonly T[]) => Promise<Inferred>,
): AsyncGenerator<{ readonly batch: readonly T[]; readonly outputs: Feeds }, void, undefined> {
  let running: { readonly batch: readonly T[]; readonly result: Promise<Inferred> } | undefined;
  for (const batch of items) {
    const inferred = await running?.result;
    const next = { batch, result: run(batch) };
    // Awaited one batch later: without this a failure meanwhile would count as unhandled.
    next.result.catch(() => undefined);
    if (running && inferred) yield { batch: running.batch, outputs: inferred.outputs };
    running = next;
  }
  if (running) yield { batch: running.batch, outputs: (await running.result).outputs };
}

function* batches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

function output(outputs: Feeds, graph: GraphRole, name: string): FloatTensor {
  const tensor = outputs[name];
  if (!tensor)
    throw new Error(
      `the ${graph} graph gave no output "${name}", only ${Object.keys(outputs).join(', ')}`,
    );
  return tensor;
}
