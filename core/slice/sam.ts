import type { Feeds, FloatTensor } from '../ports.ts';
import type { CamPrompt } from './cam.ts';

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
