import { createHash } from 'node:crypto';
import { RUN_ID } from '../../core/contract/hex.ts';
import { assertSegment, type RunKeys, runKeys, targetFolder } from '../../core/contract/keys.ts';
import { uploadCaseId } from '../../core/dataset/case-id.ts';
import { plainName } from '../../core/dataset/class-names.ts';

/**
 * The folders of a site's bucket: keys begin so, rules match them and roles end at them. They are
 * written here only, so that none can be renamed for one of the three and not for the others.
 */
export const PREFIX = {
  incoming: 'incoming/',
  cases: 'cases/',
  work: 'work/',
  quarantine: 'quarantine/',
  runs: 'runs/',
  handled: 'runs/handled/',
  open: 'runs/open/',
  models: 'models/',
  /** Which bundles are active for further targets; for the main one: models/active.json. */
  furtherActive: 'models/active/',
  decisions: 'models/decisions/',
  canaries: 'models/canaries/',
  candidates: 'models/candidates/',
  /** Bundles that the trainer makes: not who is active, and not who is offered for promotion. */
  trainedBundles: 'models/sammix-',
  training: 'training/',
  trainingRequests: 'training/requests/',
  trainingJobs: 'training/jobs/',
  trainingRuns: 'training/runs/',
  trainingData: 'training/data/',
  evaluations: 'evaluations/',
  evaluationRuns: 'evaluation-runs/',
  evaluationRequests: 'evaluation-runs/requests/',
  evaluationReady: 'evaluation-runs/ready/',
  openEvaluations: 'evaluation-runs/open/',
  summaries: 'summaries/',
  /** Which DICOM series the cases are: names patients, and is for nobody who reads results. */
  dicom: 'dicom/',
  viewer: 'viewer/',
} as const;

const UPLOADS_FILE = 'uploads.json';
const NO_SEGMENTATION = 'segmentation.reason.json';

/** What stands beside a mask as DICOM, or why nothing does; as a role's resources. */
export const SEGMENTATIONS = [
  runKeys(`${PREFIX.cases}*`).dicomSeg,
  `${PREFIX.cases}*/${NO_SEGMENTATION}`,
] as const;

/** Pointers to the newest runs of all cases, as a rule matches them. */
export const LATEST_POINTERS = `${PREFIX.cases}*/latest*.json`;

/** The records of the uploads of all trainings, as a role's resource. */
export const TRAINING_UPLOADS = `${PREFIX.trainingRuns}*/${UPLOADS_FILE}`;

/** Names of the Batch jobs begin so: rules match them, and the ends of jobs are told apart by them. */
export const JOB_NAME = { segment: 'segment-', evaluate: 'evaluate-', train: 'train-' } as const;

/** Of an evaluation: the time of the request, and a hash. */
export const EVALUATION_ID = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;

/** Of any run and any evaluation: the accounts of their jobs' attempts. */
export const JOB_RECORDS = {
  runs: `${PREFIX.runs}*/jobs/`,
  evaluations: `${PREFIX.evaluationRuns}*/jobs/`,
} as const;

/**
 * The keys of a site's bucket, built and parsed here only:
 *
 *     incoming/<dataset>/{images,labels}/<file>      uploads
 *     incoming/<dataset>/dicom/<name>.zip            DICOM; or .../<name>/… with .../<name>/ready written last
 *     incoming/<dataset>/patients.csv                whose the cases are
 *     incoming/<dataset>/dataset.json                what the classes of its labels are called
 *     cases/<dataset>/<case>/<run>/…                 what core/contract/keys.ts names
 *     cases/<dataset>/<case>/{latest,label}.json     pointers; latest-<target>.json of further targets
 *     cases/<dataset>/<case>/report.{json,html}      of all targets, where a site has several
 *     work/<run>/…                                   slabs and their masks, removed after a while
 *     quarantine/<dataset>/<run>/<file>              rejected uploads, with reason.json beside
 *     runs/<run>.json, runs/<run>/jobs/<index>.json  state of a run and of its jobs
 *     runs/handled/<hash>, runs/<run>/reported       marks of events that were dealt with
 *     runs/images/<hash>.json                        which image has a case's name
 *     runs/open/<run>                                marks of runs that have not ended
 *     models/<name>/<digest>/…, models/active.json   bundles; models/active/<target>.json for further targets
 *     models/candidates/<digest>.json                bundles that may be promoted
 *     training/requests/<id>{,.reason}.json          requests, and why one came to nothing
 *     training/jobs/<hash of id>.json                where an accepted request stands
 *     training/runs/<id>/…, training/data/…          the trainer's own
 *     summaries/<dataset>/{summary.json,summary.csv}
 *     dicom/<dataset>/<case>.json                    which DICOM series a case is (site/contract/dicom.ts)
 *     dicom/<dataset>/uploads/<id>.json              what became of an upload of DICOM
 *     viewer/<digest>.html                           the page of `sammix site view`
 */
export const cloudKeys = {
  incoming: (dataset: string, kind: UploadKind, file: string) =>
    `${uploadsBelow(dataset, kind)}${file}`,
  /** Which cases are one patient's; a case that it does not name is a patient by itself. */
  patients: (dataset: string) =>
    `${PREFIX.incoming}${assertSegment(dataset, 'the dataset')}/patients.csv`,
  /** What the classes of its labels are called, as on a laptop. */
  datasetJson: (dataset: string) =>
    `${PREFIX.incoming}${assertSegment(dataset, 'the dataset')}/dataset.json`,
  case: (dataset: string, caseId: string) =>
    `${casesBelow(dataset)}${assertSegment(caseId, 'the case')}`,
  runPrefix: (dataset: string, caseId: string, runId: string) =>
    `${cloudKeys.case(dataset, caseId)}/${runId}`,
  /** `target`: a further one of the site. */
  latest: (dataset: string, caseId: string, target?: string) =>
    `${cloudKeys.case(dataset, caseId)}/latest${ofTarget(target)}.json`,
  labelPointer: (dataset: string, caseId: string) =>
    `${cloudKeys.case(dataset, caseId)}/label.json`,
  quarantined: (dataset: string, runId: string, file: string) =>
    `${PREFIX.quarantine}${dataset}/${runId}/${file}`,
  quarantineReason: (dataset: string, runId: string) =>
    `${PREFIX.quarantine}${dataset}/${runId}/reason.json`,
  run: (runId: string) => `${PREFIX.runs}${runId}.json`,
  jobRecords: (runId: string) => `${PREFIX.runs}${runId}/jobs/`,
  /** Every attempt has its own: an interrupted one has cost GPU time as well. */
  jobRecord: (runId: string, index: number, attempt: number) =>
    `${PREFIX.runs}${runId}/jobs/${index}-${attempt}.json`,
  /** Says that a run has not ended; empty. */
  openRun: (runId: string) => `${PREFIX.open}${runId}`,
  /** Says that an uploaded version was dealt with. One HEAD finds it: it is empty. */
  handled: (key: string, version: string) => `${PREFIX.handled}${uploadHash(key, version)}`,
  /** Which image has a case's name, where two could have it. */
  caseImage: (dataset: string, caseId: string) =>
    `${PREFIX.runs}images/${shortHash(`${dataset}\n${caseId}`)}.json`,
  /** Says that a run was reported and accounted for. */
  reported: (runId: string) => `${PREFIX.runs}${runId}/reported`,
  bundle: (name: string, digest: string) => `${PREFIX.models}${name}/${digest.slice(0, 16)}`,
  activeBundle: `${PREFIX.models}active.json`,
  activeBundleOf: (target: string | undefined) =>
    target === undefined
      ? cloudKeys.activeBundle
      : `${PREFIX.furtherActive}${targetKey(target)}.json`,
  /** `time` in ISO 8601; to the millisecond, because people's decisions can follow at once. */
  decision: (time: string, digest: string) =>
    `${PREFIX.decisions}${new Date(time).toISOString().replace(/[-:.]/g, '')}-${digest.slice(0, 16)}.json`,
  canaryReference: (digest: string) => `${PREFIX.canaries}${digest.slice(0, 16)}.json`,
  candidate: (digest: string) => `${PREFIX.candidates}${digest.slice(0, 16)}.json`,
  trainingRequest: (id: string) => `${PREFIX.trainingRequests}${id}.json`,
  trainingReason: (id: string) => `${PREFIX.trainingRequests}${id}${REASON}`,
  trainingJob: (hash: string) => `${PREFIX.trainingJobs}${hash}.json`,
  /** Which uploads a training learns from, in which versions. */
  trainingUploads: (id: string) => `${PREFIX.trainingRuns}${id}/${UPLOADS_FILE}`,
  trainingResult: (id: string) => `${PREFIX.trainingRuns}${id}/result.json`,
  /** The run's record beside its results: what it cost, and its trace. */
  account: (dataset: string, caseId: string, runId: string) =>
    `${cloudKeys.runPrefix(dataset, caseId, runId)}/run.json`,
  /** Why there is no DICOM-SEG of a run. */
  noSegmentation: (dataset: string, caseId: string, runId: string) =>
    `${cloudKeys.runPrefix(dataset, caseId, runId)}/${NO_SEGMENTATION}`,
  dicomUpload: (dataset: string, uploadId: string) =>
    `${dicomUploadsBelow(dataset)}${uploadId}.json`,
  dicomSource: (dataset: string, caseId: string) =>
    `${PREFIX.dicom}${assertSegment(dataset, 'the dataset')}/${assertSegment(caseId, 'the case')}.json`,
  viewerPage: (sha256: string) => `${PREFIX.viewer}${sha256.slice(0, 16)}.html`,
  summary: (dataset: string, file: 'summary.json' | 'summary.csv') =>
    `${PREFIX.summaries}${dataset}/${file}`,
  evaluations: (dataset: string) => `${PREFIX.evaluations}${assertSegment(dataset, 'the dataset')}`,
  evaluation: (dataset: string, id: string) => `${cloudKeys.evaluations(dataset)}/${id}`,
  evaluationPlan: (dataset: string, id: string) => `${cloudKeys.evaluation(dataset, id)}/plan.json`,
  evaluationPlanPart: (dataset: string, id: string, part: number) =>
    `${cloudKeys.evaluation(dataset, id)}/plan/${part}.json`,
  evaluationRows: (dataset: string, id: string, part: number) =>
    `${cloudKeys.evaluation(dataset, id)}/rows/${part}.json`,
  evaluationFile: (
    dataset: string,
    id: string,
    file: 'evaluation.json' | 'cases.csv' | 'evaluation.html',
  ) => `${cloudKeys.evaluation(dataset, id)}/${file}`,
  latestEvaluation: (dataset: string, target?: string) =>
    `${cloudKeys.evaluations(dataset)}/latest${ofTarget(target)}.json`,
  evaluationHistory: (dataset: string, target?: string) =>
    `${cloudKeys.evaluations(dataset)}/history${ofTarget(target)}.json`,
  evaluationRecord: (id: string) => `${PREFIX.evaluationRuns}${id}.json`,
  evaluationRequest: (id: string) => `${PREFIX.evaluationRequests}${id}.json`,
  evaluationJobs: (id: string) => `${PREFIX.evaluationRuns}${id}/jobs/`,
  evaluationJob: (id: string, child: number, attempt: number) =>
    `${PREFIX.evaluationRuns}${id}/jobs/${child}-${attempt}.json`,
  /** Says that an evaluation has not ended; empty. */
  openEvaluation: (id: string) => `${PREFIX.openEvaluations}${id}`,
  /** Why an evaluation was given up. */
  evaluationReason: (dataset: string, id: string) =>
    `${cloudKeys.evaluation(dataset, id)}/reason.json`,
  /** Written where there is nothing to compute, so that the aggregation begins at once. */
  evaluationReady: (id: string) => `${PREFIX.evaluationReady}${id}.json`,
} as const;

/** What tells the keys of a further target from those of the main one, which were there before. */
const ofTarget = (target: string | undefined): string =>
  target === undefined ? '' : `-${targetKey(target)}`;

/** Names of an organ that mean the same have the same keys. */
export const targetKey = (target: string): string => targetFolder(plainName(target));

const REASON = '.reason.json';

/** Names of classes, of any dataset. */
export const DATASET_JSONS = `${PREFIX.incoming}*/dataset.json`;

/** Reason files of any request, for a role that may write nothing else there. */
export const TRAINING_REASONS = `${PREFIX.trainingRequests}*${REASON}`;

const shortHash = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 16);

/**
 * Stands for one version of an upload where its key may not be told. S3 draws the ids of versions: of
 * the hash nobody gets the key who does not know it already.
 */
export const uploadHash = (key: string, version: string): string => shortHash(`${key}\n${version}`);

/** Records of a dataset's uploads of DICOM. */
export const dicomUploadsBelow = (dataset: string): string =>
  `${PREFIX.dicom}${assertSegment(dataset, 'the dataset')}/uploads/`;

/** The same of any dataset, as a role's resource. */
export const DICOM_UPLOADS = `${PREFIX.dicom}*/uploads/*`;

/** Stands for a request's id where Batch allows no dots: in the name of its job. */
export const trainingHash = (id: string): string => shortHash(id);

/** The id that a request's key stands for; undefined where the key is no request. */
export function parseTrainingRequest(key: string): string | undefined {
  if (!key.startsWith(PREFIX.trainingRequests) || !key.endsWith('.json') || key.endsWith(REASON))
    return undefined;
  return key.slice(PREFIX.trainingRequests.length, -'.json'.length);
}

/** The id of a request's reason file; undefined where the key is none. */
export const parseTrainingReason = (key: string): string | undefined =>
  key.startsWith(PREFIX.trainingRequests) && key.endsWith(REASON)
    ? key.slice(PREFIX.trainingRequests.length, -REASON.length)
    : undefined;

/**
 * A run's keys in the cloud: results below the case; what is between the stages below `work/`, where
 * one lifecycle rule removes it and the GPU job's role ends.
 */
export function cloudRunKeys(dataset: string, caseId: string, runId: string): RunKeys {
  const { work, manifest, slab, slabMasks, slabRecords } = runKeys(`${PREFIX.work}${runId}`);
  const results = runKeys(cloudKeys.runPrefix(dataset, caseId, runId));
  return { ...results, work, manifest, slab, slabMasks, slabRecords };
}

export interface Upload {
  readonly kind: 'image' | 'label';
  readonly dataset: string;
  readonly caseId: string;
  readonly fileName: string;
  /** Its path below `images/` or `labels/`: by it image and label belong together. */
  readonly place: string;
}

/** `dicom`: zip files, of which come images. */
export type UploadKind = 'images' | 'labels' | 'dicom';

/** Below it are the uploads of a dataset. */
export const uploadsBelow = (dataset: string, kind: UploadKind): string =>
  `${PREFIX.incoming}${assertSegment(dataset, 'the dataset')}/${kind}/`;

/** Below it are the cases of a dataset. */
export const casesBelow = (dataset: string): string =>
  `${PREFIX.cases}${assertSegment(dataset, 'the dataset')}/`;

const UPLOAD = new RegExp(`^${PREFIX.incoming}([^/]+)/(images|labels)/((?:.*/)?[^/]+)$`);

/**
 * What an uploaded key means; undefined where it is no upload of ours (a folder marker, a stray
 * file). EventBridge delivers keys as they are, unlike S3's own notifications, which encode them.
 */
export function parseUpload(key: string): Upload | undefined {
  const [, dataset, kind, place] = UPLOAD.exec(key) ?? [];
  if (dataset === undefined || place === undefined) return undefined;
  const parts = place.split('/').filter((part) => part !== '');
  return {
    kind: kind === 'images' ? 'image' : 'label',
    dataset,
    fileName: parts.at(-1)!,
    caseId: uploadCaseId(parts),
    place,
  };
}

/** An upload of DICOM: a zip file, or the marker that closes the files beside it. */
export interface DicomUploadKey {
  readonly kind: 'archive' | 'files';
  readonly dataset: string;
}

/** How uploads of DICOM end: a zip file's name, and the name of the marker. */
export const DICOM_ENDINGS = { archive: '.zip', files: '/ready' } as const;

const DICOM_UPLOAD = new RegExp(`^${PREFIX.incoming}([^/]+)/dicom/.+?(\\.zip|/ready)$`);

/** Undefined where a key is no upload of DICOM that is complete by itself. */
export function parseDicomUpload(key: string): DicomUploadKey | undefined {
  const [, dataset, ending] = DICOM_UPLOAD.exec(key) ?? [];
  if (dataset === undefined) return undefined;
  return { kind: ending === DICOM_ENDINGS.archive ? 'archive' : 'files', dataset };
}

/** Below it are the files that a marker closes, and itself. */
export const filesBeside = (marker: string): string =>
  marker.slice(0, 1 - DICOM_ENDINGS.files.length);

const READY = new RegExp(`^${PREFIX.evaluationReady}([^/]+)\\.json$`);

export const idOfReady = (key: string): string | undefined => READY.exec(key)?.[1];

const LATEST = new RegExp(`^${PREFIX.cases}([^/]+)/([^/]+)/latest(?:-[^/]+)?\\.json$`);

/** The case that a pointer is of, to whichever target. */
export function parseLatest(key: string): { dataset: string; caseId: string } | undefined {
  const [, dataset, caseId] = LATEST.exec(key) ?? [];
  return dataset === undefined || caseId === undefined ? undefined : { dataset, caseId };
}

/** Job names carry the run's id and nothing of the patient. */
export const segmentJobName = (runId: string): string => `${JOB_NAME.segment}${runId}`;

export const runIdOfJobName = (jobName: string): string | undefined =>
  hexAfter(JOB_NAME.segment, jobName);

/** The rest of a name, where it is as long as a run id and made like one. */
function hexAfter(prefix: string, name: string): string | undefined {
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return RUN_ID.test(rest) ? rest : undefined;
}

/** `hash`: see `trainingHash`. */
export const trainJobName = (hash: string): string => `${JOB_NAME.train}${hash}`;

export const trainingHashOfJobName = (jobName: string): string | undefined =>
  hexAfter(JOB_NAME.train, jobName);

const RUN_RECORD = new RegExp(`^${PREFIX.runs}([0-9a-f]{16})\\.json$`);

/** The run whose record a key names; undefined where it names something else. */
export const runIdOfRecord = (key: string): string | undefined => RUN_RECORD.exec(key)?.[1];

export const runIdOfOpen = (key: string): string | undefined => hexAfter(PREFIX.open, key);

const S3_VERSION = 's3:';

/** The version of a run's input, for its run id, from S3's version id. */
export const inputVersion = (versionId: string): string => `${S3_VERSION}${versionId}`;

/** S3's version id from the version of an input; undefined of an input that was not in a bucket. */
export const versionIdOf = (version: string): string | undefined =>
  version.startsWith(S3_VERSION) ? version.slice(S3_VERSION.length) : undefined;
