import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { lockFolder } from '../adapters/dir-lock.ts';
import { DirStore } from '../adapters/dir-store.ts';
import { TrainingAsked } from '../core/contract/training-events.ts';
import {
  patientsOf,
  type TrainingSet,
  totalOf,
  trainingFault,
} from '../core/dataset/training-set.ts';
import { BundleError, ConfigError } from '../core/errors.ts';
import { putJson, usableJson } from '../core/json.ts';
import { counted } from '../core/page/format.ts';
import { BUNDLE_MANIFEST, type OpenBundle, openBundle } from '../core/stage/open-bundle.ts';
import {
  DEFAULT_BUNDLE,
  type Finished,
  folderName,
  integer,
  positiveInteger,
  report,
  withOutput,
} from './command.ts';
import { exists } from './files.ts';
import type { Progress } from './progress.ts';
import { readTrainingSet } from './training/dataset.ts';
import { cacheFolder, trainerPython } from './training/environment.ts';
import { runTrainer } from './training/trainer.ts';
import { TrainingWatch } from './training/watch.ts';

/** The trainer's sources, in a clone and in the package. */
const TRAINER = fileURLToPath(new URL('../gpu-jobs/train', import.meta.url));

/** `sammix train` */
export function define(command: Command): void {
  withOutput(command)
    .argument('<dataset>', "a data set in nnU-Net's layout: imagesTr, labelsTr, dataset.json")
    .requiredOption(
      '--target <name>',
      'the label to learn, as dataset.json names it; a+b joins two',
    )
    .requiredOption('-o, --out <dir>', 'folder for the new bundle', folderName)
    .option('--labels <n>', 'learn from that many labelled slices', labelCount, 'all')
    .option('--start-from <dir>', 'a bundle (default: the one that comes with sammix)')
    .addOption(
      new Option('--minutes <m>', 'length of the training').argParser(positive).conflicts('steps'),
    )
    .option('--steps <n>', 'its length in steps, which repeats exactly', positiveInteger)
    .option('--seed <n>', 'of the draw of labels and patients, and of the training', integer, 0)
    .addOption(
      new Option('--device <d>', 'default: a GPU if there is one').choices(['cpu', 'cuda']),
    )
    .option('--python <path>', "a Python that has the trainer's packages")
    .option('-y, --yes', 'download what the trainer needs without asking', false)
    .addHelpText(
      'after',
      `
Examples:
  $ sammix train scans --target spleen --labels 50 --out my-bundle
  $ sammix train scans --target "liver+lesion" --out my-bundle --minutes 60 --device cuda

Without --minutes and --steps it trains for ${DEFAULT_MINUTES} minutes. Ctrl-C stops it; the same command goes on.
Results:  <out>/bundle.json and its files, MODEL_CARD.md, training/report.html (also while it runs)
Exit:     0 done, 2 usage, data or environment, 3 bundle, 4 output not writable, 130 stopped`,
    )
    .action(async (dataset: string, options: TrainCommandOptions) => {
      await report(command, (progress) => trainCommand(dataset, options, progress));
    });
}

const DEFAULT_MINUTES = 20;

export interface TrainCommandOptions {
  readonly target: string;
  readonly out: string;
  readonly labels: number | 'all';
  readonly startFrom?: string;
  readonly minutes?: number;
  readonly steps?: number;
  readonly seed: number;
  readonly device?: 'cpu' | 'cuda';
  readonly python?: string;
  readonly yes: boolean;
}

/** `sammix train`: from labels to a bundle; goes on where an equal command was stopped. */
export async function trainCommand(
  dataset: string,
  options: TrainCommandOptions,
  progress: Progress,
): Promise<Finished> {
  const { target, labels, out } = options;
  const startFolder = options.startFrom ?? DEFAULT_BUNDLE;
  const start = await openStart(startFolder);
  const set = await readTrainingSet(dataset, target, progress);
  const fault = trainingFault(set, { target, labels }, dataset);
  if (fault) throw new ConfigError(fault);
  progress.line(setLine(set, target));
  const release = await lockFolder(out);
  try {
    const asked = askedOf(dataset, options, start);
    const folder = await trainingFolder(out, asked);
    const watch = new TrainingWatch({ asked, folder, out, startFolder, progress });
    if (!(await watch.isDone())) {
      const python = await environment(options, progress);
      const args = trainerArgs(asked, { startFolder, out, folder, device: options.device });
      const log = path.join(folder, 'trainer.log');
      const call = { python, trainer: TRAINER, args, log };
      if (await runTrainer(call, (event) => watch.on(event))) return watch.interrupted();
    }
    return await watch.finish();
  } finally {
    await release();
  }
}

const environment = ({ python, yes }: TrainCommandOptions, progress: Progress): Promise<string> => {
  const agree = agreement(yes, progress);
  return trainerPython({ trainer: TRAINER, python, cache: cacheFolder(), agree }, progress);
};

/** A bundle that can be trained on. */
async function openStart(folder: string): Promise<OpenBundle> {
  const bundle = await openBundle(new DirStore(folder), folder);
  if (bundle.manifest.files.some((file) => file.path === CHECKPOINT)) return bundle;
  throw new BundleError({
    code: 'no-checkpoint',
    subject: folder,
    expected: `a bundle with ${CHECKPOINT}, from which a training can start`,
    found: 'none in it',
    remedy: 'Bundles of version 0.1 and int8 bundles cannot be trained further: take another one.',
  });
}

const CHECKPOINT = 'checkpoint.safetensors';

function setLine(set: TrainingSet, target: string): string {
  const { labelled, unlabelledCases } = set;
  const parts = [
    `${counted(labelled.length, 'labelled case')} of ${counted(patientsOf(set), 'patient')}`,
    `${counted(totalOf(labelled, 'shown'), 'slice')} with ${target}, ${totalOf(labelled, 'empty')} without`,
    totalOf(labelled, 'unlabelled') > 0 && `${totalOf(labelled, 'unlabelled')} not labelled`,
    unlabelledCases > 0 && `${counted(unlabelledCases, 'unlabelled case')}`,
  ];
  return parts.filter(Boolean).join('; ');
}

const agreement =
  (yes: boolean, progress: Progress) =>
  async (question: string): Promise<boolean> => {
    progress.line(question);
    if (yes || !process.stdin.isTTY) return yes;
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await terminal.question('Download it? [y/N] ');
    terminal.close();
    return /^y(es)?$/i.test(answer.trim());
  };

const askedOf = (
  dataset: string,
  { target, labels, minutes, steps, seed }: TrainCommandOptions,
  { digest }: OpenBundle,
): TrainingAsked => ({
  schemaVersion: 1,
  dataset: path.resolve(dataset),
  target,
  labels,
  startFrom: digest,
  length: steps === undefined ? { minutes: minutes ?? DEFAULT_MINUTES } : { steps },
  seed,
});

const ASKED = 'asked.json';

/** The training's own folder inside the bundle's; what another training has begun is left alone. */
async function trainingFolder(out: string, asked: TrainingAsked): Promise<string> {
  const folder = path.join(out, 'training');
  const store = new DirStore(folder);
  const earlier = await usableJson(store, ASKED, TrainingAsked);
  const isSame = JSON.stringify(earlier) === JSON.stringify(asked);
  const hasBegun = await exists(path.join(folder, 'run.json'));
  const hasBundle = await exists(path.join(out, BUNDLE_MANIFEST));
  if (!isSame && (hasBegun || hasBundle))
    throw new ConfigError({
      code: 'other-training',
      subject: out,
      expected: 'an empty folder, or the same training to go on with',
      found: earlier ? `a training of ${earlier.target} with other settings` : 'a bundle',
      remedy: 'Choose another --out, or repeat the command that began it.',
    });
  await putJson(store, ASKED, asked);
  return folder;
}

interface Places {
  readonly startFolder: string;
  readonly out: string;
  readonly folder: string;
  readonly device: string | undefined;
}

function trainerArgs(asked: TrainingAsked, { startFolder, out, folder, device }: Places): string[] {
  const length =
    'minutes' in asked.length
      ? ['--minutes', String(asked.length.minutes)]
      : ['--steps', String(asked.length.steps)];
  return [
    ...['--data', asked.dataset, '--target', asked.target, '--labels', String(asked.labels)],
    ...['--start-from', startFolder, '--run', folder, '--out', out],
    ...['--seed', String(asked.seed), ...length],
    ...(device === undefined ? [] : ['--device', device]),
  ];
}

function labelCount(text: string): number | 'all' {
  return text === 'all' ? text : positiveInteger(text);
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number above 0.');
}
