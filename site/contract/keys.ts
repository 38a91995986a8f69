import { createHash } from 'node:crypto';
import {
  assertSegment,
  caseIdFromFileName,
  type RunKeys,
  runKeys,
} from '../../core/contract/keys.ts';

/**
 * The keys of a site's bucket, built and parsed here only:
 *
 *     incoming/<dataset>/{images,labels}/<file>      uploads
 *     incoming/<dataset>/patients.csv                whose the cases are
 *     cases/<dataset>/<case>/<run>/…                 what core/contract/keys.ts names
 *     cases/<dataset>/<case>/{latest,label}.json     pointers
 *     work/<run>/…                                   slabs and their masks, removed after a while
 *     quarantine/<dataset>/<run>/<file>              rejected uploads, with reason.json beside
 *     runs/<run>.json, runs/<run>/jobs/<index>.json  state of a run and of its jobs
 *     runs/handled/<hash>, runs/<run>/reported       marks of events that were dealt with
 *     models/<name>/<digest>/…, models/active.json   bundles
 *     models/candidates/<digest>.json                bundles that may be promoted
 *     training/requests/<id>{,.reason}.json          requests, and why one came to nothing
 *     training/jobs/<hash of id>.json                where an accepted request stands
 *     training/runs/<id>/…, training/data/…          the trainer's own
 *     summaries/<dataset>/{summary.json,summary.csv}
 *     viewer/<digest>.html                           the page of `sammix site view`
 */
export const cloudKeys = {
  incoming: (dataset: string, kind: 'images' | 'labels', file: string) =>
    `incoming/${assertSegment(dataset, 'the dataset')}/${kind}/${file}`,
  /** Which cases are one patient's; a case that it does not name is a patient by itself. */
  patients: (dataset: string) => `incoming/${assertSegment(dataset, 'the dataset')}/patients.csv`,
  case: (dataset: string, caseId: string) =>
    `cases/${assertSegment(dataset, 'the dataset')}/${assertSegment(caseId, 'the case')}`,
  runPrefix: (dataset: string, caseId: string, runId: string) =>
    `${cloudKeys.case(dataset, caseId)}/${runId}`,
  latest: (dataset: string, caseId: string) => `${cloudKeys.case(dataset, caseId)}/latest.json`,
  labelPointer: (dataset: string, caseId: string) =>
    `${cloudKeys.case(dataset, caseId)}/label.json`,
  quarantined: (dataset: string, runId: string, file: string) =>
    `quarantine/${dataset}/${runId}/${file}`,
  quarantineReason: (dataset: string, runId: string) =>
    `quarantine/${dataset}/${runId}/reason.json`,
  run: (runId: string) => `runs/${runId}.json`,
  jobRecords: (runId: string) => `runs/${runId}/jobs/`,
  /** Every attempt has its own: an interrupted one has cost GPU time as well. */
  jobRecord: (runId: string, index: number, attempt: number) =>
    `runs/${runId}/jobs/${index}-${attempt}.json`,
  /** Says that an uploaded version was dealt with. One HEAD finds it: it is empty. */
  handled: (key: string, version: string) => `runs/handled/${shortHash(`${key}\n${version}`)}`,
  /** Says that a run was reported and accounted for. */
  reported: (runId: string) => `runs/${runId}/reported`,
  bundle: (name: string, digest: string) => `models/${name}/${digest.slice(0, 16)}`,
  activeBundle: 'models/active.json',
  /** `time` in ISO 8601; to the millisecond, because people's decisions can follow at once. */
  decision: (time: string, digest: string) =>
    `models/decisions/${new Date(time).toISOString().replace(/[-:.]/g, '')}-${digest.slice(0, 16)}.json`,
  canaryReference: (digest: string) => `models/canaries/${digest.slice(0, 16)}.json`,
  candidates: 'models/candidates/',
  candidate: (digest: string) => `models/candidates/${digest.slice(0, 16)}.json`,
  trainingRequest: (id: string) => `${TRAINING_REQUESTS}${id}.json`,
  trainingReason: (id: string) => `${TRAINING_REQUESTS}${id}${REASON}`,
  trainingJobs: 'training/jobs/',
  trainingJob: (hash: string) => `training/jobs/${hash}.json`,
  trainingResult: (id: string) => `training/runs/${id}/result.json`,
  /** The run's record beside its results: what it cost, and its trace. */
  account: (dataset: string, caseId: string, runId: string) =>
    `${cloudKeys.runPrefix(dataset, caseId, runId)}/run.json`,
  viewerPage: (sha256: string) => `viewer/${sha256.slice(0, 16)}.html`,
  summary: (dataset: string, file: 'summary.json' | 'summary.csv') =>
    `summaries/${dataset}/${file}`,
  evaluations: (dataset: string) => `evaluations/${assertSegment(dataset, 'the dataset')}`,
  evaluation: (dataset: string, id: string) => `${cloudKeys.evaluations(dataset)}/${id}`,
  evaluationPlan: (dataset: string, id: string) => `${cloudKeys.evaluation(dataset, id)}/plan.json`,
  evaluationFile: (
    dataset: string,
    id: string,
    file: 'evaluation.json' | 'cases.csv' | 'evaluation.html',
  ) => `${cloudKeys.evaluation(dataset, id)}/${file}`,
  latestEvaluation: (dataset: string) => `${cloudKeys.evaluations(dataset)}/latest.json`,
  evaluationHistory: (dataset: string) => `${cloudKeys.evaluations(dataset)}/history.json`,
  evaluationRecord: (id: string) => `evaluation-runs/${id}.json`,
  evaluationRequest: (id: string) => `${EVALUATION_REQUESTS}${id}.json`,
  evaluationJobs: (id: string) => `evaluation-runs/${id}/jobs/`,
  evaluationJob: (id: string, child: number, attempt: number) =>
    `evaluation-runs/${id}/jobs/${child}-${attempt}.json`,
  /** Written where there is nothing to compute, so that the aggregation begins at once. */
  evaluationReady: (id: string) => `${READY}${id}.json`,
} as const;

export const TRAINING_REQUESTS = 'training/requests/';
const REASON = '.reason.json';

const shortHash = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Stands for a request's id where Batch allows no dots: in the name of its job. */
export const trainingHash = (id: string): string => shortHash(id);

/** The id that a request's key stands for; undefined where the key is no request. */
export function parseTrainingRequest(key: string): string | undefined {
  if (!key.startsWith(TRAINING_REQUESTS) || !key.endsWith('.json') || key.endsWith(REASON))
    return undefined;
  return key.slice(TRAINING_REQUESTS.length, -'.json'.length);
}

/** The id of a request's reason file; undefined where the key is none. */
export const parseTrainingReason = (key: string): string | undefined =>
  key.startsWith(TRAINING_REQUESTS) && key.endsWith(REASON)
    ? key.slice(TRAINING_REQUESTS.length, -REASON.length)
    : undefined;

/**
 * A run's keys in the cloud: results below the case; what is between the stages below `work/`, where
 * one lifecycle rule removes it and the GPU job's role ends.
 */
export function cloudRunKeys(dataset: string, caseId: string, runId: string): RunKeys {
  const { work, manifest, slab, slabMasks, slabRecords } = runKeys(`work/${runId}`);
  const results = runKeys(cloudKeys.runPrefix(dataset, caseId, runId));
  return { ...results, work, manifest, slab, slabMasks, slabRecords };
}

export interface Upload {
  readonly kind: 'image' | 'label';
  readonly dataset: string;
  readonly caseId: string;
  readonly fileName: string;
}

const UPLOAD = /^incoming\/([^/]+)\/(images|labels)\/(?:.*\/)?([^/]+)$/;

/**
 * What an uploaded key means; undefined where it is no upload of ours (a folder marker, a stray
 * file). EventBridge delivers keys as they are, unlike S3's own notifications, which encode them.
 */
export function parseUpload(key: string): Upload | undefined {
  const [, dataset, kind, fileName] = UPLOAD.exec(key) ?? [];
  if (dataset === undefined || fileName === undefined) return undefined;
  return {
    kind: kind === 'images' ? 'image' : 'label',
    dataset,
    fileName,
    caseId: caseIdFromFileName(fileName),
  };
}

/** Keys that start and end evaluations, and that offer bundles: what the rules of a site match. */
export const EVALUATION_REQUESTS = 'evaluation-runs/requests/';
export const READY = 'evaluation-runs/ready/';

export function idOfReady(key: string): string | undefined {
  return /^evaluation-runs\/ready\/([^/]+)\.json$/.exec(key)?.[1];
}

const LATEST = /^cases\/([^/]+)\/([^/]+)\/latest\.json$/;

export function parseLatest(key: string): { dataset: string; caseId: string } | undefined {
  const [, dataset, caseId] = LATEST.exec(key) ?? [];
  return dataset === undefined || caseId === undefined ? undefined : { dataset, caseId };
}

/** Job names carry the run's id and nothing of the patient. */
export const segmentJobName = (runId: string): string => `segment-${runId}`;

export function runIdOfJobName(jobName: string): string | undefined {
  return /^segment-([0-9a-f]{16})$/.exec(jobName)?.[1];
}

/** `hash`: see `trainingHash`. */
export const trainJobName = (hash: string): string => `train-${hash}`;

export function trainingHashOfJobName(jobName: string): string | undefined {
  return /^train-([0-9a-f]{16})$/.exec(jobName)?.[1];
}
