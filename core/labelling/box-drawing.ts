import type { BundleManifest } from '../contract/bundle.ts';
import type { Feeds, Infer } from '../ports.ts';
import type { Box, CamPrompt } from '../slice/cam.ts';
import { SlicePreprocessor } from '../slice/letterbox.ts';
import { NativeGridMapper } from '../slice/native.ts';
import { chooseMasks, promptFeeds } from '../slice/segment-slices.ts';
import type { Grid } from '../volume/grid.ts';

/** Draws what a person has put a box around, with the encoder and decoder of a bundle. */
export class BoxDrawing {
  private readonly bundle: BundleManifest;
  private readonly infer: Infer;
  private readonly grid: Grid;
  private readonly preprocessor: SlicePreprocessor;
  private readonly native: NativeGridMapper;

  constructor(bundle: BundleManifest, infer: Infer, grid: Grid) {
    const { windowHu, sliceSizePx } = bundle.preprocess;
    this.bundle = bundle;
    this.infer = infer;
    this.grid = grid;
    this.preprocessor = new SlicePreprocessor(grid, windowHu, sliceSizePx);
    this.native = new NativeGridMapper(this.preprocessor.letterbox, grid.rows, grid.columns);
  }

  /** What the encoder makes of a slice: computed once, it serves every box. */
  async embed(hu: ArrayLike<number>): Promise<Feeds> {
    const sizePx = this.bundle.preprocess.sliceSizePx;
    const image = new Float32Array(sizePx ** 2);
    this.preprocessor.apply(hu, image);
    const tensor = { data: image, dims: [1, 1, sizePx, sizePx] };
    return (await this.infer(['encoder'], { image: tensor })).outputs;
  }

  /**
   * @param box inclusive columns and rows of the slice; nothing is drawn outside of it
   * @param hint what is drawn already, rows x columns, which then is the dense prompt; else the box is
   * @returns rows x columns, 0 or 1
   */
  async draw(embedding: Feeds, box: Box, hint?: Uint8Array): Promise<Uint8Array> {
    const sizePx = this.bundle.preprocess.sliceSizePx;
    const prompt = this.promptOf(box, hint);
    const feeds = { ...embedding, ...promptFeeds([prompt], sizePx) };
    const { outputs } = await this.infer(['decoder'], feeds);
    const [chosen] = chooseMasks(outputs.mask_logits!, outputs.scores!);
    const mask = this.native.mask(chosen!.logits, this.bundle.decoder.maskThresholdLogit);
    const { columns } = this.grid;
    const [x0, y0, x1, y1] = box;
    return mask.map((value, at) => {
      const [x, y] = [at % columns, Math.floor(at / columns)];
      return x >= x0 && x <= x1 && y >= y0 && y <= y1 ? value : 0;
    });
  }

  private promptOf([x0, y0, x1, y1]: Box, hint: Uint8Array | undefined): CamPrompt {
    const { grid } = this;
    const { letterbox } = this.preprocessor;
    const sizePx = this.bundle.preprocess.sliceSizePx;
    const toSquare = (at: number, from: number, size: number, voxels: number): number =>
      from + Math.min(size - 1, Math.max(0, Math.floor(((at + 0.5) * size) / voxels)));
    const across = (x: number) => toSquare(x, letterbox.x0, letterbox.width, grid.columns);
    const down = (y: number) => toSquare(y, letterbox.y0, letterbox.height, grid.rows);
    const box: Box = [across(x0), down(y0), across(x1), down(y1)];
    const mask = new Uint8Array(sizePx ** 2);
    if (hint?.includes(1))
      for (let at = 0; at < hint.length; at++) {
        const [x, y] = [at % grid.columns, Math.floor(at / grid.columns)];
        if (hint[at]) mask[down(y) * sizePx + across(x)] = 1;
      }
    else
      for (let y = box[1]; y <= box[3]; y++)
        mask.fill(1, y * sizePx + box[0], y * sizePx + box[2] + 1);
    return { mask, areaPx: mask.reduce((sum, one) => sum + one, 0), box, empty: false };
  }
}
