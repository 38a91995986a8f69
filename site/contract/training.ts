import * as z from 'zod';
import { FaultSchema } from '../../core/contract/fault.ts';
import { Sha256 } from '../../core/contract/ids.ts';
import { SEGMENT } from '../../core/contract/keys.ts';
import { GpuCost } from '../../core/contract/report.ts';
import { ConfigError } from '../../core/errors.ts';
import { BundleSetting } from './runs.ts';

/**
 * Training at a site: a request, uploaded as `training/requests/<id>.json`, becomes a GPU job whose
 * bundle is registered as a candidate. The trainer reads the same request by the same contract, written as a
 * JSON schema by gpu-jobs/train/write-request-schema.ts; what such a schema cannot say, both sides check.
 */

/** Key below a prefix; no `..`, which JSON schema can say in a pattern alone. */
const DataPrefix = z
  .string()
  .regex(
    /^(?!.*\.\.)training\/data\/[A-Za-z0-9][A-Za-z0-9._+/-]*\/$/,
    'training/data/<folder>/, without ".."',
  );
const Count = z.int().nonnegative();
const Share = z.number().min(0).max(1);
/** How often sources of a data set are drawn, such as `ct1=.4,ct2=.6`; empty for all alike. */
const Shares = z
  .string()
  .regex(/^([^=,]+=[0-9]*\.?[0-9]+(,(?=.)|$))*$/, 'source=share,source=share');

const SAM_SIZES: ReadonlySet<string> = new Set(['vit_b', 'lite_medsam']);

/** Fields of the trainer's `TrainConfig` (gpu-jobs/train/sammix_train/config.py), all with defaults there. */
export const TrainConfig = z
  .strictObject({
    size: z.enum(['tiny', 'mini', 'small', 'vit_b', 'lite_medsam']),
    /** Labelled slices to learn from, or all. */
    labels: z.union([z.literal('all'), z.string().regex(/^[1-9][0-9]*$/)]),
    /** Name of the label to segment; `liver+cancer` joins two. */
    target: z.string().min(1),
    /** `all`, or what is fitted to a site of a model that has LoRA; the rest stays as it is. */
    adapt: z.enum([
      'all',
      'decoder',
      'decoder+classifier',
      'lora',
      'lora+decoder',
      'lora+decoder+head',
      'lora+decoder+classifier',
    ]),
    /** Fixed views of each labelled slice, so that a frozen encoder's embeddings can be kept; 0 augments anew. */
    views: Count,
    /** Unlabelled slices to learn from; 0 is all. */
    unlabelled_slices: Count,
    seed: Count,
    steps: z.int().positive(),
    /** Length in wall-clock minutes instead of `steps`. */
    minutes: z.number().nonnegative(),
    labelled_per_step: z.int().positive(),
    negatives_per_step: Count,
    unlabelled_per_step: Count,
    classifier_positives_per_step: Count,
    empty_chance: Share,
    learning_rate: z.number().positive(),
    weight_decay: z.number().nonnegative(),
    warmup_steps: Count,
    grad_clip: z.number().positive(),
    pixel_loss: z.enum(['bce', 'focal']),
    all_masks_weight: z.number().nonnegative(),
    lambda_max: z.number().nonnegative(),
    ramp_fraction: Share,
    unlabelled_start: Share,
    cam_weight: z.number().nonnegative(),
    outline_weight: z.number().nonnegative(),
    real_cam_max: Share,
    real_cam_ramp: Share,
    ema_decay: Share,
    /** Sources whose masks are learnt from, `ct1,ct2`; of the others only whether a slice shows the target. */
    mask_sources: z.string().regex(/^([^,]+(,(?=.)|$))*$/),
    source_shares: Shares,
    negative_shares: Shares,
    small_target_exponent: z.number().nonnegative(),
    small_positive_exponent: z.number().nonnegative(),
    crops_per_step: Count,
    clean_share: Share,
    overlap: z.boolean(),
    bfloat16: z.boolean(),
    evaluate_every_s: z.number().positive(),
  })
  .partial();
export type TrainConfig = z.infer<typeof TrainConfig>;

const BaseCheckpoint = z.strictObject({
  key: z
    .string()
    .regex(
      /^(?!.*\.\.)models\/[A-Za-z0-9][A-Za-z0-9._+/-]*\.(pth|pt|bin|safetensors)$/,
      'models/<name>.pth, .pt, .bin or .safetensors, without ".."',
    ),
  /** What the checkpoint was trained on: SAM's normalised pixels, or pixels from 0 to 1 (MedSAM). */
  input: z.enum(['sam', 'unit']),
  licence: z.string().min(1),
});

/** What a training of uploads leaves to be chosen. */
const CHOSEN_OF_UPLOADS = ['target', 'labels', 'seed', 'steps', 'minutes'];

/** The same in the words of a JSON schema: the trainer needs no rule of its own. */
const OF_UPLOADS = {
  if: { required: ['dataset'] },
  // biome-ignore lint/suspicious/noThenProperty: it is a keyword of JSON schema.
  then: {
    properties: {
      config: { propertyNames: { enum: CHOSEN_OF_UPLOADS } },
      checkpoint: { const: null },
      imageSize: { const: null },
    },
  },
};

/** One part of a key, and no way out of its folder. */
const named = (what: string) =>
  z
    .string()
    .regex(SEGMENT, what)
    .regex(/^(?!.*\.\.)/, 'no ".."');

/** `training/requests/<id>.json` */
export const TrainRequest = z
  .strictObject({
    schemaVersion: z.literal(1),
    /** The file's name without `.json`; also the folder below `training/runs/`. */
    id: named('letters, digits and ._+-, at most 128'),
    /** A data set in nnU-Net's layout, see gpu-jobs/train/README.md. */
    dataPrefix: DataPrefix.optional(),
    /** Instead of it: the site's own uploads of a dataset, those that have labels. */
    dataset: named('the name of a dataset').optional(),
    /** Of uploads: the bundle that is fitted, unless said the one that is active for the target, or the main one. */
    startFrom: BundleSetting.optional(),
    checkpoint: BaseCheckpoint.nullable().optional(),
    /** Side in pixels to which a slice is enlarged before the image encoder. */
    imageSize: z.int().positive().multipleOf(16).max(2048).nullable().optional(),
    config: TrainConfig,
    /** Whether to score the test patients too, and not only the validation patients. */
    measureTest: z.boolean().optional(),
  })
  .refine(({ dataPrefix, dataset }) => (dataPrefix === undefined) !== (dataset === undefined), {
    path: ['dataPrefix'],
    message: 'a folder of training data, or a dataset of uploads',
  })
  .refine(({ dataset, startFrom }) => dataset !== undefined || startFrom === undefined, {
    path: ['startFrom'],
    message: 'none, unless uploads of a dataset are learnt from',
  })
  .refine(
    ({ dataset, checkpoint, imageSize, config }) =>
      dataset === undefined ||
      (!checkpoint &&
        !imageSize &&
        Object.keys(config).every((key) => CHOSEN_OF_UPLOADS.includes(key))),
    {
      path: ['config'],
      message: `of uploads only ${CHOSEN_OF_UPLOADS.join(', ')}: the bundle and few labels decide the rest`,
    },
  )
  .refine(({ imageSize, config }) => config.size !== 'lite_medsam' || (imageSize ?? 256) === 256, {
    path: ['imageSize'],
    message: '256, the only size of lite_medsam',
  })
  .refine(({ checkpoint, config }) => !checkpoint || SAM_SIZES.has(config.size ?? 'vit_b'), {
    path: ['config', 'size'],
    message: 'vit_b or lite_medsam, the sizes that a SAM checkpoint fits',
  })
  .refine(({ checkpoint, config }) => checkpoint || (config.adapt ?? 'all') === 'all', {
    path: ['config', 'adapt'],
    message: 'all, unless a checkpoint is adapted',
  })
  .meta(OF_UPLOADS);
export type TrainRequest = z.infer<typeof TrainRequest>;

/**
 * Reads a request as it was uploaded.
 *
 * @param expectedId the name of its file without `.json`
 * @throws ConfigError naming the field and what is wrong with it
 */
export function parseTrainRequest(text: string, expectedId: string): TrainRequest {
  const refused = (found: string, cause?: unknown) =>
    new ConfigError(
      {
        code: 'bad-training-request',
        subject: `the training request ${expectedId}`,
        expected: 'a request as gpu-jobs/train/REPRODUCE.md describes it',
        found,
        remedy: 'Correct it and upload it again.',
      },
      { cause },
    );
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw refused('text that is not JSON', cause);
  }
  const parsed = TrainRequest.safeParse(json);
  if (!parsed.success)
    throw refused(z.prettifyError(parsed.error).replaceAll('\n', ' '), parsed.error);
  if (parsed.data.id !== expectedId)
    throw refused(`the id ${JSON.stringify(parsed.data.id)} in a file named ${expectedId}.json`);
  return parsed.data;
}

const Version = z.strictObject({ key: z.string(), version: z.string() });

/**
 * `training/runs/<id>/uploads.json`: what a training of uploads learns from, written when it is accepted.
 * A training that goes on after a failure has the same.
 */
export const TrainingUploads = z.strictObject({
  schemaVersion: z.literal(1),
  dataset: z.string(),
  bundlePrefix: z.string(),
  bundleDigest: Sha256,
  /** The names of the labels' classes, where they were uploaded. */
  datasetJson: Version.nullable(),
  cases: z
    .array(
      z.strictObject({
        caseId: z.string(),
        patientId: z.string().nullable(),
        image: Version,
        label: Version,
      }),
    )
    .min(1),
});
export type TrainingUploads = z.infer<typeof TrainingUploads>;

/** `training/runs/<id>/result.json`: the trainer's own last word. */
export const TrainResult = z.strictObject({
  schemaVersion: z.literal(1),
  id: z.string(),
  bundlePrefix: z.string(),
  bundleDigest: Sha256,
  steps: z.int().nonnegative(),
  trainSeconds: z.number().nonnegative(),
  device: z.string(),
  finishedAt: z.iso.datetime(),
});
export type TrainResult = z.infer<typeof TrainResult>;

export const TrainingState = z.enum(['claimed', 'submitted', 'trained', 'failed']);
export type TrainingState = z.infer<typeof TrainingState>;

/** `training/jobs/<hash of the id>.json`: where an accepted request stands. */
export const TrainingRecord = z.strictObject({
  schemaVersion: z.literal(1),
  id: z.string(),
  requestKey: z.string(),
  /** S3 version of the request that was accepted. */
  requestVersion: z.string(),
  state: TrainingState,
  requestedAt: z.iso.datetime(),
  claimedAt: z.iso.datetime(),
  traceId: z.string(),
  jobId: z.string().nullable(),
  endedAt: z.iso.datetime().nullable(),
  cost: GpuCost.nullable(),
  /** Prefix of the bundle that came out. */
  bundlePrefix: z.string().nullable(),
});
export type TrainingRecord = z.infer<typeof TrainingRecord>;

/** `training/requests/<id>.reason.json`, beside a request that was refused or whose job failed. */
export const TrainingReason = z.strictObject({
  schemaVersion: z.literal(1),
  requestKey: z.string(),
  requestVersion: z.string(),
  at: z.iso.datetime(),
  fault: FaultSchema,
});
export type TrainingReason = z.infer<typeof TrainingReason>;

/** `models/candidates/<digest>.json`: a bundle that may be promoted, and where it came from. */
export const CandidateBundle = z.strictObject({
  schemaVersion: z.literal(1),
  name: z.string(),
  prefix: z.string(),
  digest: Sha256,
  registeredAt: z.iso.datetime(),
  /** The request's id; null for a bundle that was registered by hand. */
  trainingId: z.string().nullable(),
});
export type CandidateBundle = z.infer<typeof CandidateBundle>;
