/** Tables of the names of a label's classes, wherever they are written. */

/** Names of a label's classes; a region of several classes (nnU-Net) has several values. */
export interface ClassTable {
  /** Where it was read, as reports show it: `dataset.json`. */
  readonly source: string;
  readonly classes: readonly { readonly name: string; readonly values: readonly number[] }[];
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
