import { LIVER } from '../contract/bundle.ts';
import { isSameName, liverOf, plainName } from './class-names.ts';
import type { ClassTable } from './class-tables.ts';

/**
 * Which classes of a label are the target: the liver, unless another is looked for. It is said, never guessed: by the command line or the site, by a
 * table of names that comes with the label, or by a label that has nothing else in it.
 */

/** What the user or the site says of a dataset's labels. */
export interface LabelChoice {
  readonly values?: readonly number[] | undefined;
  readonly names?: readonly string[] | undefined;
  /** Classes that no metric looks at, as nnU-Net's `ignore`. */
  readonly ignore?: readonly number[] | undefined;
  /** What is looked for where nothing of that says it; the liver unless it is named. */
  readonly target?: string | undefined;
  /** The options by which it is said, for messages. */
  readonly options?: { readonly value: string; readonly name: string };
}

/** What was counted as the target in one label. */
export interface LabelMeaning {
  readonly counted: readonly number[];
  readonly ignored: readonly number[];
  /** All values of the file, ascending. */
  readonly found: readonly number[];
  /** Who said so. */
  readonly source: string;
}

/** What is wrong where nobody says which class is liver, or what was said does not fit. */
export interface UnknownMeaning {
  readonly expected: string;
  readonly found: string;
  readonly remedy: string;
}

export interface MeaningInput {
  readonly values: readonly number[];
  readonly choice: LabelChoice;
  readonly tables: readonly ClassTable[];
  /** The file is called liver: what is in it is liver. */
  readonly calledLiver: boolean;
}

const CLI_OPTIONS = { value: '--label-value', name: '--label-name' };

/** Decides what is liver. The first that says it counts; what says nothing is passed over. */
export function meaningOf(input: MeaningInput): LabelMeaning | UnknownMeaning {
  const { values, choice, tables, calledLiver } = input;
  const meaning = (
    counted: readonly number[],
    source: string,
    ignored: readonly number[] = [],
  ): LabelMeaning => ({
    counted: ascending(counted),
    ignored: ascending([...ignored, ...(choice.ignore ?? [])]),
    found: values,
    source,
  });
  const binary = binaryClass(values);
  const other = otherTarget(choice);
  if (
    calledLiver &&
    other === undefined &&
    binary !== undefined &&
    !choice.values?.includes(binary)
  )
    return meaning([binary], 'the file is called liver');
  if (choice.values !== undefined && choice.values.length > 0) {
    if (binary === undefined || choice.values.some((value) => values.includes(value)))
      return meaning(choice.values, optionsOf(choice).value, ignoredOf(tables));
    return absent(choice, values);
  }
  if (choice.names !== undefined && choice.names.length > 0) return byNames(input, meaning);
  if (other !== undefined) return otherMeaning(input, other, meaning);
  for (const table of tables) {
    const counted = liverOf(table);
    if (counted !== undefined) return meaning(counted, table.source, ignoredOf([table]));
  }
  if (tables.length > 0) return notNamed(LIVER, tables[0]!, values, optionsOf(choice));
  return plainMeaning(values, choice, meaning);
}

export const isMeaning = (found: LabelMeaning | UnknownMeaning): found is LabelMeaning =>
  'counted' in found;

/** What is looked for, where that is not the liver. */
const otherTarget = ({ target }: LabelChoice): string | undefined =>
  target === undefined || isSameName(target, LIVER) ? undefined : target;

/** The first table that has all of the names, and the values of their classes. */
function namedIn(
  tables: readonly ClassTable[],
  names: readonly string[],
): { readonly table: ClassTable; readonly values: number[] } | undefined {
  const wanted = new Set(names.map(plainName));
  for (const table of tables) {
    const chosen = table.classes.filter(({ name }) => wanted.has(plainName(name)));
    if (new Set(chosen.map(({ name }) => plainName(name))).size === wanted.size)
      return { table, values: chosen.flatMap(({ values }) => values) };
  }
  return undefined;
}

/** Whether a table says which class is a target: where it does not, a label is of others. */
export const namesTarget = (tables: readonly ClassTable[], target: string): boolean =>
  namedIn(tables, [target]) !== undefined;

/** Another organ's class has its name, or is the only one of a label without names. */
function otherMeaning(
  { values, choice, tables, calledLiver }: MeaningInput,
  target: string,
  meaning: (
    counted: readonly number[],
    source: string,
    ignored?: readonly number[],
  ) => LabelMeaning,
): LabelMeaning | UnknownMeaning {
  const named = namedIn(tables, [target]);
  if (named) return meaning(named.values, named.table.source, ignoredOf([named.table]));
  if (tables.length > 0) return notNamed(target, tables[0]!, values, optionsOf(choice));
  const seen = values.filter((value) => !choice.ignore?.includes(value));
  if (seen.every((value) => value === 0)) return meaning([], 'the label is empty');
  const only = binaryClass(seen);
  if (only !== undefined && !calledLiver) return meaning([only], 'the only class');
  const { value, name } = optionsOf(choice);
  return {
    expected: `a label of the ${target} alone, or word of which class that is`,
    found: calledLiver ? 'a file that is called liver' : `the values ${rangesText(values)}`,
    remedy: `Say which is the ${target}, e.g. ${value} ${seen.at(-1) ?? 1}, or put a dataset.json with the names beside the labels (${name} picks others).`,
  };
}

/** LiTS and its kin: 0, liver, and its tumours, which are liver too. */
function plainMeaning(
  values: readonly number[],
  choice: LabelChoice,
  meaning: (counted: readonly number[], source: string) => LabelMeaning,
): LabelMeaning | UnknownMeaning {
  const seen = values.filter((value) => !choice.ignore?.includes(value));
  const above = seen.filter((value) => value !== 0);
  if (above.length === 0) return meaning([], 'the label is empty');
  const only = binaryClass(seen);
  if (only === 1 || only === 255) return meaning([only], 'the only class');
  if (seen.includes(0) && above.every((value) => value <= 2))
    return meaning(above, 'liver and its tumours, as in LiTS');
  const { value, name } = optionsOf(choice);
  return {
    expected: 'a label of 0 and 1, of 0, 1 and 2 as in LiTS, or word of which class is liver',
    found: `the values ${rangesText(values)}${seen.includes(0) ? '' : ' and no 0 for what is not liver'}`,
    remedy: `Say which is liver, e.g. ${value} ${above.at(-1) ?? 1}, or put a dataset.json with the names beside the labels (${name} picks others).`,
  };
}

/** The class of a label that has one and background. */
function binaryClass(values: readonly number[]): number | undefined {
  const above = values.filter((value) => value !== 0);
  return values.includes(0) && above.length === 1 ? above[0] : undefined;
}

function byNames(
  { choice, tables, values }: MeaningInput,
  meaning: (counted: readonly number[], source: string, ignored: readonly number[]) => LabelMeaning,
): LabelMeaning | UnknownMeaning {
  const { value, name } = optionsOf(choice);
  const named = namedIn(tables, choice.names!);
  if (named)
    return meaning(named.values, `${name} and ${named.table.source}`, ignoredOf([named.table]));
  const [table] = tables;
  return {
    expected: `a class named ${choice.names!.join(' and ')}`,
    found: table
      ? `the names ${namesText(table)} in ${table.source}`
      : `no names at all for the values ${rangesText(values)}`,
    remedy: table
      ? `Use one of them with ${name}, or say the number with ${value}.`
      : `Say the number instead, e.g. ${value} 5, or put a dataset.json with the names beside the labels.`,
  };
}

const absent = (choice: LabelChoice, values: readonly number[]): UnknownMeaning => ({
  expected: `the class ${choice.values!.join(' or ')}, as ${optionsOf(choice).value} says`,
  found: `only ${rangesText(values)}`,
  remedy:
    optionsOf(choice).value === CLI_OPTIONS.value
      ? 'Say the class of this label; masks of another tool have --prediction-value.'
      : 'Say the class of these masks.',
});

const notNamed = (
  target: string,
  table: ClassTable,
  values: readonly number[],
  { value }: { value: string },
): UnknownMeaning => ({
  expected: `a class named ${target}`,
  found: `the names ${namesText(table)} in ${table.source} (values ${rangesText(values)})`,
  remedy: `If one of them is ${target}, say so: ${value} ${table.classes.find((one) => one.values.some((v) => v > 0))?.values[0] ?? 1}.`,
});

const optionsOf = (choice: LabelChoice): { value: string; name: string } =>
  choice.options ?? CLI_OPTIONS;

const namesText = ({ classes }: ClassTable): string => {
  const names = classes.map(({ name, values }) => `${name} ${values.join('+')}`);
  return names.length > 12 ? `${names.slice(0, 12).join(', ')}, ...` : names.join(', ');
};

const ignoredOf = (tables: readonly ClassTable[]): number[] =>
  tables.flatMap(({ classes }) =>
    classes.filter(({ name }) => plainName(name) === 'ignore').flatMap(({ values }) => values),
  );

const ascending = (values: readonly number[]): number[] =>
  [...new Set(values)].sort((a, b) => a - b);

/** `label 5 of 0-13`: what reports say. */
export function meaningText({ counted, ignored, found, source }: LabelMeaning): string {
  const what = counted.length === 0 ? 'nothing' : `label ${rangesText(counted)}`;
  const rest = ignored.length > 0 ? `, ${rangesText(ignored)} ignored` : '';
  return `${what} of ${rangesText(found)}${rest} (${source})`;
}

/** `0-3, 7`. */
function rangesText(values: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < values.length; ) {
    let end = at;
    while (values[end + 1] === values[end]! + 1) end++;
    parts.push(
      end > at + 1 ? `${values[at]}-${values[end]}` : values.slice(at, end + 1).join(', '),
    );
    at = end + 1;
  }
  return parts.length > 20 ? `${parts.slice(0, 20).join(', ')}, ...` : parts.join(', ');
}

/** Changes a label's version wherever the same file is read another way. */
export function choiceVersion(choice: LabelChoice, tables: readonly ClassTable[]): string {
  const said = {
    ...(choice.values?.length && { values: ascending(choice.values) }),
    ...(choice.names?.length && { names: [...choice.names].sort() }),
    ...(choice.ignore?.length && { ignore: ascending(choice.ignore) }),
    ...(otherTarget(choice) !== undefined && { target: choice.target }),
    ...(tables.length > 0 && { tables: tables.map(({ classes }) => classes) }),
  };
  return Object.keys(said).length === 0 ? '' : JSON.stringify(said);
}
