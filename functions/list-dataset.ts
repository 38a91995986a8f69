import { inOrder } from '../adapters/in-order.ts';
import { readLabelPointer } from '../adapters/run-records.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import { cloudKeys, parseUpload } from '../core/contract/cloud-keys.ts';
import type { LabelPointer } from '../core/contract/messages.ts';
import { patientTable } from '../core/evaluation/patient-table.ts';
import type { BlobInfo } from '../core/ports.ts';

/** S3 answers some thousands of requests a second; so many are on their way at once. */
const AT_ONCE = 24;

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
 * @throws ConfigError where the dataset's table of patients is not one
 */
export async function listDataset(store: S3Store, dataset: string): Promise<DatasetListing> {
  const images = await byCase(store, `incoming/${dataset}/images/`);
  const labels = await byCase(store, `incoming/${dataset}/labels/`);
  const patients = await patientsOf(store, dataset);
  const labelled: LabelledCase[] = [];
  const cases = inOrder([...labels.keys()].sort(), AT_ONCE, async (caseId) => {
    const label = await readLabelPointer(store, dataset, caseId);
    const patientId = patients.get(caseId) ?? null;
    const found = await versions(store, images.get(caseId) ?? []);
    return label && { caseId, patientId, label, images: found };
  });
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
