import { Command } from 'commander';
import { BundleError, ConfigError, SammixError, StorageError } from '../core/errors.ts';
import packageJson from '../package.json' with { type: 'json' };
import { addCommands, type CommandEntry } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { printDefect, visible } from './progress.ts';

const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'run',
    description: 'segment every CT of files and folders; write a mask and a report for each',
    load: () => import('./run.ts'),
  },
  {
    name: 'evaluate',
    description:
      'measure a labelled dataset: one report over all cases, with intervals and history',
    load: () => import('./evaluate.ts'),
  },
  {
    name: 'check',
    description: 'look at files without a model: what they are, and every problem with its remedy',
    load: () => import('./check.ts'),
  },
  {
    name: 'label',
    description: 'label slices in the browser, those first that teach the model most',
    load: () => import('./label.ts'),
  },
  {
    name: 'train',
    description: 'fit a bundle to your own labels, of the liver or of another organ',
    load: () => import('./train.ts'),
  },
  {
    name: 'export',
    description: 'make DICOM-SEG, RTSTRUCT, a surface or a label map of the masks of a case',
    load: () => import('./export.ts'),
  },
  {
    name: 'measure',
    description: 'measure masks, whoever drew them: volume, surface, Hounsfield units inside',
    load: () => import('./measure.ts'),
  },
  {
    name: 'phantom',
    description: 'write synthetic abdominal CT with labels, for a trial without data',
    load: () => import('./phantom.ts'),
  },
  {
    name: 'view',
    description: 'look at cases in the browser: volume, mask, CAM and label, in slices and in 3D',
    load: () => import('./view.ts'),
  },
  {
    name: 'completion',
    description: 'print what makes a shell complete the commands and options of sammix',
    load: () => import('./completion.ts'),
  },
  {
    name: 'info',
    description:
      'show the bundle, where it comes from, its scores, and the backends of this machine',
    load: () => import('./info.ts'),
  },
  {
    name: 'estimate',
    description: 'estimate what uploads to a site cost and how long they take, and the next limit',
    load: () => import('./estimate.ts'),
  },
  {
    name: 'site',
    description: 'set up and use a deployment in an AWS account',
    load: () => import('./site/site.ts'),
  },
];

process.on('SIGINT', () => {
  process.stderr.write('\ninterrupted; what is finished is kept, run the same command to go on\n');
  process.exit(EXIT.interrupted);
});

for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read has gone (`| head`): what there is to do goes on, and its exit code stands.
    if (error.code === 'EPIPE') return;
    if (stream === process.stdout)
      process.stderr.write(`sammix: the result could not be printed (${error.code})\n`);
    process.exit(EXIT.storage);
  });

const program = new Command('sammix')
  .description('Liver segmentation for abdominal CT (SAM-Mix). Research use; not a medical device.')
  .version(packageJson.version)
  .showHelpAfterError('(sammix --help shows the commands)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage));

try {
  await addCommands(program, COMMANDS, process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  process.exitCode = explain(await inWords(error));
}

/** What AWS, or the way there, has against a command of a site: a user's matter, no defect of ours. */
async function inWords(error: unknown): Promise<unknown> {
  if (process.argv[2] !== 'site') return error;
  const { awsFault } = await import('./site/aws-faults.ts');
  return awsFault(error) ?? error;
}

function explain(error: unknown): number {
  if (error instanceof SammixError) {
    process.stderr.write(`sammix: ${visible(error.message)}\n`);
    if (error instanceof BundleError) return EXIT.bundle;
    if (error instanceof StorageError) return EXIT.storage;
    return error instanceof ConfigError ? EXIT.usage : EXIT.someCasesFailed;
  }
  printDefect(error);
  return EXIT.defect;
}
