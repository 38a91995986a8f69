import path from 'node:path';
import { DirStore } from '../../adapters/dir-store.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { cloudKeys } from '../../core/contract/cloud-keys.ts';
import { ConfigError } from '../../core/errors.ts';
import { type CaseInput, findInputs } from '../inputs.ts';
import { labelFinder } from '../labels.ts';
import type { Progress } from '../progress.ts';

export interface SubmitOptions {
  readonly dataset: string;
  readonly label?: string;
}

export interface Submitted {
  readonly caseId: string;
  readonly image: string;
  readonly label: string | null;
}

/** Uploads images, each after its label, so that the first report already has the comparison. */
export async function submitCases(
  store: S3Store,
  paths: readonly string[],
  { dataset, label }: SubmitOptions,
  progress: Progress,
): Promise<Submitted[]> {
  const { cases } = await findInputs(paths);
  const findLabel = await labelFinder(label, cases);
  const submitted: Submitted[] = [];
  for (const input of cases) {
    refusePair(input);
    const labelFile = findLabel(input);
    const labelKey =
      labelFile === undefined
        ? null
        : cloudKeys.incoming(dataset, 'labels', input.caseId + suffix(labelFile));
    if (labelFile !== undefined && labelKey !== null) await upload(store, labelKey, labelFile);
    const image = cloudKeys.incoming(dataset, 'images', input.caseId + suffix(input.image));
    await upload(store, image, input.image);
    submitted.push({ caseId: input.caseId, image, label: labelKey });
    progress.line(`uploaded ${input.caseId}${labelKey === null ? '' : ' and its label'}`);
  }
  return submitted;
}

const suffix = (file: string): string => (/\.nii(\.gz)?$/i.exec(file)?.[0] ?? '').toLowerCase();

async function upload(store: S3Store, key: string, file: string): Promise<void> {
  await store.put(key, new DirStore(path.dirname(file)).read(path.basename(file)));
}

function refusePair({ image, pairedImage }: CaseInput): void {
  if (pairedImage === undefined && /\.nii(\.gz)?$/i.test(image)) return;
  throw new ConfigError({
    code: 'pair-in-cloud',
    subject: image,
    expected: 'a single file, .nii or .nii.gz: a site processes files one by one',
    found: 'a .hdr/.img pair',
    remedy: 'Convert it to .nii.gz, or segment it with "sammix run".',
  });
}
