import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { BundleError, ConfigError, SammixError, StorageError } from '../core/errors.ts';
import packageJson from '../package.json' with { type: 'json' };
import { EXIT } from './exit-codes.ts';
import { type Progress, plainProgress, silentProgress, terminalProgress } from './progress.ts';
import { siteCommand } from './site/command.ts';

interface CommonOptions {
  readonly json: boolean;
  readonly quiet: boolean;
}

const program = new Command('sammix')
  .description('Liver segmentation for abdominal CT (SAM-Mix). Research use; not a medical device.')
  .version(packageJson.version)
  .showHelpAfterError('(sammix --help shows the commands)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage));

program
  .command('run')
  .description('segment every CT of files and folders; write a mask and a report for each')
  .argument('<inputs...>', 'NIfTI files (.nii, .nii.gz, .hdr) or folders of them')
  .requiredOption('-o, --out <dir>', 'folder for masks, reports and the summary')
  .option('-l, --label <path>', 'a label file, or a folder of labels: adds Dice and distances')
  .option('-b, --bundle <dir>', 'a model bundle (default: the one that comes with sammix)')
  .addOption(
    new Option('-t, --threads <n>', 'threads for the model')
      .argParser(positiveInteger)
      .default(availableParallelism(), 'all cores'),
  )
  .option('--slices-per-job <n>', 'slices kept together as one resumable job', positiveInteger, 32)
  .option('--no-postprocess', 'keep every component and hole of the drawn mask')
  .option('--force', 'redo cases that are done and unchanged', false)
  .addHelpText(
    'after',
    `
Examples:
  $ sammix run ct.nii.gz --out results
  $ sammix run imagesTr --label labelsTr --out results
  $ sammix run scans --out results --json > summary.json

Results:  <out>/<case>/{mask.nii.gz,report.json,report.html,overlay.png}, <out>/summary.{csv,json}
Exit:     0 all done, 1 some cases failed, 2 usage, 3 bundle, 4 output not writable, 130 interrupted`,
  )
  .action(async (inputs: string[], options, command: Command) => {
    const { runCommand } = await import('./run.ts');
    await report(command, async (progress) => {
      const { summary, exitCode } = await runCommand(inputs, options, progress);
      return { result: summary, exitCode };
    });
  });

program
  .command('evaluate')
  .description('measure a labelled dataset: one report over all cases, with intervals and history')
  .argument('<dataset>', 'a folder of images with their labels')
  .requiredOption('-o, --out <dir>', 'folder for the evaluation, its history and the cases')
  .option('-l, --label <path>', 'a folder of labels (default: the dataset itself)')
  .option('-b, --bundle <dir>', 'a model bundle (default: the one that comes with sammix)')
  .addOption(
    new Option('-p, --predictions <dir>', 'measure masks made elsewhere; no model runs').conflicts(
      'bundle',
    ),
  )
  .option('-a, --against <file>', 'an evaluation.json to compare with (default: the last in <out>)')
  .option('--patients <csv>', 'columns case,patient: cases of one patient count as one')
  .addOption(
    new Option('-t, --threads <n>', 'threads for the model')
      .argParser(positiveInteger)
      .default(availableParallelism(), 'all cores'),
  )
  .option('--slices-per-job <n>', 'slices kept together as one resumable job', positiveInteger, 32)
  .option('--force', 'redo cases that are done and unchanged', false)
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
  .action(async (dataset: string, options, command: Command) => {
    const { evaluateCommand } = await import('./evaluate.ts');
    await report(command, async (progress) => {
      const { evaluation, exitCode } = await evaluateCommand(dataset, options, progress);
      return { result: evaluation, exitCode };
    });
  });

program
  .command('check')
  .description('look at files without a model: what they are, and every problem with its remedy')
  .argument('<inputs...>', 'NIfTI files (.nii, .nii.gz, .hdr) or folders of them')
  .addHelpText(
    'after',
    `
Examples:
  $ sammix check scans
  $ sammix check ct.nii.gz --json

Exit: 0 all can be segmented, 1 some cannot`,
  )
  .action(async (inputs: string[], _options, command: Command) => {
    const { checkCommand } = await import('./check.ts');
    await report(command, () => checkCommand(inputs));
  });

program
  .command('phantom')
  .description('write synthetic abdominal CT with labels, for a trial without data')
  .requiredOption('-o, --out <dir>', 'folder for imagesTr/ and labelsTr/')
  .option('-n, --cases <n>', 'how many', positiveInteger, 1)
  .option('-s, --seed <n>', 'seed of the first; the same seed gives the same bytes', integer, 1)
  .addHelpText('after', '\nExample:\n  $ sammix phantom --out demo/in --cases 3')
  .action(async (options, command: Command) => {
    const { phantomCommand } = await import('./phantom.ts');
    await report(command, async (progress) => ({
      result: await phantomCommand(options, progress),
      exitCode: EXIT.ok,
    }));
  });

program
  .command('view')
  .description('look at cases in the browser: volume, mask, CAM and label, in slices and in 3D')
  .argument('<dir>', "a case's folder, or a folder of cases as run and evaluate write them")
  .option('--image <file>', 'the CT of the one case, where its place is not recorded')
  .option('--label <file>', 'a label of the one case')
  .option('--port <n>', 'port on this machine (default: a free one)', integer, 0)
  .option('--open', "open the system's browser", false)
  .addHelpText(
    'after',
    `
Examples:
  $ sammix view results
  $ sammix view results/case_01 --open

The page and the files are served to this machine only, until Ctrl-C.`,
  )
  .action(async (dir: string, options, command: Command) => {
    const { openInBrowser, openView } = await import('./view.ts');
    await report(command, async () => {
      const { server, index } = await openView(dir, options);
      if (options.open) openInBrowser(server.url);
      // Before the listener below: nothing here is interrupted, the page is just no longer served.
      process.prependListener('SIGINT', () => process.exit(EXIT.ok));
      const text = `${index.cases.length} case(s) at ${server.url}\nCtrl-C stops it.`;
      return { result: { url: server.url, cases: index.cases.length }, text, exitCode: EXIT.ok };
    });
  });

program
  .command('info')
  .description('show the bundle, where it comes from, its scores, and the backends of this machine')
  .option('-b, --bundle <dir>', 'a model bundle (default: the one that comes with sammix)')
  .action(async (options, command: Command) => {
    const { infoCommand } = await import('./info.ts');
    await report(command, () => infoCommand(options));
  });

for (const command of program.commands)
  command
    .option('--json', 'print the result as JSON on stdout and nothing else there', false)
    .option('-q, --quiet', 'print nothing but errors', false);

program.addCommand(siteCommand(report));

process.on('SIGINT', () => {
  process.stderr.write('\ninterrupted; what is finished is kept, run the same command to go on\n');
  process.exit(EXIT.interrupted);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = explain(error);
}

interface Finished {
  /** Printed with --json. */
  readonly result: unknown;
  /** Printed otherwise, unless --quiet. */
  readonly text?: string;
  readonly exitCode: number;
}

/** Runs an action with the progress that suits the terminal, and prints its result where wanted. */
async function report(
  command: Command,
  action: (progress: Progress) => Promise<Finished>,
): Promise<void> {
  const { json, quiet } = command.opts<CommonOptions>();
  const { result, text, exitCode } = await action(progressFor(quiet));
  if (json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else if (text !== undefined && !quiet) process.stdout.write(`${text}\n`);
  process.exitCode = exitCode;
}

function progressFor(quiet: boolean): Progress {
  if (quiet) return silentProgress;
  return process.stderr.isTTY ? terminalProgress(process.stderr) : plainProgress(process.stderr);
}

function explain(error: unknown): number {
  if (error instanceof SammixError) {
    process.stderr.write(`sammix: ${error.message}\n`);
    if (error instanceof BundleError) return EXIT.bundle;
    if (error instanceof StorageError) return EXIT.storage;
    return error instanceof ConfigError ? EXIT.usage : EXIT.someCasesFailed;
  }
  process.stderr.write(`sammix: a defect of sammix itself, please report it:\n`);
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.defect;
}

function positiveInteger(text: string): number {
  const value = integer(text);
  if (value >= 1) return value;
  throw new InvalidArgumentError('It must be at least 1.');
}

function integer(text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new InvalidArgumentError('It must be a whole number.');
}
