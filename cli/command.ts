import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { toJsonBytes } from '../core/json.ts';
import { EXIT } from './exit-codes.ts';
import {
  type Progress,
  plainProgress,
  silentProgress,
  terminalProgress,
  visible,
} from './progress.ts';

/** The bundle that comes with the project. */
export const DEFAULT_BUNDLE = fileURLToPath(new URL('../bundle', import.meta.url));

/** What an action leaves to print, and the exit code of the command. */
export interface Finished {
  /** Printed with --json. */
  readonly result: unknown;
  /** Printed otherwise, unless --quiet. */
  readonly text?: string;
  /** What went wrong with single cases: all that --quiet prints. */
  readonly errors?: readonly string[];
  readonly exitCode: number;
}

export const ok = (result: unknown, text?: string): Finished => ({
  result,
  exitCode: EXIT.ok,
  ...(text === undefined ? {} : { text }),
});

/** What a command's file exports: its arguments, options and action, put on a named command. */
export type Define = (command: Command) => unknown;

/** A command as its table lists it; its file is loaded when it is called. */
export interface CommandEntry {
  readonly name: string;
  readonly description: string;
  readonly load: () => Promise<{ readonly define: Define }>;
}

/** Commands whose file may not be loaded yet, for who must know the options of all of them. */
const files = new WeakMap<Command, CommandEntry['load']>();

/** Loads the file of a command that was not asked for. */
export async function defineWhole(command: Command): Promise<void> {
  await (await files.get(command)?.())?.define(command);
  files.delete(command);
}

/** Puts all commands below `parent`, and loads the file of the one that `args` ask for. */
export async function addCommands(
  parent: Command,
  entries: readonly CommandEntry[],
  args: readonly string[],
): Promise<void> {
  const asked = args[0] === 'help' ? args[1] : args[0];
  for (const { name, description, load } of entries) {
    const command = parent.command(name).description(description);
    files.set(command, load);
    if (name === asked) await defineWhole(command);
  }
}

/** The options that every command with a result has. */
export const withOutput = (command: Command): Command =>
  command
    .option('--json', 'print the result as JSON on stdout and nothing else there', false)
    .option('-q, --quiet', 'print nothing but errors', false);

/** Runs an action with the progress that suits the terminal, and prints its result where wanted. */
export async function report(
  command: Command,
  action: (progress: Progress) => Promise<Finished>,
): Promise<void> {
  const { json, quiet } = command.opts<{ readonly json: boolean; readonly quiet: boolean }>();
  const { result, text, errors = [], exitCode } = await action(progressFor(quiet));
  // Set before anything is printed: a reader that has gone changes nothing of what was done.
  process.exitCode = exitCode;
  if (quiet) for (const line of errors) process.stderr.write(`${visible(line)}\n`);
  if (json) process.stdout.write(toJsonBytes(result));
  else if (text !== undefined && !quiet) process.stdout.write(`${visible(text)}\n`);
}

function progressFor(quiet: boolean): Progress {
  if (quiet) return silentProgress;
  const canRedraw = process.stderr.isTTY && process.env.TERM !== 'dumb';
  return canRedraw ? terminalProgress(process.stderr) : plainProgress(process.stderr);
}

/** ONNX Runtime's execution providers for what a user may ask for, the first that opens is taken. */
export const PROVIDERS = { auto: ['cuda', 'cpu'], cuda: ['cuda'], cpu: ['cpu'] } as const;
export type Device = keyof typeof PROVIDERS;

const ONE_BUNDLE = new Option(
  '-b, --bundle <dir>',
  'a model bundle (default: the one that comes with sammix)',
);

const SEVERAL_BUNDLES = new Option(
  '-b, --bundle <dir>',
  'a model bundle, or "liver" for the one that comes with sammix; repeat it for more targets',
).argParser((given: string, before: readonly string[] = []) => [...before, given]);

/**
 * The options of every command that runs the model on this machine.
 *
 * @param several whether it takes a bundle for each of several targets
 */
export const withModel = (command: Command, { several = false } = {}): Command =>
  command
    .addOption(several ? SEVERAL_BUNDLES : ONE_BUNDLE)
    .addOption(
      new Option('-t, --threads <n>', 'threads for the model')
        .argParser(threadCount)
        .default(availableParallelism(), 'all cores'),
    )
    .addOption(
      new Option('--device <name>', 'what runs the model; cuda fails where there is no GPU')
        .choices(Object.keys(PROVIDERS))
        .default('auto'),
    )
    .option(
      '--slices-per-job <n>',
      'slices kept together as one resumable job',
      positiveInteger,
      32,
    )
    .option('--header-text', "keep free text of the input's header in masks and reports", false)
    .option('--force', 'redo cases that are done and unchanged', false);

/** More would only wait for each other, and a machine can be brought down by the asking. */
const MOST_THREADS = 256;

function threadCount(text: string): number {
  const value = positiveInteger(text);
  if (value <= MOST_THREADS) return value;
  throw new InvalidArgumentError(`It must be at most ${MOST_THREADS}.`);
}

/** A folder to write into: an empty name would mean the current one, which nobody means. */
export function folderName(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('It must name a folder.');
}

export function positiveInteger(text: string): number {
  const value = integer(text);
  if (value >= 1) return value;
  throw new InvalidArgumentError('It must be at least 1.');
}

export function integer(text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new InvalidArgumentError('It must be a whole number.');
}

/** Between 0 and 1, both excluded. */
export function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('It must lie between 0 and 1.');
}
