import * as z from 'zod';
import type { BundleManifest } from '../contract/bundle.ts';
import type { FloatTensor, Infer } from '../ports.ts';
import { CamPrompter } from '../slice/cam.ts';
import { chooseMasks, promptFeeds } from '../slice/segment-slices.ts';

/** What a bundle makes of one slice, as far as it bears on whether a person should label it. */
export const SliceScore = z.strictObject({
  /** Canonical index. */
  slice: z.int().nonnegative(),
  /** The classifier's, as it came out; a probability would be 0 or 1 to the last bit after a long training. */
  logit: z.number(),
  /** Null where the map has no positive value: there is no prompt that means anything. */
  mask: z
    .strictObject({
      /** Mean entropy in bits of the decoder's probabilities, over pixels in the mask or at .05 and more. */
      entropyBits: z.number().min(0).max(1),
      predictedIou: z.number(),
      camMaskIou: z.number().min(0).max(1),
    })
    .nullable(),
  /** The encoder's embedding, averaged over the quarters of the square: what the slice looks like. */
  look: z.array(z.number()).min(1),
});
export type SliceScore = z.infer<typeof SliceScore>;

/** Pixels that the decoder gives less are background beyond doubt, and would drown the others. */
const IN_QUESTION = 0.05;

/** Scores slices one after the other with the graphs of a bundle. */
export class SliceScorer {
  private readonly bundle: BundleManifest;
  private readonly infer: Infer;
  private prompter: CamPrompter | undefined;

  constructor(bundle: BundleManifest, infer: Infer) {
    this.bundle = bundle;
    this.infer = infer;
  }

  /** @param image float32[size * size] in [0, 1], as `SliceShrinker` makes it */
  async score(image: Float32Array, slice: number): Promise<SliceScore> {
    const sizePx = this.bundle.preprocess.sliceSizePx;
    const tensor: FloatTensor = { data: image, dims: [1, 1, sizePx, sizePx] };
    const classified = await this.infer(['classifier'], { image: tensor });
    const { logit, cam } = classified.outputs as { logit: FloatTensor; cam: FloatTensor };
    const encoded = await this.infer(['encoder'], { image: tensor });
    this.prompter ??= new CamPrompter(cam.dims.at(-1)!, sizePx, this.bundle.cam);
    const prompt = this.prompter.prompt(cam.data);
    let mask: SliceScore['mask'] = null;
    if (!prompt.empty) {
      const feeds = { ...encoded.outputs, ...promptFeeds([prompt], sizePx) };
      const { outputs } = await this.infer(['decoder'], feeds);
      const [chosen] = chooseMasks(outputs.mask_logits!, outputs.scores!);
      mask = {
        ...doubtOf(chosen!.logits, prompt.mask, this.bundle.decoder.maskThresholdLogit),
        predictedIou: rounded(chosen!.predictedIou),
      };
    }
    const look = quarterMeans(encoded.outputs.embedding!).map(rounded);
    return { slice, logit: rounded(logit.data[0]!), mask, look };
  }
}

function doubtOf(
  logits: Float32Array,
  cam: Uint8Array,
  thresholdLogit: number,
): Pick<NonNullable<SliceScore['mask']>, 'entropyBits' | 'camMaskIou'> {
  let [both, either, bits, inQuestion] = [0, 0, 0, 0];
  for (let at = 0; at < logits.length; at++) {
    const drawn = logits[at]! > thresholdLogit ? 1 : 0;
    both += cam[at]! & drawn;
    either += cam[at]! | drawn;
    const probability = 1 / (1 + Math.exp(-logits[at]!));
    if (!drawn && probability < IN_QUESTION) continue;
    bits += entropyBits(probability);
    inQuestion += 1;
  }
  // Nothing drawn and nothing near it although there was a prompt: the decoder denies it outright.
  const mean = inQuestion === 0 ? 0 : bits / inQuestion;
  return { entropyBits: rounded(mean), camMaskIou: rounded(either === 0 ? 0 : both / either) };
}

/** Of a yes or no with this probability; 1 at one half, 0 at 0 and 1. */
export function entropyBits(probability: number): number {
  if (!(probability > 0 && probability < 1)) return 0;
  const other = 1 - probability;
  return -(probability * Math.log2(probability) + other * Math.log2(other));
}

/** Of every channel of [1, channels, size, size], the mean over each quarter of the square. */
function quarterMeans({ data, dims }: FloatTensor): number[] {
  const [, channels, rows, columns] = dims as [number, number, number, number];
  const sums = new Float64Array(channels * 4);
  for (let at = 0; at < data.length; at++) {
    const column = at % columns;
    const row = Math.floor(at / columns) % rows;
    const channel = Math.floor(at / (columns * rows));
    const quarter = (row * 2 >= rows ? 2 : 0) + (column * 2 >= columns ? 1 : 0);
    sums[channel * 4 + quarter]! += data[at]!;
  }
  return [...sums].map((sum) => (4 * sum) / (rows * columns));
}

/** Five digits are more than any of it means, and a third of the bytes. */
const rounded = (value: number): number => Number(value.toPrecision(5));
