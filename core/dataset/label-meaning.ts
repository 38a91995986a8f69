/**
 * Which classes of a label are liver. It is said, never guessed: by the command line or the site, by a
 * table of names that comes with the label, or by a label that has nothing else in it.
 */

/** Names of a label's classes; a region of several classes (nnU-Net) has several values. */
export interface ClassTable {
  /** Where it was read, as reports show it: `dataset.json`. */
  readonly source: string;
  readonly classes: readonly { readonly name: string; readonly values: readonly number[] }[];
}

/** What the user or the site says of a dataset's labels. */
export interface LabelChoice {
  readonly values?: readonly number[] | undefined;
  readonly names?: readonly string[] | undefined;
  /** Classes that no metric looks at, as nnU-Net's `ignore`. */
  readonly ignore?: readonly number[] | undefined;
  /** The options by which it is said, for messages. */
  readonly options?: { readonly value: string; readonly name: string };
}

/** What was counted as liver in one label. */
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
  if (calledLiver && binary !== undefined && !choice.values?.includes(binary))
    return meaning([binary], 'the file is called liver');
  if (choice.values !== undefined && choice.values.length > 0) {
    if (binary === undefined || choice.values.some((value) => values.includes(value)))
      return meaning(choice.values, optionsOf(choice).value, ignoredOf(tables));
    return absent(choice, values);
  }
  if (choice.names !== undefined && choice.names.length > 0) return byNames(input, meaning);
  for (const table of tables) {
    const counted = liverOf(table);
    if (counted !== undefined) return meaning(counted, table.source, ignoredOf([table]));
  }
  if (tables.length > 0) return noLiverNamed(tables[0]!, values, optionsOf(choice));
  return plainMeaning(values, choice, meaning);
}

export const isMeaning = (found: LabelMeaning | UnknownMeaning): found is LabelMeaning =>
  'counted' in found;

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
  const wanted = choice.names!.map(plain);
  for (const table of tables) {
    const chosen = table.classes.filter(({ name }) => wanted.includes(plain(name)));
    const named = new Set(chosen.map(({ name }) => plain(name)));
    if (named.size < new Set(wanted).size) continue;
    return meaning(
      chosen.flatMap((one) => one.values),
      `${optionsOf(choice).name} and ${table.source}`,
      ignoredOf([table]),
    );
  }
  const { value, name } = optionsOf(choice);
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

const noLiverNamed = (
  table: ClassTable,
  values: readonly number[],
  { value }: { value: string },
): UnknownMeaning => ({
  expected: 'a class named liver',
  found: `the names ${namesText(table)} in ${table.source} (values ${rangesText(values)})`,
  remedy: `If one of them is liver, say so: ${value} ${table.classes.find((one) => one.values.some((v) => v > 0))?.values[0] ?? 1}.`,
});

const optionsOf = (choice: LabelChoice): { value: string; name: string } =>
  choice.options ?? CLI_OPTIONS;

const namesText = ({ classes }: ClassTable): string => {
  const names = classes.map(({ name, values }) => `${name} ${values.join('+')}`);
  return names.length > 12 ? `${names.slice(0, 12).join(', ')}, ...` : names.join(', ');
};

const ignoredOf = (tables: readonly ClassTable[]): number[] =>
  tables.flatMap(({ classes }) =>
    classes.filter(({ name }) => plain(name) === 'ignore').flatMap(({ values }) => values),
  );

/** Whether two names of a class mean the same: case, spaces and marks between words do not count. */
export const isSameName = (a: string, b: string): boolean => plain(a) === plain(b);

const plain = (name: string): string =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_.-]+/g, ' ')
    .trim();

const BACKGROUND = /^(background|bg|clear label|unlabell?ed|outside|ignore)$/;
const LIVER =
  /^(whole )?(liver|hepar|leber|foie|肝|肝臓|肝脏|肝臟)( (parenchyma|organ|(right|left|caudate)( lobe)?|segment (\d+|[ivx]+)[ab]?))*$/;
const OF_LIVER = /\b(liver|hepatic)\b.*\b(tumou?rs?|cancer|lesions?|metastas[ie]s|hcc|mass)\b/;
const TUMOUR = /^(tumou?rs?|cancer|lesions?|metastas[ie]s|hcc|mass)$/;
const OTHER_ORGAN =
  /spleen|kidney|pancreas|lung|stomach|aorta|bladder|prostate|heart|brain|colon|bowel|duoden|oesoph|esoph|adrenal|vessel|vein|arter|bone|vertebra|rib|hip|femur|muscle|femor/;

/** The liver's classes with its tumours; undefined where the table names no liver. */
function liverOf({ classes }: ClassTable): number[] | undefined {
  const own = classes
    .map(({ name, values }) => ({ name: plain(name), values }))
    .filter(({ name, values }) => !BACKGROUND.test(name) && values.some((value) => value > 0));
  const livers = own.filter(({ name }) => LIVER.test(name));
  if (livers.length === 0) {
    const [only] = own;
    const nameless = own.length === 1 && !OTHER_ORGAN.test(only!.name) && !TUMOUR.test(only!.name);
    return nameless ? [...only!.values] : undefined;
  }
  // A bare `tumour` is the liver's where there is no other organ that could have one.
  const alone = own.every(
    ({ name }) => LIVER.test(name) || OF_LIVER.test(name) || TUMOUR.test(name),
  );
  const tumours = own.filter(({ name }) => OF_LIVER.test(name) || (alone && TUMOUR.test(name)));
  return [...livers, ...tumours].flatMap(({ values }) => [...values]);
}

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
    ...(tables.length > 0 && { tables: tables.map(({ classes }) => classes) }),
  };
  return Object.keys(said).length === 0 ? '' : JSON.stringify(said);
}

/**
 * The names of a `dataset.json`: Decathlon, FLARE and nnU-Net v1 (`{"1": "liver"}`), nnU-Net v2
 * (`{"liver": 5}`, regions `{"liver": [1, 2]}`); undefined where it names none.
 */
export function datasetJsonTable(text: string, source: string): ClassTable | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
  const labels = isRecord(json) ? (json.labels ?? json.label) : undefined;
  if (!isRecord(labels)) return undefined;
  const classes = Object.entries(labels).flatMap(([key, value]) => {
    if (typeof value === 'string' && /^\d+$/.test(key))
      return [{ name: value, values: [Number(key)] }];
    const values = (Array.isArray(value) ? value : [value]).map(Number);
    return values.length > 0 && values.every((one) => Number.isInteger(one) && one >= 0)
      ? [{ name: key, values }]
      : [];
  });
  return classes.length === 0 ? undefined : { source, classes };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The names of a BIDS `dseg.tsv`: columns `index` (or `mapping`) and `name`, separated by tabs. */
export function dsegTsvTable(text: string, source: string): ClassTable | undefined {
  const [header, ...rows] = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => line.split('\t').map((cell) => cell.trim()));
  const nameAt = header?.findIndex((cell) => cell.toLowerCase() === 'name') ?? -1;
  const indexAt = header?.findIndex((cell) => cell.toLowerCase() === 'index') ?? -1;
  if (nameAt < 0 || indexAt < 0) return undefined;
  const classes = rows.flatMap((row) => {
    const [name, value] = [row[nameAt], Number(row[indexAt] || Number.NaN)];
    return name && Number.isInteger(value) && value >= 0 ? [{ name, values: [value] }] : [];
  });
  return classes.length === 0 ? undefined : { source, classes };
}

const CARET_LABEL = /<Label\b[^>]*\bKey="(\d+)"[^>]*>(?:\s*<!\[CDATA\[([\s\S]*?)\]\]>|([^<]*))/g;

/** The names in a label's own header extension, as Connectome Workbench and TotalSegmentator write them. */
export function headerTable(
  extensions: readonly { readonly data: Uint8Array }[],
): ClassTable | undefined {
  const classes = extensions.flatMap(({ data }) => {
    const text = new TextDecoder().decode(data);
    return [...text.matchAll(CARET_LABEL)].map(([, key, quoted, bare]) => ({
      name: (quoted ?? bare ?? '').trim(),
      values: [Number(key)],
    }));
  });
  return classes.length === 0 ? undefined : { source: "the label's own header", classes };
}
