import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { LIVER } from '../core/contract/bundle.ts';
import { type ClassTable, datasetJsonTable, dsegTsvTable } from '../core/dataset/class-tables.ts';
import { choiceVersion, type LabelChoice, namesTarget } from '../core/dataset/label-meaning.ts';
import { isCalledLiver, rolesOf, type SeenFile } from '../core/dataset/layout.ts';
import { pair } from '../core/dataset/pairing.ts';
import { ConfigError, type Fault, InputError, SammixError } from '../core/errors.ts';
import type { LabelInput } from '../core/stage/compare.ts';
import { integer } from './command.ts';
import { contentVersion, readFile as streamOf, unreadableFault } from './files.ts';
import { type CaseInput, pairedImageOf, seenAs } from './inputs.ts';
import type { LeftOut } from './left-out.ts';
import { walk } from './walk.ts';

/** What the options say of labels. */
export interface LabelOptions {
  readonly labelValue?: readonly number[];
  readonly labelName?: readonly string[];
  readonly labelIgnore?: readonly number[];
}

export const withLabels = (command: Command): Command =>
  command
    .option('--label-value <n>', 'the class of the labels that is the target (repeatable)', numbers)
    .option('--label-name <name>', 'the same by its name in dataset.json (repeatable)', texts)
    .option('--label-ignore <n>', 'a class that no metric looks at (repeatable)', numbers);

export const numbers = (text: string, before: readonly number[] = []): number[] => [
  ...before,
  integer(text),
];
export const texts = (text: string, before: readonly string[] = []): string[] => [...before, text];

export const labelChoice = (options: LabelOptions): LabelChoice => ({
  values: options.labelValue,
  names: options.labelName,
  ignore: options.labelIgnore,
});

/** The labels of the cases of one command. */
export interface FoundLabels {
  /** Undefined where a case has none. */
  of(input: CaseInput): string | undefined;
  /** Labels of no case, and cases for which several would do. */
  readonly leftOut: readonly LeftOut[];
  /** What speaks against taking a label that is there, by case. */
  doubt(input: CaseInput): Fault | undefined;
}

export const NO_LABELS: FoundLabels = { of: () => undefined, leftOut: [], doubt: () => undefined };

/**
 * Finds the labels of cases: in one file for a single case, in a folder, or among the files that the
 * search for images has set aside. docs/inputs.md lists the layouts that are known.
 *
 * @param given what --label says
 * @param beside the labels that lie among the images
 * @throws ConfigError where `given` does not exist, or is one file for several cases
 */
export async function findLabels(
  given: string | undefined,
  cases: readonly CaseInput[],
  beside: readonly SeenFile[],
): Promise<FoundLabels> {
  if (given === undefined) return pairAll(cases, beside);
  const info = await stat(given).catch((cause: unknown) => {
    throw badLabel(given, 'nothing that can be read there', cause);
  });
  if (info.isDirectory()) return pairAll(cases, await labelsBelow(path.resolve(given), cases));
  const usable = cases.filter(({ fault }) => fault === undefined);
  if (usable.length > 1) throw badLabel(given, `one file for ${usable.length} cases`);
  return { ...NO_LABELS, of: () => path.resolve(given) };
}

/** All NIfTI files of a folder of labels; where the images lie in it as well, what is none of them. */
async function labelsBelow(folder: string, cases: readonly CaseInput[]): Promise<SeenFile[]> {
  const seen = await walk(folder, []);
  const images = new Set(cases.map(({ image }) => image));
  const { furtherChannels } = rolesOf(seen.nifti);
  const channels = new Set(furtherChannels.map((file) => file.path));
  const unreadable = seen.unreadable.map(({ file }) => file);
  return [...seen.nifti, ...unreadable].filter(
    (file) => !images.has(file.path) && !channels.has(file.path),
  );
}

function pairAll(cases: readonly CaseInput[], labels: readonly SeenFile[]): FoundLabels {
  const images = cases.map((input) => ({ file: seenOf(input), caseId: input.caseId }));
  const { labelOf, ambiguous, left } = pair(images, labels);
  return {
    of: (input) => labelOf.get(seenOf(input).path)?.path,
    leftOut: left.map((file) => ({ path: file.path, reason: 'label' })),
    doubt: (input) => {
      const rivals = ambiguous.get(seenOf(input).path);
      return rivals && severalLabels(input, rivals);
    },
  };
}

const seenOf = (input: CaseInput): SeenFile => input.seen ?? seenAs(input.image);

const severalLabels = ({ caseId }: CaseInput, rivals: readonly SeenFile[]): Fault => ({
  code: 'label-ambiguous',
  subject: caseId,
  expected: 'one label that belongs to this image and to no other',
  found:
    rivals.length > 1
      ? rivals.map(({ path: file }) => file).join(' and ')
      : `${rivals[0]?.path}, which would do for other images as well`,
  remedy: 'Say which by --pairs.',
});

/**
 * A label as the comparison reads it. Its version is its content and what is said of its classes, so
 * that a copy of a dataset compares with the original. One that cannot be read costs the comparison.
 */
export async function labelInput(file: string, choice: LabelChoice): Promise<LabelInput> {
  const pairedImage = await pairedImageOf(file);
  try {
    const tables = await tablesOf(file);
    const input = {
      name: path.basename(file),
      choice,
      tables,
      calledLiver: isCalledLiver(path.basename(file)),
      open: () => streamOf(file),
      ...(pairedImage && { openPaired: () => streamOf(pairedImage) }),
    };
    const { version } = await contentVersion([file, ...(pairedImage ? [pairedImage] : [])]);
    const said = choiceVersion(choice, tables);
    return { ...input, version: said === '' ? version : `${version} ${said}` };
  } catch (error) {
    if (!(error instanceof SammixError)) throw error;
    return unusableLabel(file, error.fault);
  }
}

/**
 * The same for one of several targets that one label is read for. The liver is found as ever; another
 * target only by its name in the table beside the label, since a class can be one of them at most.
 *
 * @returns undefined where no table names the target: the label is of others
 */
export async function labelOfTarget(
  file: string,
  choice: LabelChoice,
  target: string,
): Promise<LabelInput | undefined> {
  const label = await labelInput(file, { ...choice, target });
  const isRead = target === LIVER || namesTarget(label.tables ?? [], target);
  // Without tables it may be one that cannot be opened: that is told.
  return isRead || label.version.startsWith('unreadable') ? label : undefined;
}

/** Stands for a label that cannot be opened: reading it says why. */
export const unusableLabel = (file: string, fault: Fault): LabelInput => ({
  name: path.basename(file),
  version: `unreadable: ${fault.code}`,
  // biome-ignore lint/correctness/useYield: there is nothing to yield, the reader gets the reason.
  open: async function* () {
    throw new InputError(fault);
  },
});

/** Folders above a label in which its table may lie: `labelsTr/..`, `s0001/segmentations/../..`. */
const TABLES_ABOVE = 3;

/** The tables of names beside a label: its own, then those of its folder and the ones above. */
async function tablesOf(file: string): Promise<ClassTable[]> {
  const own = await readTable(file.replace(/\.(nii|nii\.gz)$/i, '.tsv'));
  if (own) return [own];
  for (const folder of tableFolders(file)) {
    const [table] = await tablesIn(folder);
    if (table) return [table];
  }
  return [];
}

/** The `dataset.json` that says what a label's classes are; undefined where there is none. */
export async function datasetJsonOf(label: string): Promise<string | undefined> {
  for (const folder of tableFolders(label)) {
    const file = path.join(folder, DATASET_JSON);
    if (await readTable(file)) return file;
  }
  return undefined;
}

const DATASET_JSON = 'dataset.json';

/** The nearest first. */
function tableFolders(file: string): string[] {
  const folders = [path.dirname(path.resolve(file))];
  for (let level = 1; level <= TABLES_ABOVE; level++) {
    const folder = path.dirname(folders.at(-1)!);
    folders.push(folder);
    if (!isPartOfLayout(folder, level)) break;
  }
  return folders;
}

/** Above a folder of labels, a case's or a derivative's the dataset may go on; above others it ends. */
const isPartOfLayout = (folder: string, level: number): boolean =>
  level === 1 || /[/\\]derivatives[/\\]/.test(folder);

async function tablesIn(folder: string): Promise<ClassTable[]> {
  const names = await readdir(folder).catch((): string[] => []);
  const tsv = names.filter((name) => /(^|_)dseg\.tsv$/i.test(name));
  const named = [
    ...(tsv.length === 1 ? tsv : []),
    ...names.filter((name) => name === DATASET_JSON),
  ];
  const tables = await Promise.all(named.map((name) => readTable(path.join(folder, name))));
  return tables.filter((table) => table !== undefined);
}

async function readTable(file: string): Promise<ClassTable | undefined> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const code = cause.code ?? 'unknown';
    // Names that cannot be read are not none: without them a label may mean something else.
    if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(code))
      throw new InputError(unreadableFault(file, code), { cause });
  });
  if (text === undefined) return undefined;
  const parse = /\.tsv$/i.test(file) ? dsegTsvTable : datasetJsonTable;
  return parse(text, path.basename(file));
}

const badLabel = (given: string, found: string, cause?: unknown): ConfigError =>
  new ConfigError(
    {
      code: 'bad-label',
      subject: given,
      expected: 'a label file for one case, or a folder of labels',
      found,
      remedy: 'Name the folder that holds the labels.',
    },
    { cause },
  );

/** Files that are labels by name, for who has no use for them. */
export const seeingLabels = (labels: readonly SeenFile[]): LeftOut[] =>
  labels.map((file) => ({ path: file.path, reason: 'label' }));
