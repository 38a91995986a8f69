import * as z from 'zod';
import type { Problem as PreflightProblem } from '../errors.ts';
import type { BundleManifest } from './bundle.ts';
import { RunId, Sha256 } from './ids.ts';

/** What the split stage found and wrote, and all that the later stages need to know of the input. */

export const Parameters = z.strictObject({
  /** Keep only the largest 26-connected component of the volume. */
  largestComponent3d: z.boolean(),
  /** Fill cavities of the volume that do not reach its border. */
  fillHoles: z.boolean(),
  /** Voxels above this probability of the decoder are drawn; absent for the bundle's own threshold. */
  maskProbability: z.number().gt(0).lt(1).optional(),
  /** Also write the decoder's probabilities as a volume. */
  probabilityMap: z.literal(true).optional(),
  /**
   * Masks and report carry the free text of the input's header (description, file names, extensions), in
   * which converters put names of scanners, and of patients.
   */
  headerText: z.literal(true).optional(),
});
export type Parameters = z.infer<typeof Parameters>;

/** What a bundle asks for; a run of it is named by them. */
export const parametersOf = (
  { postprocess }: Pick<BundleManifest, 'postprocess'>,
  headerText = false,
): Parameters => ({
  largestComponent3d: postprocess.largestComponent3d,
  fillHoles: postprocess.fillHoles,
  ...(headerText && { headerText }),
});

export const Problem = z.strictObject({
  code: z.string(),
  severity: z.enum(['error', 'warning']),
  message: z.string(),
  remedy: z.string(),
}) satisfies z.ZodType<PreflightProblem>;
export type Problem = z.infer<typeof Problem>;

const Count = z.int().positive();

const GridSchema = z.strictObject({
  columns: Count,
  rows: Count,
  slices: Count,
  spacingMm: z.strictObject({
    column: z.number().positive(),
    row: z.number().positive(),
    slice: z.number().positive(),
  }),
});

/**
 * Where an axial slice lies inside the square that the model sees, in pixels of that square. The
 * square's side is the longer side of the slice in millimetres, so a pixel is square whatever the
 * spacing, and anatomy is never stretched; the rest of the square holds the lower end of the window.
 * (SAM, too, resizes by the longest side and pads; it does so in pixels.)
 */
export const Letterbox = z.strictObject({
  /** Side of the square. */
  sizePx: Count,
  /** First column and row that the slice covers, and how many it covers. */
  x0: z.int().nonnegative(),
  y0: z.int().nonnegative(),
  width: Count,
  height: Count,
});
export type Letterbox = Readonly<z.infer<typeof Letterbox>>;

export const InputIdentity = z.strictObject({
  /** File name without its folder. */
  name: z.string(),
  bytes: z.int().nonnegative(),
  /**
   * Changes whenever the content may have changed and is known without reading it all in the cloud:
   * `s3:<version id>` there, `sha256:<hex>` on a laptop. The run id is derived from it.
   */
  version: z.string().min(1),
});
export type InputIdentity = z.infer<typeof InputIdentity>;

export const InputGeometry = z.strictObject({
  niftiVersion: z.union([z.literal(1), z.literal(2)]),
  dtype: z.string(),
  /** As stored, axes i, j, k. */
  shape: z.tuple([Count, Count, Count]),
  /** Axis codes of the stored axes, e.g. `LPS`: the direction in which each index grows. */
  orientation: z.string().length(3),
  /** Voxel index to RAS+ millimetres, 4 rows of 4 (nibabel's convention). */
  affine: z.array(z.array(z.number()).length(4)).length(4),
  affineSource: z.enum(['sform', 'qform', 'pixdim']),
  /** The canonical grid, see core/volume/grid.ts. */
  grid: GridSchema,
  /** The header's `descrip`; absent where it is empty, or free text was not asked for. */
  description: z.string().optional(),
});
export type InputGeometry = z.infer<typeof InputGeometry>;

/** Minimum, maximum and percentiles 1, 50 and 99, in Hounsfield units. */
export const HuSummary = z.strictObject({
  min: z.number(),
  max: z.number(),
  p01: z.number(),
  p50: z.number(),
  p99: z.number(),
});
export type HuSummary = Readonly<z.infer<typeof HuSummary>>;

const Share = z.number().min(0).max(1);

/**
 * What an axial slice shows, by Hounsfield units alone: enough to tell an abdomen from a limb, a head or a
 * phantom (core/volume/abdomen.ts). Shares are of the body's cross-section, its cavities included.
 */
export const SliceContent = z.strictObject({
  /** Of the largest connected piece of the slice. */
  areaCm2: z.number().nonnegative(),
  widthMm: z.number().nonnegative(),
  depthMm: z.number().nonnegative(),
  /** Above 300 HU. */
  bone: Share,
  /** Air inside the body: lung, bowel gas, sinuses. */
  air: Share,
  fat: Share,
  /** From 20 to 250 HU: muscle and organs, enhanced or not. */
  soft: Share,
  /** How far the bone's centre lies before (+) or behind (-) the body's, in body depths. */
  boneAhead: z.number(),
  /**
   * Bone behind on the midline, as a share of it and of the bone at the sides; 0 without bone, absent in
   * manifests of before it was looked at.
   */
  spine: Share.optional(),
  /** Soft tissue of the patient's right half minus that of the left, as a share of both. */
  softRight: z.number(),
  /** Column of the body's middle, as a share of the image's width. */
  middle: Share,
  /** The body reaches both the right and the left, or both the front and the back border. */
  cutAcross: z.boolean(),
});
export type SliceContent = Readonly<z.infer<typeof SliceContent>>;

export const RunIdentity = z.strictObject({
  runId: RunId,
  caseId: z.string(),
  input: InputIdentity,
  bundleDigest: Sha256,
  parameters: Parameters,
});
export type RunIdentity = z.infer<typeof RunIdentity>;

export const CaseManifest = z.strictObject({
  schemaVersion: z.literal(1),
  run: RunIdentity,
  /** Of the bytes as stored (still compressed), computed while splitting. */
  inputSha256: Sha256,
  geometry: InputGeometry,
  hu: HuSummary,
  problems: z.array(Problem),
  /** By canonical slice; absent in manifests of before it was looked at. */
  content: z.array(SliceContent).optional(),
  letterbox: Letterbox,
  /** The input's header, base64, its free text and extensions only where asked for: the mask is written with it. */
  headerBase64: z.base64(),
  splitSeconds: z.number().nonnegative(),
  /** When the split had ended, Unix milliseconds; absent in manifests of before it was written down. */
  splitEndMs: z.number().optional(),
  slabs: z
    .array(
      z.strictObject({
        index: z.int().nonnegative(),
        firstSlice: z.int().nonnegative(),
        slices: Count,
      }),
    )
    .min(1),
});
export type CaseManifest = z.infer<typeof CaseManifest>;

/** What the method says of one canonical axial slice. */
export const SliceRecord = z.strictObject({
  index: z.int().nonnegative(),
  /** Probability that the slice shows the target. */
  probability: z.number().min(0).max(1),
  /** Area of the CAM mask in pixels of the model's square; null below the threshold. */
  camAreaPx: z.int().nonnegative().nullable(),
  /** True where the map had no positive value and the centre box stood in. */
  camEmpty: z.boolean(),
  /** Inclusive pixel indices x0, y0, x1, y1 in the model's square. */
  box: z.tuple([z.int(), z.int(), z.int(), z.int()]).nullable(),
  /** The decoder's own score of the chosen mask. */
  predictedIou: z.number().nullable(),
  /** Intersection over union of the CAM mask and the drawn mask, in the model's square. */
  camMaskIou: z.number().min(0).max(1).nullable(),
  /** Voxels of the slice in the drawn mask, before the volume clean-up. */
  maskVoxels: z.int().nonnegative(),
});
export type SliceRecord = z.infer<typeof SliceRecord>;

/** What ran the graphs. */
export const Backend = z.strictObject({
  /** ONNX Runtime's execution provider: cuda, cpu. */
  provider: z.string(),
  onnxRuntimeVersion: z.string(),
});
export type Backend = z.infer<typeof Backend>;

export const SlabRecords = z.strictObject({
  schemaVersion: z.literal(1),
  index: z.int().nonnegative(),
  backend: Backend,
  seconds: z.strictObject({
    classifier: z.number(),
    encoder: z.number(),
    decoder: z.number(),
    total: z.number(),
    /** When it was done, Unix milliseconds; absent in records of before it was written down. */
    endMs: z.number().optional(),
  }),
  /** Side of the classifier's maps, which lie before the masks (core/slice/slab-codec.ts). */
  camGridPx: Count,
  slices: z.array(SliceRecord),
});
export type SlabRecords = z.infer<typeof SlabRecords>;
