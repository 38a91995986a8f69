import { assertSegment, caseIdFromFileName, type RunKeys, runKeys } from './keys.ts';

/**
 * The keys of a site's bucket, built and parsed here only:
 *
 *     incoming/<dataset>/{images,labels}/<file>      uploads
 *     cases/<dataset>/<case>/<run>/…                 what core/contract/keys.ts names
 *     cases/<dataset>/<case>/{latest,label}.json     pointers
 *     work/<run>/…                                   slabs and their masks, removed after a while
 *     quarantine/<dataset>/<run>/<file>              rejected uploads, with reason.json beside
 *     runs/<run>.json, runs/<run>/jobs/<index>.json  state of a run and of its jobs
 *     models/<name>/<digest>/…, models/active.json   bundles
 *     summaries/<dataset>/{summary.json,summary.csv}
 */
export const cloudKeys = {
  incoming: (dataset: string, kind: 'images' | 'labels', file: string) =>
    `incoming/${assertSegment(dataset, 'the dataset')}/${kind}/${file}`,
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
  bundle: (name: string, digest: string) => `models/${name}/${digest.slice(0, 16)}`,
  activeBundle: 'models/active.json',
  /** The run's record beside its results: what it cost, and its trace. */
  account: (dataset: string, caseId: string, runId: string) =>
    `${cloudKeys.runPrefix(dataset, caseId, runId)}/run.json`,
  summary: (dataset: string, file: 'summary.json' | 'summary.csv') =>
    `summaries/${dataset}/${file}`,
} as const;

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

const LATEST = /^cases\/([^/]+)\/([^/]+)\/latest\.json$/;

export function parseLatest(key: string): { dataset: string; caseId: string } | undefined {
  const [, dataset, caseId] = LATEST.exec(key) ?? [];
  return dataset === undefined || caseId === undefined ? undefined : { dataset, caseId };
}
