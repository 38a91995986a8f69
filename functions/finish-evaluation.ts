import type { RecordedDecision } from '../adapters/activation.ts';
import {
  evaluationGpuSeconds,
  readEvaluationRecord,
  unknownEvaluation,
  updateEvaluation,
} from '../adapters/evaluation-records.ts';
import type { EmitMetrics } from '../adapters/metrics-emf.ts';
import type { Notify } from '../adapters/sns.ts';
import { idOfReady } from '../core/contract/cloud-keys.ts';
import { gpuCost } from '../core/contract/cost.ts';
import type { Evaluation } from '../core/contract/evaluation.ts';
import { type EvaluationRecord, partsOfJobName } from '../core/contract/evaluation-plan.ts';
import type { JobStateChange, SiteEvent } from '../core/contract/events.ts';
import { aggregateEvaluation } from './aggregate-evaluation.ts';
import { type DecidePorts, decidePromotion } from './decide-promotion.ts';
import { StillInProgress } from './each-message.ts';
import { consoleUrl, evaluationNotice, promotionNotice } from './evaluation-notice.ts';
import { pageKey } from './evaluation-page.ts';

export interface FinishPorts extends DecidePorts {
  readonly site: string;
  readonly bucket: string;
  readonly region: string | undefined;
  readonly leaseSeconds: number;
  readonly usdPerGpuHour: number;
  readonly notify: Notify;
  readonly emit: EmitMetrics;
}

/**
 * A job of an evaluation has ended, or there was none to start. After the last one the reports become
 * an evaluation, and a promotion is decided. However often and in whatever order the ends are
 * announced, this happens once.
 */
export async function finishEvaluation(event: SiteEvent, ports: FinishPorts): Promise<void> {
  const id =
    event.source === 'aws.batch' ? await noteEnd(event, ports) : idOfReady(event.detail.object.key);
  if (id === undefined) return;
  const record = await claim(id, ports);
  if (!record) return;
  const log = ports.log.with({ traceId: record.traceId });
  const evaluation = await aggregateEvaluation(id, ports.store);
  await announce(record, evaluation, ports);
  const decided = await decidePromotion(record, { ...ports, log });
  if (decided) await announceDecision(decided, ports);
  const finishedAt = new Date().toISOString();
  await updateEvaluation(ports.store, id, (now) => now && { ...now, state: 'done', finishedAt });
  log.info('evaluated', { evaluationId: id, count: evaluation.cases.length });
}

/** Writes a job's end into the record. Undefined where it is no job of an evaluation. */
async function noteEnd(
  { detail }: JobStateChange,
  { store }: FinishPorts,
): Promise<string | undefined> {
  const { id, shard } = partsOfJobName(detail.jobName) ?? {};
  if (id === undefined) return undefined;
  await updateEvaluation(store, id, (now) => {
    if (!now) throw unknownEvaluation(id);
    if (now.jobs[shard!]?.ended !== null) return undefined;
    const ended = { ended: detail.status, reason: detail.statusReason ?? null };
    const jobs = now.jobs.map((job, at) => (at === shard ? { ...job, ...ended } : job));
    return { ...now, jobs };
  });
  return id;
}

/** Takes the aggregation for this invocation; undefined where it is too early or done. */
async function claim(
  id: string,
  { store, leaseSeconds }: FinishPorts,
): Promise<EvaluationRecord | undefined> {
  if (!(await readEvaluationRecord(store, id))) throw unknownEvaluation(id);
  return updateEvaluation(store, id, (now) => {
    if (!now || now.state === 'done' || now.jobs.some(({ ended }) => ended === null))
      return undefined;
    const ageSeconds = (Date.now() - Date.parse(now.claimedAt)) / 1000;
    if (now.state === 'aggregating' && ageSeconds < leaseSeconds) throw new StillInProgress();
    return { ...now, state: 'aggregating', claimedAt: new Date().toISOString() };
  });
}

async function announce(
  { evaluationId: id }: EvaluationRecord,
  evaluation: Evaluation,
  { store, usdPerGpuHour, emit, notify, ...facts }: FinishPorts,
): Promise<void> {
  const cost = gpuCost(await evaluationGpuSeconds(store, id), usdPerGpuHour);
  emit({
    EvaluationsFinished: 1,
    EvaluatedCasesFailed: evaluation.counts.failed,
    GpuSeconds: cost.gpuSeconds,
    EstimatedUsd: cost.estimatedUsd,
  });
  const url = urlOf(pageKey(evaluation), facts);
  await notify(evaluationNotice(evaluation, { site: facts.site, url }));
}

async function announceDecision(
  { key, decision }: RecordedDecision,
  { emit, notify, ...facts }: FinishPorts,
): Promise<void> {
  emit(decision.promoted ? { BundlesPromoted: 1 } : { BundlesRefused: 1 });
  await notify(promotionNotice(decision, { site: facts.site, url: urlOf(key, facts) }));
}

const urlOf = (key: string, { bucket, region }: Pick<FinishPorts, 'bucket' | 'region'>): string =>
  consoleUrl(bucket, key, region);
