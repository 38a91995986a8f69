import { createHash } from 'node:crypto';
import * as z from 'zod';
import { EvaluatedCase } from '../../core/contract/evaluated-case.ts';
import { FaultSchema } from '../../core/contract/fault.ts';
import { RunId, Sha256 } from '../../core/contract/ids.ts';
import { assertSegment } from '../../core/contract/keys.ts';
import { Parameters } from '../../core/contract/manifest.ts';
import { ObjectCreated } from './events.ts';
import { EVALUATION_ID, JOB_NAME } from './keys.ts';
import { BundleSetting, LabelPointer } from './runs.ts';

/** How a site evaluates a dataset: what is asked for, what is to be done, and how far it has come. */

const Dataset = z.string().transform((name) => assertSegment(name, 'the dataset'));

/** `evaluation-runs/requests/<any name>.json`, and the body of a schedule's message. */
export const EvaluationRequest = z.strictObject({
  schemaVersion: z.literal(1),
  dataset: Dataset,
  bundle: BundleSetting,
  /** Whose active bundle, where the site has further targets; the main one's where it is absent. */
  target: z.string().optional(),
  /** Judge the bundle against the active one on the same data, and activate it where the gate lets it. */
  promote: z.boolean(),
  /** Part of the evaluation's id: a message that is delivered twice asks for the same evaluation. */
  requestedAt: z.iso.datetime(),
});
export type EvaluationRequest = z.infer<typeof EvaluationRequest>;

/** What EventBridge Scheduler puts on the queue. */
export const EvaluationRequested = z.object({
  source: z.literal('sammix.evaluation'),
  'detail-type': z.literal('Evaluation Requested'),
  detail: EvaluationRequest,
});
export type EvaluationRequested = z.infer<typeof EvaluationRequested>;

/** What asks for evaluations: the schedule, a request in the bucket, a bundle from the training job. */
export const StartEvent = z.discriminatedUnion('source', [EvaluationRequested, ObjectCreated]);
export type StartEvent = z.infer<typeof StartEvent>;

export const EvaluationId = z.string().regex(EVALUATION_ID);

/** Begins with the time of the request, so that ids sort by it. */
export function evaluationId(request: EvaluationRequest, bundleDigest: string): string {
  const { dataset, promote, requestedAt } = request;
  const at = new Date(requestedAt).toISOString();
  const canonical = JSON.stringify([dataset, bundleDigest, promote, at]);
  const hash = createHash('sha256').update(canonical).digest('hex').slice(0, 8);
  return `${compactTime(at)}-${hash}`;
}

/** `2026-01-02T03:04:05.678Z` as `20260102T030405Z`. */
export const compactTime = (iso: string): string =>
  iso.replace(/[-:]/g, '').replace(/\.\d+Z$/, 'Z');

/** Job names carry the evaluation's id, and the number of the array job among its array jobs. */
export const evaluateJobName = (id: string, shard: number): string =>
  `${JOB_NAME.evaluate}${id}-${shard}`;

const EVALUATE_JOB = new RegExp(
  `^${JOB_NAME.evaluate}(${EVALUATION_ID.source.slice(1, -1)})-(\\d+)$`,
);

export function partsOfJobName(jobName: string): { id: string; shard: number } | undefined {
  const [, id, shard] = EVALUATE_JOB.exec(jobName) ?? [];
  return id === undefined ? undefined : { id, shard: Number(shard) };
}

export const PlannedCase = z.strictObject({
  caseId: z.string(),
  /** Null where the dataset does not say: the case stands for its own patient. */
  patientId: z.string().nullable(),
  /** Null where the label has no image, or more than one. */
  image: z
    .strictObject({
      key: z.string(),
      name: z.string(),
      bytes: z.int().nonnegative(),
      /** S3's version id. */
      version: z.string(),
    })
    .nullable(),
  label: LabelPointer,
  runId: RunId.nullable(),
  /** `reuse`: its report exists. `compute`: a job makes it. `impossible`: the fault says why. */
  work: z.enum(['reuse', 'compute', 'impossible']),
  /** Which child of the evaluation's jobs computes it, counted over all of them; null for the others. */
  child: z.int().nonnegative().nullable(),
  fault: FaultSchema.nullable(),
});
export type PlannedCase = z.infer<typeof PlannedCase>;

/** Cases of one part of a plan: a child reads one or two parts, however many there are. */
export const PLAN_PART = 1000;

/** `evaluations/<dataset>/<id>/plan/<part>.json`: by case id, a thousand each. */
export const PlanPart = z.strictObject({
  schemaVersion: z.literal(1),
  cases: z.array(PlannedCase).max(PLAN_PART),
});
export type PlanPart = z.infer<typeof PlanPart>;

/**
 * `evaluations/<dataset>/<id>/plan.json`: written once and after its parts, read by every job and by the
 * aggregation. It grows by a line for a thousand cases.
 */
export const EvaluationPlan = z.strictObject({
  schemaVersion: z.literal(1),
  evaluationId: EvaluationId,
  request: EvaluationRequest,
  createdAt: z.iso.datetime(),
  bundle: z.strictObject({ prefix: z.string(), digest: Sha256 }),
  /** A further target of the site; absent for the main one. */
  target: z.string().optional(),
  parameters: Parameters,
  slicesPerSlab: z.int().positive(),
  casesPerJob: z.int().positive(),
  /** Images of the dataset that have no label and are therefore not measured. */
  unlabelledImages: z.int().nonnegative(),
  /** Children of all jobs together. */
  children: z.int().nonnegative(),
  parts: z.array(
    z.strictObject({
      /** None where all of them were purged. */
      cases: z.int().nonnegative(),
      /** The first and the last child whose cases are here; null where nothing is to be computed. */
      children: z.tuple([z.int().nonnegative(), z.int().nonnegative()]).nullable(),
    }),
  ),
});
export type EvaluationPlan = z.infer<typeof EvaluationPlan>;

/**
 * `evaluations/<dataset>/<id>/rows/<part>.json`: the rows of a part's cases, written as an aggregation
 * gets to them, so that one that is stopped goes on from there.
 */
export const EvaluationRows = z.strictObject({
  schemaVersion: z.literal(1),
  cases: z.array(EvaluatedCase).max(PLAN_PART),
});

/** One Batch job, plain where it has one child. */
export interface Shard {
  /** Number of its first child among the children of all shards. */
  readonly firstChild: number;
  readonly children: number;
}

/** The jobs of a plan, none with more children than one array job may have. */
export function shardsOf(
  { children }: Pick<EvaluationPlan, 'children'>,
  maxChildren: number,
): Shard[] {
  return Array.from({ length: Math.ceil(children / maxChildren) }, (_, shard) => ({
    firstChild: shard * maxChildren,
    children: Math.min(maxChildren, children - shard * maxChildren),
  }));
}

/** Numbers of the parts in which a child's cases are. */
export const partsOfChild = ({ parts }: Pick<EvaluationPlan, 'parts'>, child: number): number[] =>
  parts.flatMap(({ children }, part) =>
    children && children[0] <= child && child <= children[1] ? [part] : [],
  );

/** The array job of a child. */
export const shardOfChild = (child: number, maxChildren: number): number =>
  Math.floor(child / maxChildren);

/** `evaluation-runs/<id>.json`: how far an evaluation has come. Every change is conditional. */
export const EvaluationRecord = z.strictObject({
  schemaVersion: z.literal(1),
  evaluationId: EvaluationId,
  request: EvaluationRequest,
  bundle: z.strictObject({ prefix: z.string(), digest: z.string() }),
  /** A further target of the site; absent for the main one. */
  target: z.string().optional(),
  /** `failed`: given up, and `reason.json` beside the plan says why. */
  state: z.enum(['planning', 'submitted', 'aggregating', 'done', 'failed']),
  /** Of whoever plans or aggregates; older than the lease, another takes over. */
  claimedAt: z.iso.datetime(),
  traceId: z.string(),
  jobs: z.array(
    z.strictObject({
      jobId: z.string().nullable(),
      firstChild: z.int().nonnegative(),
      children: z.int().positive(),
      ended: z.enum(['SUCCEEDED', 'FAILED']).nullable(),
      reason: z.string().nullable(),
    }),
  ),
  /** The two evaluations that the gate compares; null where nothing is to be promoted. */
  judged: z
    .strictObject({ candidate: EvaluationId, incumbent: EvaluationId.nullable() })
    .nullable(),
  finishedAt: z.iso.datetime().nullable(),
});
export type EvaluationRecord = z.infer<typeof EvaluationRecord>;

/** `evaluations/<dataset>/latest.json`: the newest evaluation of a bundle that was then active. */
export const LatestEvaluation = z.strictObject({
  schemaVersion: z.literal(1),
  evaluationId: EvaluationId,
  prefix: z.string(),
  createdAt: z.iso.datetime(),
  bundleDigest: z.string(),
});
export type LatestEvaluation = z.infer<typeof LatestEvaluation>;
