import { pMapIterable } from 'p-map';
import type { S3Store } from '../../adapters/s3-store.ts';
import { runId } from '../../core/contract/keys.ts';
import { type Parameters, parametersOf } from '../../core/contract/manifest.ts';
import type { Fault } from '../../core/errors.ts';
import { patientTable } from '../../core/evaluation/csv.ts';
import type { BlobInfo } from '../../core/ports.ts';
import { finishedReport } from '../../core/stage/finished-report.ts';
import type { RegisteredBundle } from '../bundles.ts';
import {
  type EvaluationPlan,
  type EvaluationRecord,
  evaluationId,
  PLAN_PART,
  type PlannedCase,
} from '../contract/evaluation.ts';
import {
  cloudKeys,
  cloudRunKeys,
  inputVersion,
  parseUpload,
  uploadsBelow,
} from '../contract/keys.ts';
import type { LabelPointer } from '../contract/runs.ts';
import { isLabelOf, labelVersion, readLabelPointer } from '../runs.ts';
import { writePlanPart } from './records.ts';

export interface PlanSettings {
  readonly headerText: boolean;
  readonly casesPerJob: number;
  readonly slicesPerSlab: number;
}

/** Reports read at once: each is some hundred kilobytes. */
const AT_ONCE = 16;

/**
 * Sorts the labelled cases into those whose result exists, those to compute, and the impossible, and
 * writes the parts of the plan as they fill: it is the whole when its head is written too.
 */
export async function planEvaluation(
  { request, target }: Pick<EvaluationRecord, 'request' | 'target'>,
  bundle: RegisteredBundle,
  listing: DatasetListing,
  settings: PlanSettings,
  store: S3Store,
): Promise<EvaluationPlan> {
  const id = evaluationId(request, bundle.digest);
  const parts: EvaluationPlan['parts'] = [];
  let [cases, computed]: [PlannedCase[], number] = [[], 0];
  const finishPart = async (): Promise<void> => {
    const part = parts.length;
    parts.push({ cases: cases.length, children: childrenOf(cases) });
    await writePlanPart(store, { dataset: request.dataset, id, part }, cases);
    cases = [];
  };
  const parameters = parametersOf(bundle.manifest, settings.headerText);
  const { casesPerJob, slicesPerSlab } = settings;
  const planned = pMapIterable(
    listing.labelled,
    (one) => planCase(one, request.dataset, { digest: bundle.digest, parameters, target }, store),
    { concurrency: AT_ONCE },
  );
  for await (const one of planned) {
    const child = one.work === 'compute' ? Math.floor(computed++ / settings.casesPerJob) : null;
    cases.push({ ...one, child });
    if (cases.length === PLAN_PART) await finishPart();
  }
  if (cases.length > 0) await finishPart();
  return {
    schemaVersion: 1,
    evaluationId: id,
    request,
    createdAt: new Date().toISOString(),
    bundle: { prefix: bundle.prefix, digest: bundle.digest },
    ...(target !== undefined && { target }),
    parameters,
    casesPerJob,
    slicesPerSlab,
    unlabelledImages: listing.unlabelledImages,
    children: Math.ceil(computed / settings.casesPerJob),
    parts,
  };
}

function childrenOf(cases: readonly PlannedCase[]): [number, number] | null {
  const children = cases.flatMap(({ child }) => child ?? []);
  const [first] = children;
  return first === undefined ? null : [first, children.at(-1)!];
}

interface PlannedRun {
  readonly digest: string;
  readonly parameters: Parameters;
  readonly target: string | undefined;
}

async function planCase(
  { caseId, patientId, label, images }: LabelledCase,
  dataset: string,
  { digest, parameters, target }: PlannedRun,
  store: S3Store,
): Promise<Omit<PlannedCase, 'child'>> {
  const [info, ...others] = images;
  if (!info || others.length > 0) {
    const fault = info ? severalImages(caseId, images.length) : noImage(caseId);
    return { caseId, patientId, label, image: null, runId: null, work: 'impossible', fault };
  }
  const { key, bytes, version } = info;
  const name = key.slice(key.lastIndexOf('/') + 1);
  // The same id as the upload's own run: what the site has already made of it is used again.
  const id = runId({ name, version: inputVersion(version) }, digest, parameters);
  const done = await finishedReport(
    store,
    cloudRunKeys(dataset, caseId, id),
    id,
    labelVersion(label, target),
  );
  return {
    caseId,
    patientId,
    label,
    image: { key, name, bytes, version },
    runId: id,
    work: done ? 'reuse' : 'compute',
    fault: null,
  };
}

const noImage = (caseId: string): Fault => ({
  code: 'image-missing',
  subject: caseId,
  expected: 'the image that the label belongs to',
  found: 'none: it was refused, removed or never uploaded',
  remedy: 'See quarantine/ for the reason, upload the image, or remove the label.',
});

const severalImages = (caseId: string, count: number): Fault => ({
  code: 'several-images',
  subject: caseId,
  expected: 'one image of the case',
  found: `${count} under names that mean the same case`,
  remedy: 'Remove all but one.',
});

/** S3 answers some thousands of requests a second; so many are on their way at once. */
const LISTED_AT_ONCE = 24;

export interface LabelledCase {
  readonly caseId: string;
  /** Null where the dataset does not say. */
  readonly patientId: string | null;
  readonly label: LabelPointer;
  /** With S3's version ids. None where the upload was refused or removed. */
  readonly images: readonly BlobInfo[];
}

export interface DatasetListing {
  /** By case id. */
  readonly labelled: readonly LabelledCase[];
  readonly unlabelledImages: number;
}

/**
 * The cases of a dataset that can be measured. A label whose upload has not been dealt with yet has
 * no pointer and counts from the next evaluation on.
 *
 * @param target a further one of the site: only labels that name it count
 * @throws ConfigError where the dataset's table of patients is not one
 */
export async function listDataset(
  store: S3Store,
  dataset: string,
  target: string | undefined,
): Promise<DatasetListing> {
  const images = await byCase(store, uploadsBelow(dataset, 'images'));
  const labels = await byCase(store, uploadsBelow(dataset, 'labels'));
  const patients = await patientsOf(store, dataset);
  const labelled: LabelledCase[] = [];
  const cases = pMapIterable(
    [...labels.keys()].sort(),
    async (caseId) => {
      const label = await readLabelPointer(store, dataset, caseId);
      const patientId = patients.get(caseId) ?? null;
      const found = await versions(store, images.get(caseId) ?? []);
      return label && isLabelOf(label, target)
        ? { caseId, patientId, label, images: found }
        : undefined;
    },
    { concurrency: LISTED_AT_ONCE },
  );
  for await (const one of cases) if (one) labelled.push(one);
  const unlabelledImages = [...images.keys()].filter((caseId) => !labels.has(caseId)).length;
  return { labelled, unlabelledImages };
}

async function patientsOf(store: S3Store, dataset: string): Promise<ReadonlyMap<string, string>> {
  const key = cloudKeys.patients(dataset);
  const found = await store.getTagged(key);
  return found ? patientTable(Buffer.from(found.body).toString('utf8'), key) : new Map();
}

async function byCase(store: S3Store, prefix: string): Promise<Map<string, string[]>> {
  const keys = new Map<string, string[]>();
  for await (const { key } of store.list(prefix)) {
    const upload = parseUpload(key);
    if (upload) keys.set(upload.caseId, [...(keys.get(upload.caseId) ?? []), key]);
  }
  return keys;
}

/** A listing has no version ids. */
async function versions(store: S3Store, keys: readonly string[]): Promise<BlobInfo[]> {
  const infos = await Promise.all(keys.map((key) => store.stat(key)));
  return infos.filter((info) => info !== undefined);
}
