import * as z from 'zod';
import { RunId, Sha256 } from '../../core/contract/ids.ts';
import { InputIdentity, Parameters } from '../../core/contract/manifest.ts';
import { GpuCost, Machine } from '../../core/contract/report.ts';
import { SummaryRow } from '../../core/contract/summary.ts';
import { PREFIX } from './keys.ts';

/** What functions and jobs tell each other in S3. The events that start them: site/contract/events.ts. */

/** `models/<name>/<digest>`: of a registered bundle, without a `/` at its end. */
const BundlePrefix = z
  .string()
  .regex(new RegExp(`^${PREFIX.models}[a-z0-9][a-z0-9.-]*/[0-9a-f]{16}$`));

/** Which bundle: the active one, or a registered one by its prefix. */
export const BundleSetting = z.union([z.literal('active'), BundlePrefix]);

const Activation = z.strictObject({
  prefix: z.string(),
  digest: Sha256,
  activatedAt: z.iso.datetime(),
  /** Key of the decision that activated it. */
  decision: z.string(),
});
export type Activation = z.infer<typeof Activation>;

/** `models/active.json` */
export const ActiveBundle = Activation.extend({
  schemaVersion: z.literal(1),
  /** What a rollback returns to, newest first. */
  before: z.array(Activation),
});
export type ActiveBundle = z.infer<typeof ActiveBundle>;

export const RunState = z.enum([
  'claimed',
  'submitted',
  'reported',
  'failed',
  'quarantined',
  'withdrawn',
]);
export type RunState = z.infer<typeof RunState>;

/** `runs/<run>.json`: the whole state of one run. */
export const RunRecord = z.strictObject({
  schemaVersion: z.literal(1),
  runId: RunId,
  state: RunState,
  dataset: z.string(),
  caseId: z.string(),
  imageKey: z.string(),
  input: InputIdentity,
  uploadedAt: z.iso.datetime(),
  bundlePrefix: z.string(),
  bundleDigest: z.string(),
  parameters: Parameters,
  slicesPerJob: z.int().positive(),
  slicesPerSlab: z.int().positive(),
  traceId: z.string(),
  /** Which further target of the site it is; absent for the main one. */
  target: z.string().optional(),
  /** Of an upload of which several are wanted: all of them, the main one first. */
  targets: z.array(z.string()).optional(),
  claimedAt: z.iso.datetime(),
  job: z.strictObject({ id: z.string(), children: z.int().positive() }).nullable(),
  reportedAt: z.iso.datetime().nullable(),
  cost: GpuCost.nullable(),
  /** Which provider really ran the graphs, and on what; written when the run is reported. */
  backends: z.array(z.string()).optional(),
  machines: z.array(Machine).optional(),
});
export type RunRecord = z.infer<typeof RunRecord>;

/** `runs/<run>/jobs/<index>-<attempt>.json`: a GPU job's own account of one attempt. */
export const JobRecord = z.strictObject({
  schemaVersion: z.literal(1),
  index: z.int().nonnegative(),
  attempt: z.int().positive(),
  backend: z.string(),
  /** Null where the instance has not described itself. */
  machine: Machine.nullable().default(null),
  loadSeconds: z.number().nonnegative(),
  totalSeconds: z.number().nonnegative(),
  slabsDone: z.int().nonnegative(),
  slabsSkipped: z.int().nonnegative(),
  peakMemoryMiB: z.number().nonnegative(),
});
export type JobRecord = z.infer<typeof JobRecord>;

/**
 * `cases/<dataset>/<case>/latest.json`, and `latest-<target>.json` for each further target of the site: the
 * newest upload's run, whatever order runs end in.
 */
export const LatestPointer = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  prefix: z.string(),
  status: z.enum(['segmented', 'failed']),
  uploadedAt: z.iso.datetime(),
  /** What a summary says of the case, and by which bundle; absent where an older version pointed. */
  row: SummaryRow.optional(),
  bundleDigest: z.string().optional(),
  /** Where several targets are wanted of an upload: which this is, all of them, and of which version of the image. */
  of: z
    .strictObject({ target: z.string(), targets: z.array(z.string()), inputVersion: z.string() })
    .optional(),
});
export type LatestPointer = z.infer<typeof LatestPointer>;

/** `cases/<dataset>/<case>/label.json`: where the case's reference mask is. */
export const LabelPointer = z.strictObject({
  schemaVersion: z.literal(1),
  key: z.string(),
  version: z.string(),
  name: z.string(),
  uploadedAt: z.iso.datetime(),
  /** What the site's file said of the dataset's labels when it came. */
  choice: z
    .strictObject({
      values: z.array(z.int().nonnegative()).optional(),
      names: z.array(z.string()).optional(),
      ignore: z.array(z.int().nonnegative()).optional(),
    })
    .optional(),
  /** What the dataset's dataset.json called its classes when it came. */
  classes: z
    .array(z.strictObject({ name: z.string(), values: z.array(z.int().nonnegative()) }))
    .optional(),
});
export type LabelPointer = z.infer<typeof LabelPointer>;
