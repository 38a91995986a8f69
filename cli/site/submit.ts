import path from 'node:path';
import type { Command } from 'commander';
import type { S3Store } from '../../adapters/s3-store.ts';
import { faultText } from '../../core/errors.ts';
import type { ByteStream } from '../../core/ports.ts';
import { singleFile } from '../../core/volume/single-file.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { imageStream } from '../case-image.ts';
import { collectCases, type LabelCase } from '../cases.ts';
import { ok, report } from '../command.ts';
import { readFile } from '../files.ts';
import { type CaseInput, pairedImageOf } from '../inputs.ts';
import { datasetJsonOf } from '../labels.ts';
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
  await submitClassNames(store, dataset, cases, progress);
  const submitted: Submitted[] = [];
  for (const input of cases) {
    if (input.fault) {
      progress.line(`FAILED ${input.caseId}: ${faultText(input.fault)}`);
      continue;
    }
    const put = async (kind: 'images' | 'labels', file: OneFile): Promise<string> => {
      const key = cloudKeys.incoming(dataset, kind, input.caseId + file.suffix);
      await store.put(key, file.body());
      return key;
    };
    const labelKey = input.label?.file
      ? await put('labels', await labelOf(input.label.file))
      : null;
    const image = await put('images', imageOf(input));
    submitted.push({ caseId: input.caseId, image, label: labelKey });
    progress.line(`uploaded ${input.caseId}${labelKey === null ? '' : ' and its label'}`);
  }
  return submitted;
}

/** Names of the labels' classes, before the first label: a site reads them when a label comes. */
async function submitClassNames(
  store: S3Store,
  dataset: string,
  cases: readonly LabelCase[],
  progress: Progress,
): Promise<void> {
  const found = new Set<string>();
  for (const { label } of cases) {
    const names = label?.file ? await datasetJsonOf(label.file) : undefined;
    if (names !== undefined) found.add(names);
  }
  const [names] = found;
  if (found.size > 1)
    progress.line(
      `not uploaded: ${found.size} files dataset.json, where a dataset has one (${[...found].join(', ')})`,
    );
  else if (names !== undefined) {
    await store.put(cloudKeys.datasetJson(dataset), readFile(names));
    progress.line(`uploaded ${names}, the names of the labels' classes`);
  }
}

const suffix = (file: string): string => (/\.nii(\.gz)?$/i.exec(file)?.[0] ?? '').toLowerCase();

/** What goes up. The files of a pair become one, because a site is told of them one by one. */
interface OneFile {
  readonly suffix: string;
  readonly body: () => ByteStream;
}

const imageOf = (input: CaseInput): OneFile =>
  // A series goes up as a volume: what DICOM says of the patient stays here.
  input.dicom
    ? { suffix: '.nii', body: () => imageStream(input) }
    : oneFile(input.image, input.pairedImage);

const labelOf = async (file: string): Promise<OneFile> => oneFile(file, await pairedImageOf(file));

function oneFile(file: string, pairedImage: string | undefined): OneFile {
  if (pairedImage === undefined) return { suffix: suffix(file), body: () => readFile(file) };
  const body = () => singleFile(readFile(file), path.basename(file), readFile(pairedImage));
  return { suffix: '.nii', body };
}
