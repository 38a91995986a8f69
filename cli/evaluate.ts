import { createHash } from 'node:crypto';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { DirStore } from '../adapters/dir-store.ts';
import type { BundleDisplay } from '../core/contract/bundle.ts';
import type { EvaluatedCase, Evaluation } from '../core/contract/evaluation.ts';
import { ConfigError } from '../core/errors.ts';
import { unmeasured } from '../core/evaluation/rows.ts';
import { summarise } from '../core/evaluation/summarise.ts';
import packageJson from '../package.json' with { type: 'json' };
import { compactTime } from '../site/contract/evaluation.ts';
import { report, withModel, withOutput } from './command.ts';
import {
  folderMasks,
  type LabelledInput,
  type MaskSource,
  modelMasks,
} from './evaluation-cases.ts';
import { earlierEvaluation, writeEvaluation } from './evaluation-files.ts';
import { evaluatedCaseLine, evaluationLines } from './evaluation-lines.ts';
import { EXIT } from './exit-codes.ts';
import { type CaseInput, findInputs } from './inputs.ts';
import { labelFinder } from './labels.ts';
import type { ModelOptions } from './local.ts';
import { patientFinder } from './patients.ts';
import { duration, type Progress } from './progress.ts';

/** `sammix evaluate` */
export function define(command: Command): void {
  command
    .argument('<dataset>', 'a folder of images with their labels')
    .requiredOption('-o, --out <dir>', 'folder for the evaluation, its history and the cases')
    .option('-l, --label <path>', 'a folder of labels (default: the dataset itself)')
    .addOption(
      new Option(
        '-p, --predictions <dir>',
        'measure masks made elsewhere; no model runs',
      ).conflicts('bundle'),
    )
    .option(
      '-a, --against <file>',
      'an evaluation.json to compare with (default: the last in <out>)',
    )
    .option('--patients <csv>', 'columns case,patient: cases of one patient count as one');
  withOutput(withModel(command))
    .addHelpText(
      'after',
      `
Examples:
  $ sammix evaluate Task03_Liver --out evaluations/liver
  $ sammix evaluate Task03_Liver --out evaluations/new --bundle new --against evaluations/liver/evaluation.json
  $ sammix evaluate Dataset500 --out evaluations/nnunet --predictions nnunet/out --patients patients.csv

Results:  <out>/evaluation.{html,json}, <out>/cases.csv, <out>/history.json, <out>/cases/<case>/
Stopped?  The same command goes on; finished cases are kept.
Exit:     0 all compared, 1 some cases failed or have an unusable label, 2 usage, 3 bundle,
          4 output not writable, 130 interrupted`,
    )
    .action(async (dataset: string, options: EvaluateOptions) => {
      await report(command, async (progress) => {
        const { evaluation, exitCode } = await evaluateCommand(dataset, options, progress);
        return { result: evaluation, exitCode };
      });
    });
}

export interface EvaluateOptions extends Omit<ModelOptions, 'postprocess'> {
  readonly label?: string;
  readonly predictions?: string;
  readonly against?: string;
  readonly patients?: string;
}

/**
 * `sammix evaluate`: a labelled dataset to one report. Cases go one after the other and leave only
 * their rows behind, so memory does not grow with their number; what is finished stays in
 * `<out>/cases`, so a second command goes on where the first was stopped.
 */
export async function evaluateCommand(
  dataset: string,
  options: EvaluateOptions,
  progress: Progress,
): Promise<{ evaluation: Evaluation; exitCode: number }> {
  const name = path.basename(path.resolve(dataset));
  const { labelled, unlabelled } = await findCases(dataset, options);
  const out = new DirStore(options.out);
  const earlier = await earlierEvaluation(out, name, options.against);
  const masks = await openMasks(labelled, options, progress);
  const rows = unlabelled.map((one) => unmeasured('unlabelled', one.caseId, one.patientId));
  if (rows.length > 0) progress.line(`without a label and not segmented: ${rows.length}`);
  try {
    await measureAll(labelled, masks, progress, rows);
  } finally {
    await masks.close();
  }
  const createdAt = new Date().toISOString();
  const evaluation = summarise(rows, {
    evaluationId: evaluationId(createdAt, name, masks.bundle),
    dataset: name,
    createdAt,
    sammixVersion: packageJson.version,
    bundle: masks.bundle,
    previous: earlier.previous,
  });
  await writeEvaluation(out, evaluation, earlier.history);
  for (const line of evaluationLines(evaluation, options.out)) progress.line(line);
  const wrong = evaluation.counts.failed + evaluation.counts['label-unusable'] > 0;
  return { evaluation, exitCode: wrong ? EXIT.someCasesFailed : EXIT.ok };
}

type PatientInput = CaseInput & { readonly patientId: string };

async function findCases(
  dataset: string,
  options: EvaluateOptions,
): Promise<{ labelled: LabelledInput[]; unlabelled: PatientInput[] }> {
  requireOutside(dataset, options);
  const { cases } = await findInputs([dataset], options.label);
  const findLabel = await labelFinder(options.label ?? dataset, cases);
  const patientOf = await patientFinder(options.patients);
  const labelled: LabelledInput[] = [];
  const unlabelled: PatientInput[] = [];
  for (const input of cases) {
    const one = { ...input, patientId: patientOf(input.caseId) ?? input.caseId };
    const label = findLabel(input);
    if (label === undefined) unlabelled.push(one);
    else labelled.push({ ...one, label });
  }
  if (labelled.length === 0) throw noLabels(options.label ?? dataset, cases.length);
  return { labelled, unlabelled };
}

function openMasks(
  cases: readonly LabelledInput[],
  options: EvaluateOptions,
  progress: Progress,
): Promise<MaskSource> {
  const out = path.join(options.out, 'cases');
  return options.predictions === undefined
    ? modelMasks({ ...options, out }, progress)
    : folderMasks(new DirStore(out), options.predictions, cases, options.force);
}

/** Adds a row for each case, in the order given. */
async function measureAll(
  cases: readonly LabelledInput[],
  masks: MaskSource,
  progress: Progress,
  rows: EvaluatedCase[],
): Promise<void> {
  let [computed, spentMs] = [0, 0];
  for (const [at, input] of cases.entries()) {
    const left = (ahead: number): string =>
      computed === 0 || ahead === 0 ? '' : `, ${duration((spentMs / computed) * ahead)} left`;
    progress.begin(input.caseId, `[${at + 1}/${cases.length}${left(cases.length - at)}]`);
    const startedMs = performance.now();
    const { row, resumed } = await masks.measure(input);
    if (!resumed) {
      computed++;
      spentMs += performance.now() - startedMs;
    }
    rows.push(row);
    const position = `${at + 1}/${cases.length}${left(cases.length - at - 1)}`;
    progress.line(`${evaluatedCaseLine(row, resumed)} (${position})`);
  }
}

/** Begins with the time, so that ids sort by it. */
function evaluationId(createdAt: string, dataset: string, bundle: BundleDisplay | null): string {
  const canonical = JSON.stringify([dataset, bundle?.digest ?? null, createdAt]);
  const hash = createHash('sha256').update(canonical).digest('hex').slice(0, 8);
  return `${compactTime(createdAt)}-${hash}`;
}

/** Masks inside the dataset would be taken for its labels, and results for its images. */
function requireOutside(dataset: string, { out, predictions }: EvaluateOptions): void {
  const root = path.resolve(dataset);
  const inside = [out, predictions].find(
    (folder) =>
      folder !== undefined && `${path.resolve(folder)}${path.sep}`.startsWith(root + path.sep),
  );
  if (inside === undefined) return;
  throw new ConfigError({
    code: 'inside-dataset',
    subject: inside,
    expected: `a folder outside of the dataset ${dataset}`,
    found: 'one inside, where masks and results could be taken for labels and images',
    remedy: 'Choose another folder, or name the folder of images alone and its labels by --label.',
  });
}

const noLabels = (subject: string, cases: number): ConfigError =>
  new ConfigError({
    code: 'no-labels',
    subject,
    expected: 'images with labels, as nnU-Net, the Decathlon or LiTS name them',
    found: `${cases} ${cases === 1 ? 'image' : 'images'} and no label of any`,
    remedy: 'Name the folder with the labels by --label; docs/cli.md lists the layouts.',
  });
