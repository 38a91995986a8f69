import { createHash } from 'node:crypto';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { lockFolder } from '../adapters/dir-lock.ts';
import { DirStore } from '../adapters/dir-store.ts';
import type { BundleDisplay } from '../core/contract/bundle.ts';
import type { EvaluatedCase } from '../core/contract/evaluated-case.ts';
import type { Evaluation } from '../core/contract/evaluation.ts';
import { stemOf } from '../core/dataset/case-id.ts';
import { ConfigError, DEFECT, DefectError, SammixError } from '../core/errors.ts';
import { unmeasured } from '../core/evaluation/rows.ts';
import { summarise } from '../core/evaluation/summarise.ts';
import packageJson from '../package.json' with { type: 'json' };
import { compactTime } from '../site/contract/evaluation.ts';
import { type Collected, type CollectOptions, collectCases, type LabelCase } from './cases.ts';
import { folderName, report, withModel, withOutput } from './command.ts';
import {
  folderMasks,
  type LabelledInput,
  type MaskSource,
  type MeasuredRow,
  type ModelMaskOptions,
  modelMasks,
} from './evaluation-cases.ts';
import { earlierEvaluation, writeEvaluation } from './evaluation-files.ts';
import { evaluatedCaseLine, evaluationLines } from './evaluation-lines.ts';
import { EXIT } from './exit-codes.ts';
import { numbers, texts, withLabels } from './labels.ts';
import { leftOutCounts } from './left-out.ts';
import { type Progress, printDefect, TimeLeft } from './progress.ts';

/** `sammix evaluate` */
export function define(command: Command): void {
  command
    .argument('<dataset>', 'a folder of images with their labels')
    .requiredOption(
      '-o, --out <dir>',
      'folder for the evaluation, its history and the cases',
      folderName,
    )
    .option('-l, --label <path>', 'a folder of labels (default: the dataset itself)')
    .option('--pairs <csv>', 'columns image,label,patient: which label belongs to which image')
    .addOption(
      new Option(
        '--reuse <dir>',
        'take masks that sammix run has made of these images before, where nothing has changed',
      ).conflicts('predictions'),
    )
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
    .option(
      '--prediction-value <n>',
      'the class of the predictions that is the target (repeatable)',
      numbers,
    )
    .option('--prediction-name <name>', 'the same by its name in dataset.json (repeatable)', texts)
    .option('--patients <csv>', 'columns case,patient: cases of one patient count as one');
  withOutput(withModel(withLabels(command)))
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
        const errors = evaluation.cases.flatMap((row) =>
          row.fault ? [evaluatedCaseLine(row, false, null)] : [],
        );
        return { result: evaluation, errors, exitCode };
      });
    });
}

export interface EvaluateOptions extends ModelMaskOptions, CollectOptions {
  readonly out: string;
  readonly against?: string;
  readonly predictionValue?: readonly number[];
  readonly predictionName?: readonly string[];
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
  const { labelled, unlabelled, leftOut, notes } = await findCases(dataset, options);
  for (const note of notes) progress.line(note);
  const out = new DirStore(options.out);
  const masks = await openMasks(labelled, options, progress);
  let release = async (): Promise<void> => undefined;
  try {
    release = await lockFolder(options.out);
    const found = { labelled, unlabelled, leftOut };
    return await evaluateInto(out, name, found, masks, options, progress);
  } finally {
    await masks.close();
    await release();
  }
}

async function evaluateInto(
  out: DirStore,
  name: string,
  { labelled, unlabelled, leftOut }: Omit<Found, 'notes'>,
  masks: MaskSource,
  options: EvaluateOptions,
  progress: Progress,
): Promise<{ evaluation: Evaluation; exitCode: number }> {
  await out.sweep('', { deep: false });
  const earlier = await earlierEvaluation(out, name, options.against);
  const rows = unlabelled.map(unlabelledRow);
  if (rows.length > 0) progress.line(`without a label and not segmented: ${rows.length}`);
  await measureAll(labelled, masks, progress, rows);
  const createdAt = new Date().toISOString();
  const evaluation = summarise(rows, {
    evaluationId: evaluationId(createdAt, name, masks.bundle),
    dataset: name,
    createdAt,
    sammixVersion: packageJson.version,
    bundle: masks.bundle,
    target: masks.target,
    previous: earlier.previous,
    leftOut: leftOutCounts(leftOut),
  });
  await writeEvaluation(out, evaluation, earlier.history);
  for (const line of evaluationLines(evaluation, options.out)) progress.line(line);
  if (rows.some(({ fault }) => fault?.code === DEFECT))
    return { evaluation, exitCode: EXIT.defect };
  const wrong = evaluation.counts.failed + evaluation.counts['label-unusable'] > 0;
  return { evaluation, exitCode: wrong ? EXIT.someCasesFailed : EXIT.ok };
}

/** One that cannot even be opened has failed, label or not. */
const unlabelledRow = ({ caseId, patientId, fault }: LabelCase): EvaluatedCase => ({
  ...unmeasured(fault ? 'failed' : 'unlabelled', caseId, patientId),
  fault: fault ?? null,
});

interface Found extends Omit<Collected, 'cases'> {
  readonly labelled: readonly LabelledInput[];
  readonly unlabelled: readonly LabelCase[];
}

async function findCases(dataset: string, options: EvaluateOptions): Promise<Found> {
  const collected = await collectCases([dataset], options, { labelsBeside: true });
  const { cases } = collected;
  const labelled = cases.filter((one): one is LabelledInput => one.label !== undefined);
  const unlabelled = cases.filter(({ label }) => label === undefined);
  if (labelled.length === 0) throw noLabels(options.label ?? dataset, collected);
  return { ...collected, labelled, unlabelled };
}

function openMasks(
  cases: readonly LabelledInput[],
  options: EvaluateOptions,
  progress: Progress,
): Promise<MaskSource> {
  const out = path.join(options.out, 'cases');
  return options.predictions === undefined
    ? modelMasks({ ...options, out }, progress)
    : folderMasks(new DirStore(out), { ...options, predictions: options.predictions }, cases);
}

/** Adds a row for each case, in the order given. */
async function measureAll(
  cases: readonly LabelledInput[],
  masks: MaskSource,
  progress: Progress,
  rows: EvaluatedCase[],
): Promise<void> {
  const left = new TimeLeft();
  for (const [at, input] of cases.entries()) {
    progress.begin(input.caseId, `[${at + 1}/${cases.length}${left.text(cases.length - at)}]`);
    const startedMs = performance.now();
    const { row, resumed } = await measureOrFail(masks, input);
    const tookMs = performance.now() - startedMs;
    left.add({ resumed, ms: tookMs });
    rows.push(row);
    const position = `${at + 1}/${cases.length}${left.text(cases.length - at - 1)}`;
    progress.line(`${evaluatedCaseLine(row, resumed, tookMs)} (${position})`);
  }
}

/** A defect of ours costs its case; the evaluation goes on, and ends with its own exit code. */
async function measureOrFail(masks: MaskSource, input: LabelledInput): Promise<MeasuredRow> {
  try {
    return await masks.measure(input);
  } catch (error) {
    if (error instanceof SammixError) throw error;
    printDefect(error);
    const { fault } = new DefectError(input.caseId, error);
    const row = { ...unmeasured('failed', input.caseId, input.patientId), fault, labelVersion: '' };
    return { row, resumed: false };
  }
}

/** Begins with the time, so that ids sort by it. */
function evaluationId(createdAt: string, dataset: string, bundle: BundleDisplay | null): string {
  const canonical = JSON.stringify([dataset, bundle?.digest ?? null, createdAt]);
  const hash = createHash('sha256').update(canonical).digest('hex').slice(0, 8);
  return `${compactTime(createdAt)}-${hash}`;
}

/** Says what was seen, and what a label of the first image would have been called. */
function noLabels(subject: string, { cases, leftOut }: Collected): ConfigError {
  const labels = leftOut.filter(({ reason }) => reason === 'label').map((one) => one.path);
  const [first] = cases;
  const stem = first && stemOf(path.basename(first.image));
  const seen = labels.slice(0, 3).map((file) => path.relative(subject, file) || file);
  return new ConfigError({
    code: 'no-labels',
    subject,
    expected: 'images with labels, in one of the layouts of docs/inputs.md',
    found: `${cases.length} ${cases.length === 1 ? 'image' : 'images'} (${cases
      .slice(0, 3)
      .map(({ image }) => path.relative(subject, image) || image)
      .join(', ')}) and no label of any${
      labels.length === 0 ? '' : `; ${labels.length} that look like labels (${seen.join(', ')})`
    }`,
    remedy: `A label of ${stem} would be ${stem}_label.nii.gz beside it, labelsTr/${stem}.nii.gz, or liver.nii.gz in a folder of its own case. Name the folder of labels by --label, or write the pairs down for --pairs.`,
  });
}
