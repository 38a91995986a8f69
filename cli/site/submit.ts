import path from 'node:path';
import type { Command } from 'commander';
import { faultText } from '../../core/errors.ts';
import type { BlobStore, ByteStream } from '../../core/ports.ts';
import { singleFile } from '../../core/volume/single-file.ts';
import { cloudKeys, uploadsBelow } from '../../site/contract/keys.ts';
import { collectCases, type LabelCase } from '../cases.ts';
import { report } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readFile } from '../files.ts';
import { pairedImageOf } from '../inputs.ts';
import { datasetJsonOf } from '../labels.ts';
import { findPatients } from '../patients.ts';
import type { Progress } from '../progress.ts';
import { openSite, type SiteOptions, withSite } from './open-site.ts';
import { bySeries, checkSeries } from './submit-dicom.ts';

/** `sammix site submit` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .argument('<inputs...>', 'NIfTI files, DICOM folders or zips, or folders of them')
    .option('--dataset <name>', "a dataset of the site's file", 'liver')
    .option('-l, --label <path>', 'a label file, or a folder of labels (not for DICOM)')
    .option('--patients <csv>', 'columns case and patient, where patients have several cases')
    .option('--dry-run', 'only say what would be uploaded; AWS is not asked', false)
    .addHelpText(
      'after',
      `
A DICOM series is looked at first, as "sammix check" does, and goes up as one zip under the hash of its images;
the site names the case.

Exit: 0 all uploaded, 1 some were refused, 2 usage`,
    )
    .action(async (name: string, inputs: string[], options: SiteOptions & SubmitOptions) => {
      await report(command, async (progress) => {
        const store = options.dryRun ? NOWHERE : await openSite(name, options);
        const { submitted, refused } = await submitCases(store, inputs, options, progress);
        const exitCode = refused.length > 0 ? EXIT.someCasesFailed : EXIT.ok;
        const text = closingLine(name, submitted, refused, options);
        return { result: { submitted, refused }, text, errors: refused.map(refusedLine), exitCode };
      });
    });
}

export interface SubmitOptions {
  readonly dataset: string;
  readonly label?: string;
  /** A table of cases and patients, replacing the dataset's. */
  readonly patients?: string;
  /** Nothing is written: lines and result say what would be. */
  readonly dryRun?: boolean;
}

/** Where uploads go. */
type Destination = Pick<BlobStore, 'put'>;

/** Of a dry run. */
export const NOWHERE: Destination = { put: async () => {} };

export interface Submitted {
  /** What it is called here; of a NIfTI file also at the site. */
  readonly caseId: string;
  readonly image: string;
  readonly label: string | null;
}

export interface Refused {
  readonly caseId: string;
  readonly reasons: readonly string[];
}

export interface Submission {
  readonly submitted: readonly Submitted[];
  readonly refused: readonly Refused[];
}

/** Uploads images, each after its label, so that the first report already has the comparison. */
export async function submitCases(
  store: Destination,
  paths: readonly string[],
  options: SubmitOptions,
  progress: Progress,
): Promise<Submission> {
  const { dataset, label, patients } = options;
  const { cases, notes } = await collectCases(paths, label === undefined ? {} : { label }, {
    labelsBeside: false,
  });
  for (const note of notes) progress.line(note);
  if (patients !== undefined) {
    // Refused here rather than by the next evaluation.
    await findPatients(patients, undefined);
    await store.put(cloudKeys.patients(dataset), readFile(patients));
  }
  await submitClassNames(store, options, cases, progress);
  const account = new Account(progress, options.dryRun);
  for (const input of cases.filter(({ dicom }) => !dicom)) {
    if (input.fault) account.refuse({ caseId: input.caseId, reasons: [faultText(input.fault)] });
    else {
      const one = await submitFile(store, dataset, input);
      account.submit(one, `${input.caseId}${one.label === null ? '' : ' and its label'}`);
    }
  }
  for (const volumes of bySeries(cases.filter(({ dicom }) => dicom))) {
    await submitSeries(store, dataset, volumes, account);
    for (const { label, caseId } of volumes)
      if (label) progress.line(`not uploaded: the label of ${caseId}, ${LABEL_LATER}`);
  }
  return account;
}

const LABEL_LATER = 'because the site names the case; upload it under that name';

/** What has gone up and what has not, said as it happens. */
class Account implements Submission {
  readonly submitted: Submitted[] = [];
  readonly refused: Refused[] = [];
  private readonly progress: Progress;
  private readonly dryRun: boolean | undefined;

  constructor(progress: Progress, dryRun: boolean | undefined) {
    this.progress = progress;
    this.dryRun = dryRun;
  }

  submit(one: Submitted, what: string): void {
    this.submitted.push(one);
    this.progress.line(`${verb(this.dryRun)} ${what}`);
  }

  refuse(one: Refused): void {
    this.refused.push(one);
    this.progress.line(refusedLine(one));
  }
}

/** One zip for the volumes of a series that can be segmented. */
async function submitSeries(
  store: Destination,
  dataset: string,
  volumes: readonly LabelCase[],
  account: Account,
): Promise<void> {
  const { upload, refused } = await checkSeries(volumes);
  for (const one of refused) account.refuse(one);
  if (!upload) return;
  const image = cloudKeys.incoming(dataset, 'dicom', upload.file);
  await store.put(image, upload.body());
  const caseId = upload.names.join(' and ');
  account.submit({ caseId, image, label: null }, `${caseId}, ${upload.images} images, as ${image}`);
}

async function submitFile(
  store: Destination,
  dataset: string,
  input: LabelCase,
): Promise<Submitted> {
  const put = async (kind: 'images' | 'labels', file: OneFile): Promise<string> => {
    const key = cloudKeys.incoming(dataset, kind, input.caseId + file.suffix);
    await store.put(key, file.body());
    return key;
  };
  const label = input.label?.file ? await put('labels', await labelOf(input.label.file)) : null;
  const image = await put('images', oneFile(input.image, input.pairedImage));
  return { caseId: input.caseId, image, label };
}

const verb = (dryRun: boolean | undefined): string => (dryRun ? 'would upload' : 'uploaded');

const refusedLine = ({ caseId, reasons }: Refused): string =>
  `FAILED ${caseId}: ${reasons.join(' ')}`;

function closingLine(
  site: string,
  submitted: readonly Submitted[],
  refused: readonly Refused[],
  { dryRun, dataset }: SubmitOptions,
): string {
  const counts = `${submitted.length} ${dryRun ? 'to upload' : 'uploaded'}, ${refused.length} refused`;
  if (dryRun || submitted.length === 0) return `${counts}; nothing was done`;
  const named = submitted.some(({ image }) => image.startsWith(uploadsBelow(dataset, 'dicom')))
    ? `; the site names cases of DICOM itself, "dicom/${dataset}/<case>.json" says of which zip`
    : '';
  return `${counts}${named}\nwatch: sammix site status ${site}`;
}

/** Names of the labels' classes, before the first label: a site reads them when a label comes. */
async function submitClassNames(
  store: Destination,
  { dataset, dryRun }: SubmitOptions,
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
    progress.line(`${verb(dryRun)} ${names}, the names of the labels' classes`);
  }
}

const suffix = (file: string): string => (/\.nii(\.gz)?$/i.exec(file)?.[0] ?? '').toLowerCase();

/** What goes up. The files of a pair become one, because a site is told of them one by one. */
interface OneFile {
  readonly suffix: string;
  readonly body: () => ByteStream;
}

const labelOf = async (file: string): Promise<OneFile> => oneFile(file, await pairedImageOf(file));

function oneFile(file: string, pairedImage: string | undefined): OneFile {
  if (pairedImage === undefined) return { suffix: suffix(file), body: () => readFile(file) };
  const body = () => singleFile(readFile(file), path.basename(file), readFile(pairedImage));
  return { suffix: '.nii', body };
}
