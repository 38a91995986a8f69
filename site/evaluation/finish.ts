import { provenance } from '../../adapters/provenance.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { Notify } from '../../adapters/sns.ts';
import { bundleDisplay } from '../../core/contract/bundle.ts';
import type { Evaluation, History } from '../../core/contract/evaluation.ts';
import type { EvaluationPicture } from '../../core/draw/picture.ts';
import { casesCsv } from '../../core/evaluation/csv.ts';
import { evaluationJson } from '../../core/evaluation/history.ts';
import type { ReportHref } from '../../core/evaluation/page/cases.ts';
import { isSampled } from '../../core/evaluation/scored-sample.ts';
import { summarise } from '../../core/evaluation/summarise.ts';
import { readReport } from '../../core/stage/finished-report.ts';
import { type RecordedDecision, readActive, readBundle } from '../bundles.ts';
import { type EvaluationRecord, partsOfJobName } from '../contract/evaluation.ts';
import type { JobStateChange, SiteEvent } from '../contract/events.ts';
import { cloudKeys, cloudRunKeys, idOfReady } from '../contract/keys.ts';
import type { GpuPrices } from '../contract/prices.ts';
import { costOnMachines } from '../cost/gpu-cost.ts';
import { type Lease, underLease } from '../lease.ts';
import type { EmitMetrics } from '../metrics.ts';
import {
  consoleUrl,
  type DecidePorts,
  decidePromotion,
  evaluationNotice,
  promotionNotice,
} from './decide.ts';
import {
  evaluationJobs,
  evaluationLease,
  hasEnded,
  readEvaluationRecord,
  readPlan,
  unknownEvaluation,
  updateEvaluation,
} from './records.ts';
import {
  addToHistory,
  evaluatedRows,
  pointLatestEvaluation,
  readEvaluation,
  readLatestEvaluation,
} from './rows.ts';

/**
 * Case reports to an evaluation and everything that is written of it, `evaluation.json` last: where
 * it is, the rest is. Doing it again writes the same under the same names.
 */
async function aggregateEvaluation(id: string, store: S3Store): Promise<Evaluation> {
  const { plan, record } = await readPlan(store, id);
  const { dataset } = plan.request;
  const { target } = plan;
  const { manifest, digest } = await readBundle(store, plan.bundle.prefix);
  const rows = await evaluatedRows(plan, record, store);
  const scored = rows.filter(({ scores }) => scores.length > 0).length;
  const evaluation = summarise(rows, {
    evaluationId: id,
    dataset,
    // Of both evaluations of a promotion: the request's, so that neither is the newer.
    createdAt: plan.request.requestedAt,
    sammixVersion: provenance(null).sammixVersion,
    bundle: bundleDisplay(manifest, digest),
    scoredCases: isSampled(rows.length) ? scored : undefined,
    previous: await previousEvaluation(store, { dataset, target }, id),
  });
  await writeEvaluation(evaluation, target, store);
  if ((await readActive(store, target)).active?.digest === digest)
    await pointLatestEvaluation(store, evaluation, target);
  return evaluation;
}

/** All that is made of an evaluation, `evaluation.json` last. */
export async function writeEvaluation(
  evaluation: Evaluation,
  target: string | undefined,
  store: S3Store,
): Promise<void> {
  const history = await addToHistory(store, evaluation, target);
  await put(store, evaluation, 'cases.csv', casesCsv(evaluation.cases), 'text/csv');
  const page = await evaluationPage(evaluation, history, store);
  await put(store, evaluation, 'evaluation.html', page, 'text/html');
  await put(store, evaluation, 'evaluation.json', evaluationJson(evaluation), 'application/json');
}

/** The newest of a bundle that was active: also what a candidate is set against. */
async function previousEvaluation(
  store: S3Store,
  { dataset, target }: { readonly dataset: string; readonly target: string | undefined },
  id: string,
): Promise<Evaluation | undefined> {
  const latest = await readLatestEvaluation(store, dataset, target);
  if (!latest || latest.evaluationId === id) return undefined;
  return readEvaluation(store, dataset, latest.evaluationId);
}

const put = (
  store: S3Store,
  { dataset, evaluationId }: Evaluation,
  file: Parameters<typeof cloudKeys.evaluationFile>[2],
  text: string,
  contentType: string,
): Promise<void> =>
  store.put(
    cloudKeys.evaluationFile(dataset, evaluationId, file),
    Buffer.from(text, 'utf8'),
    contentType,
  );

/** The page of an evaluation, with pictures of its worst cases from their own folders. */
async function evaluationPage(
  evaluation: Evaluation,
  history: History,
  store: S3Store,
): Promise<string> {
  // The drawing library takes longer to load than a function that finds nothing to do runs.
  const { galleryPicture, renderEvaluation } = await import('../../core/evaluation/page/render.ts');
  const pictures: EvaluationPicture[] = [];
  for (const caseId of evaluation.worst) {
    const { runId } = evaluation.cases.find((one) => one.caseId === caseId) ?? {};
    if (!runId) continue;
    const keys = cloudRunKeys(evaluation.dataset, caseId, runId);
    const report = await readReport(store, keys);
    const png = await store.getTagged(keys.gallery);
    if (report?.status !== 'segmented' || !png) continue;
    const picture = galleryPicture(report, png.body);
    if (picture) pictures.push(picture);
  }
  return renderEvaluation(evaluation, history, pictures, reportHref(evaluation));
}

/** The bucket's own layout, so that the links hold in a synchronised copy of it. */
const reportHref =
  (evaluation: Evaluation): ReportHref =>
  ({ caseId, runId }) => {
    if (runId === null) return null;
    const up = '../'.repeat(pageKey(evaluation).split('/').length - 1);
    return up + cloudRunKeys(evaluation.dataset, caseId, runId).reportHtml;
  };

/** Where the page of an evaluation is. */
const pageKey = ({ dataset, evaluationId }: Evaluation): string =>
  cloudKeys.evaluationFile(dataset, evaluationId, 'evaluation.html');

export interface FinishPorts extends DecidePorts {
  readonly site: string;
  readonly bucket: string;
  readonly region: string | undefined;
  readonly leaseSeconds: number;
  readonly gpuPrices: GpuPrices;
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
  if (!(await readEvaluationRecord(ports.store, id))) throw unknownEvaluation(id);
  await underLease(
    aggregationLease(ports.store, id, ports.leaseSeconds),
    (now) => ({ ...now!, state: 'aggregating' as const }),
    ({ record }) => aggregateAndDecide(record, ports),
  );
}

/** Free once every job has ended. */
const aggregationLease = (
  store: S3Store,
  id: string,
  leaseSeconds: number,
): Lease<typeof EvaluationRecord> => ({
  ...evaluationLease(store, id, leaseSeconds),
  stateOf: ({ state, jobs }) => {
    if (state === 'aggregating') return 'held';
    return hasEnded({ state }) || jobs.some(({ ended }) => ended === null) ? 'done' : 'free';
  },
});

async function aggregateAndDecide(record: EvaluationRecord, ports: FinishPorts): Promise<void> {
  const { evaluationId: id, traceId } = record;
  const log = ports.log.with({ traceId });
  const evaluation = await aggregateEvaluation(id, ports.store);
  await announce(record, evaluation, ports);
  const decided = await decidePromotion(record, { ...ports, log });
  if (decided) await announceDecision(decided, record.target, ports);
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

async function announce(
  { evaluationId: id }: EvaluationRecord,
  evaluation: Evaluation,
  { store, gpuPrices, emit, notify, ...facts }: FinishPorts,
): Promise<void> {
  const cost = costOnMachines(await evaluationJobs(store, id), gpuPrices);
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
  target: string | undefined,
  { emit, notify, ...facts }: FinishPorts,
): Promise<void> {
  emit(decision.promoted ? { BundlesPromoted: 1 } : { BundlesRefused: 1 });
  await notify(promotionNotice(decision, { site: facts.site, url: urlOf(key, facts), target }));
}

const urlOf = (key: string, { bucket, region }: Pick<FinishPorts, 'bucket' | 'region'>): string =>
  consoleUrl(bucket, key, region);
