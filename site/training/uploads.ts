import type { S3Store } from '../../adapters/s3-store.ts';
import { LIVER } from '../../core/contract/bundle.ts';
import { BundleError, ConfigError, type Fault } from '../../core/errors.ts';
import { toJsonBytes } from '../../core/json.ts';
import { activeFor, type RegisteredBundle, readActive, readBundle } from '../bundles.ts';
import { cloudKeys } from '../contract/keys.ts';
import { TrainingUploads, type TrainRequest } from '../contract/training.ts';
import { type LabelledCase, listDataset } from '../evaluation/plan.ts';

/**
 * Writes down which versions of a dataset's uploads a training learns from, and the bundle that it
 * starts from. Where that is written already, the training goes on with it.
 *
 * @throws ConfigError where no upload has a label, or there is no bundle
 */
export async function pinUploads(
  { id, dataset, startFrom = 'active', config }: TrainRequest & { readonly dataset: string },
  store: S3Store,
): Promise<void> {
  const key = cloudKeys.trainingUploads(id);
  if (await store.stat(key)) return;
  const prefix =
    startFrom === 'active' ? await activePrefix(config.target ?? LIVER, store) : startFrom;
  if (prefix === undefined) throw new ConfigError(noBundle(id));
  const bundle = await registered(store, prefix);
  const { labelled } = await listDataset(store, dataset, undefined);
  const cases = labelled.flatMap((one) => trainable(one) ?? []);
  if (cases.length === 0) throw new ConfigError(noLabels(dataset));
  const names = await store.stat(cloudKeys.datasetJson(dataset));
  const uploads: TrainingUploads = {
    schemaVersion: 1,
    dataset,
    bundlePrefix: bundle.prefix,
    bundleDigest: bundle.digest,
    datasetJson: names ? { key: names.key, version: names.version } : null,
    cases,
  };
  await store.putIf(key, toJsonBytes(TrainingUploads.parse(uploads), 0));
}

/** The target's own, or the main one where it has none yet: fitting turns that into one of the target. */
async function activePrefix(target: string, store: S3Store): Promise<string | undefined> {
  const { active } = await activeFor(store, target);
  return (active ?? (await readActive(store)).active)?.prefix;
}

/** A request may name what is none: that is its own fault, and told beside it. */
async function registered(store: S3Store, prefix: string): Promise<RegisteredBundle> {
  try {
    return await readBundle(store, prefix);
  } catch (error) {
    throw error instanceof BundleError ? new ConfigError(error.fault, { cause: error }) : error;
  }
}

/** A case with one image; what two could be is not learnt from. */
function trainable({
  caseId,
  patientId,
  label,
  images,
}: LabelledCase): TrainingUploads['cases'][number] | undefined {
  const [image, ...others] = images;
  if (!image || others.length > 0) return undefined;
  return {
    caseId,
    patientId,
    image: { key: image.key, version: image.version },
    label: { key: label.key, version: label.version },
  };
}

const noLabels = (dataset: string): Fault => ({
  code: 'no-labelled-uploads',
  subject: `the dataset ${dataset}`,
  expected: 'images with labels among its uploads',
  found: 'none',
  remedy: 'Upload labels (sammix site submit --label), or name another dataset.',
});

const noBundle = (id: string): Fault => ({
  code: 'no-active-bundle',
  subject: `the training request ${id}`,
  expected: 'a bundle to start from',
  found: 'no active one',
  remedy: 'Register one: sammix site register SITE BUNDLE --activate.',
});
