import * as z from 'zod';
import { Sha256 } from './ids.ts';

/**
 * `bundle.json`: everything the runtime knows about a trained model. The trainer writes it, the
 * runtime refuses what it does not understand. Model numbers live here and nowhere else.
 */

const Dim = z.union([z.literal('n'), z.int().positive()]);

/** One tensor of a graph. The first dimension `n` is the batch; all others are fixed. */
const TensorSpec = z.strictObject({
  name: z.string().min(1),
  dtype: z.literal('float32'),
  shape: z.tuple([z.literal('n')], Dim),
});

const GraphSpec = z.strictObject({
  file: z.string().min(1),
  inputs: z.array(TensorSpec).min(1),
  outputs: z.array(TensorSpec).min(1),
});

export const BundleManifest = z
  .strictObject({
    schemaVersion: z.literal(1),
    name: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
    createdAt: z.iso.datetime({ offset: true }),
    trainer: z.strictObject({ version: z.string(), commit: z.string(), configSha256: Sha256 }),
    /** The masks that the runtime writes are binary: the target is 1. */
    target: z.strictObject({ name: z.string(), labelValue: z.literal(1) }),
    licences: z.array(z.strictObject({ source: z.string(), licence: z.string(), use: z.string() })),
    base: z
      .strictObject({ checkpoint: z.string(), sha256: Sha256, licence: z.string() })
      .nullable(),
    preprocess: z.strictObject({
      orientation: z.literal('rows-AP-columns-RL'),
      /** Hounsfield units mapped to 0 and 1; values outside are clamped. */
      windowHu: z
        .tuple([z.number(), z.number()])
        .refine(([low, high]) => low < high, 'the lower end of the window below the upper'),
      sliceSizePx: z.int().min(32).max(1024),
      resize: z.literal('triangle-letterbox-mm'),
    }),
    classifier: z.strictObject({
      graph: GraphSpec,
      /** Slices whose probability of holding the target is below this never reach SAM. */
      threshold: z.number().gt(0).lt(1),
    }),
    cam: z.strictObject({
      activation: z.literal('relu'),
      upsample: z.literal('bilinear-half-pixel'),
      /** The CAM mask is where the upsampled map is at least this share of its maximum. */
      thresholdOfMax: z.number().gt(0).lt(1),
      component: z.literal('largest'),
      connectivity: z.literal(4),
      emptyFallback: z.literal('centre-box'),
    }),
    encoder: z.strictObject({ graph: GraphSpec }),
    decoder: z.strictObject({
      graph: GraphSpec,
      select: z.literal('max-score'),
      maskThresholdLogit: z.number(),
    }),
    postprocess: z.strictObject({ largestComponent3d: z.boolean(), fillHoles: z.boolean() }),
    onnx: z.strictObject({
      opset: z.int(),
      precision: z.enum(['fp32', 'fp16', 'int8']),
      minRuntime: z.string(),
    }),
    training: z.strictObject({
      protocol: z.string(),
      labels: z.union([z.literal('all'), z.int().positive()]),
      labelledSlices: z.int().nonnegative(),
      unlabelledSlices: z.int().nonnegative(),
      seed: z.int(),
      epochs: z.number().nonnegative(),
      lambdaMax: z.number().nonnegative(),
      split: z.strictObject({ file: z.string(), sha256: Sha256 }),
      labelledIdsSha256: Sha256,
      durationSeconds: z.number().nonnegative(),
      device: z.string(),
    }),
    metrics: z.array(
      z.strictObject({
        name: z.string(),
        dataset: z.string(),
        protocol: z.enum(['paper-slice', 'volume', 'classification']),
        value: z.number(),
        n: z.int().positive(),
      }),
    ),
    /** Reference tensors from the trainer; `file` describes them, see docs/bundle.md. */
    golden: z.strictObject({
      file: z.string(),
      tolerance: z.strictObject({
        cam: z.number().positive(),
        logits: z.number().positive(),
        maskFraction: z.number().positive(),
      }),
    }),
    files: z.array(
      z.strictObject({ path: z.string(), bytes: z.int().nonnegative(), sha256: Sha256 }),
    ),
  })
  .superRefine(checkGraphs);

export type BundleManifest = z.infer<typeof BundleManifest>;
export type GraphSpec = z.infer<typeof GraphSpec>;
export type TensorSpec = z.infer<typeof TensorSpec>;

type Draft = Pick<
  BundleManifest,
  'classifier' | 'encoder' | 'decoder' | 'preprocess' | 'files' | 'golden'
>;

/**
 * The seams between the graphs: encoder outputs are decoder inputs of the same name and shape, and
 * the three graphs and the golden file are among the hashed files.
 */
function checkGraphs(bundle: Draft, context: z.RefinementCtx): void {
  const size = bundle.preprocess.sliceSizePx;
  const plane = ['n', 1, size, size] as const;
  const issue = (path: string[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  const expectTensor = (
    path: string[],
    tensors: readonly TensorSpec[],
    name: string,
    shape?: readonly (string | number)[],
  ) => {
    const tensor = tensors.find((candidate) => candidate.name === name);
    if (!tensor) issue(path, `a tensor named "${name}"`);
    else if (shape && tensor.shape.join() !== shape.join())
      issue(path, `"${name}" with shape [${shape.join(', ')}], not [${tensor.shape.join(', ')}]`);
  };

  const { classifier, encoder, decoder } = bundle;
  expectTensor(['classifier', 'graph', 'inputs'], classifier.graph.inputs, 'image', plane);
  expectTensor(['classifier', 'graph', 'outputs'], classifier.graph.outputs, 'logit', ['n', 1]);
  expectTensor(['classifier', 'graph', 'outputs'], classifier.graph.outputs, 'cam');
  expectTensor(['encoder', 'graph', 'inputs'], encoder.graph.inputs, 'image', plane);
  const decoderInputs = decoder.graph.inputs;
  for (const output of encoder.graph.outputs)
    expectTensor(['decoder', 'graph', 'inputs'], decoderInputs, output.name, output.shape);
  expectTensor(['decoder', 'graph', 'inputs'], decoderInputs, 'cam_mask', plane);
  expectTensor(['decoder', 'graph', 'inputs'], decoderInputs, 'box', ['n', 4]);
  if (decoderInputs.length !== encoder.graph.outputs.length + 2)
    issue(
      ['decoder', 'graph', 'inputs'],
      'exactly the outputs of the encoder, "cam_mask" and "box"',
    );
  expectTensor(['decoder', 'graph', 'outputs'], decoder.graph.outputs, 'mask_logits');
  expectTensor(['decoder', 'graph', 'outputs'], decoder.graph.outputs, 'scores');

  const hashed = new Set(bundle.files.map((file) => file.path));
  for (const graph of [classifier.graph, encoder.graph, decoder.graph])
    if (!hashed.has(graph.file)) issue(['files'], `an entry with the sha256 of ${graph.file}`);
  if (!hashed.has(bundle.golden.file))
    issue(['files'], `an entry with the sha256 of ${bundle.golden.file}`);
}

/** Metrics of a bundle that bound the volume: Bland-Altman limits of agreement over validation scans. */
const VOLUME_LIMITS = {
  lower: 'volume error %, lower limit',
  upper: 'volume error %, upper limit',
} as const;

/** The target of the bundle that comes with sammix, and of those whose reports do not name theirs. */
export const LIVER = 'liver';

export const targetOf = ({ target }: { readonly target?: string | undefined }): string =>
  target ?? LIVER;

/** What a case report keeps of the bundle. */
export const BundleDisplay = z.strictObject({
  name: z.string(),
  digest: z.string(),
  /** What it segments; absent for the liver. */
  target: z.string().optional(),
  classifierThreshold: z.number(),
  windowHu: z.tuple([z.number(), z.number()]),
  sliceSizePx: z.int(),
  licences: z.array(z.string()),
  /** 95 % limits of agreement of volumes, mask minus label in per cent of the label, where it states them. */
  volumeLimits: z
    .strictObject({
      lowerPercent: z.number(),
      upperPercent: z.number(),
      dataset: z.string(),
      scans: z.int().positive(),
    })
    .optional(),
});
export type BundleDisplay = z.infer<typeof BundleDisplay>;

export const bundleDisplay = (bundle: BundleManifest, digest: string): BundleDisplay => ({
  name: bundle.name,
  digest,
  ...(bundle.target.name !== LIVER && { target: bundle.target.name }),
  classifierThreshold: bundle.classifier.threshold,
  windowHu: bundle.preprocess.windowHu,
  sliceSizePx: bundle.preprocess.sliceSizePx,
  licences: bundle.licences.map(({ source, licence }) => `${source}: ${licence}`),
  ...volumeLimits(bundle),
});

/** Of the data set with most scans that has both limits. */
function volumeLimits({ metrics }: BundleManifest): Pick<BundleDisplay, 'volumeLimits'> {
  const found = metrics
    .filter(({ name, protocol }) => protocol === 'volume' && name === VOLUME_LIMITS.lower)
    .flatMap(({ dataset, value: lowerPercent, n: scans }) => {
      const upper = metrics.find(
        (one) => one.name === VOLUME_LIMITS.upper && one.dataset === dataset,
      );
      return upper ? [{ lowerPercent, upperPercent: upper.value, dataset, scans }] : [];
    })
    .sort((a, b) => b.scans - a.scans);
  return found[0] ? { volumeLimits: found[0] } : {};
}
