import path from 'node:path';
import type { Command } from 'commander';
import type { S3Store } from '../../adapters/s3-store.ts';
import { faultText } from '../../core/errors.ts';
import type { ByteStream } from '../../core/ports.ts';
import { singleFile } from '../../core/volume/single-file.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { imageStream } from '../case-image.ts';
import { collectCases } from '../cases.ts';
import { ok, report } from '../command.ts';
import { readFile } from '../files.ts';
import type { CaseInput } from '../inputs.ts';
import { findPatients } from '../patients.ts';
import type { Progress } from '../progress.ts';
import { openSite, type SiteOptions, withSite } from './open-site.ts';

/** `sammix site submit` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .argument('<inputs...>', 'NIfTI files (.nii, .nii.gz) or folders of them')
    .option('--dataset <name>', "a dataset of the site's file", 'liver')
    .option('-l, --label <path>', 'a label file, or a folder of labels')
    .option('--patients <csv>', 'columns case and patient, where patients have several cases')
    .action(async (name: string, inputs: string[], options: SiteOptions & SubmitOptions) => {
      await report(command, async (progress) =>
        ok(await submitCases(await openSite(name, options), inputs, options, progress)),
      );
    });
}

export interface SubmitOptions {
  readonly dataset: string;
  readonly label?: string;
  /** A table of cases and patients, replacing the dataset's. */
  readonly patients?: string;
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
  { dataset, label, patients }: SubmitOptions,
  progress: Progress,
): Promise<Submitted[]> {
  const { cases, notes } = await collectCases(paths, label === undefined ? {} : { label }, {
    labelsBeside: false,
  });
  for (const note of notes) progress.line(note);
  if (patients !== undefined) {
    // Refused here rather than by the next evaluation.
    await findPatients(patients, undefined);
    await store.put(cloudKeys.patients(dataset), readFile(patients));
  }
  const submitted: Submitted[] = [];
  for (const input of cases) {
    if (input.fault) {
      progress.line(`FAILED ${input.caseId}: ${faultText(input.fault)}`);
      continue;
    }
    const file = fileOf(input);
    const labelFile = input.label?.file ?? undefined;
    const labelKey =
      labelFile === undefined
        ? null
        : cloudKeys.incoming(dataset, 'labels', input.caseId + suffix(labelFile));
    if (labelFile !== undefined && labelKey !== null)
      await store.put(labelKey, readFile(labelFile));
    const image = cloudKeys.incoming(dataset, 'images', input.caseId + file.suffix);
    await store.put(image, file.body());
    submitted.push({ caseId: input.caseId, image, label: labelKey });
    progress.line(`uploaded ${input.caseId}${labelKey === null ? '' : ' and its label'}`);
  }
  return submitted;
}

const suffix = (file: string): string => (/\.nii(\.gz)?$/i.exec(file)?.[0] ?? '').toLowerCase();

/** What goes up for an image. The files of a pair become one, because a site is told of them one by one. */
function fileOf(input: CaseInput): { suffix: string; body: () => ByteStream } {
  const { image, pairedImage, dicom } = input;
  // A series goes up as a volume: what DICOM says of the patient stays here.
  if (dicom) return { suffix: '.nii', body: () => imageStream(input) };
  if (pairedImage === undefined) return { suffix: suffix(image), body: () => readFile(image) };
  const body = () => singleFile(readFile(image), path.basename(image), readFile(pairedImage));
  return { suffix: '.nii', body };
}
