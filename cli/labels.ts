import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { ConfigError } from '../core/errors.ts';
import type { CaseInput } from './inputs.ts';

const NIFTI = /\.(nii|nii\.gz)$/i;

/** Finds the label of a case, or undefined where there is none. */
export type LabelFinder = (input: CaseInput) => string | undefined;

/**
 * A label file for a single case, or a folder of labels named as LiTS (`segmentation-N`), nnU-Net
 * (`<case>`), or `<case>_label`, `<case>_seg`, `<case>_mask`, `<case>_liver`; an image `<case>_ct`
 * belongs to `<case>_liver`. A folder per case holds `segmentations/liver` or `liver`.
 *
 * @throws ConfigError where `given` does not exist, or is one file for several cases
 */
export async function labelFinder(
  given: string | undefined,
  cases: readonly CaseInput[],
): Promise<LabelFinder> {
  if (given === undefined) return () => undefined;
  const info = await stat(given).catch((cause: unknown) => {
    throw badLabel(given, 'nothing that can be read there', cause);
  });
  const images = new Set(cases.map((one) => one.image));
  if (info.isDirectory()) return finderIn(await index(path.resolve(given), images));
  if (cases.length === 1) return () => path.resolve(given);
  throw badLabel(given, `one file for ${cases.length} cases`);
}

/** Labels by lower-case stem; the images themselves may lie in the same folder and are no labels. */
async function index(
  folder: string,
  images: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  // Datasets are often put together from links.
  const files = entries.filter((entry) => !entry.isDirectory() && NIFTI.test(entry.name));
  const labels = new Map<string, string>();
  for (const file of files) {
    const full = path.join(file.parentPath, file.name);
    if (images.has(full)) continue;
    const stem = file.name.replace(NIFTI, '').toLowerCase();
    labels.set(stem, full);
    // <case>/liver.nii.gz and <case>/segmentations/liver.nii.gz
    const parts = path.relative(folder, full).toLowerCase().split(path.sep);
    if (stem === 'liver' && parts.length > 1) labels.set(`${parts[0]}/liver`, full);
  }
  return labels;
}

function finderIn(labels: ReadonlyMap<string, string>): LabelFinder {
  return ({ caseId }) => {
    const id = caseId.toLowerCase();
    const bare = id.replace(/_ct$/, '');
    const suffixes = ['', '_label', '_labels', '_seg', '_segmentation', '_mask', '_liver'];
    const names = [
      ...suffixes.map((suffix) => `${bare}${suffix}`),
      id.replace(/^volume-/, 'segmentation-'),
      `${id}/liver`,
    ];
    return names.map((name) => labels.get(name)).find((file) => file !== undefined);
  };
}

const badLabel = (given: string, found: string, cause?: unknown): ConfigError =>
  new ConfigError(
    {
      code: 'bad-label',
      subject: given,
      expected: 'a label file for one case, or a folder of labels',
      found,
      remedy: 'Name the folder that holds the labels.',
    },
    { cause },
  );
