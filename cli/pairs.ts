import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { ConfigError } from '../core/errors.ts';
import { csvRows } from '../core/evaluation/csv.ts';
import { isFile } from './files.ts';

/** One line of a table of pairs. */
export interface PairRow {
  readonly image: string;
  /** Undefined where the line has none. */
  readonly label: string | undefined;
  readonly patient: string | undefined;
}

/**
 * Reads a table with the columns `image` and `label`, and `patient` where there is one, in any order and
 * beside others (RFC 4180). Paths count from the table's own folder, or else from `root`.
 *
 * @throws ConfigError where the file cannot be read, lacks a column, or names an image twice
 */
export async function readPairs(file: string, root: string): Promise<PairRow[]> {
  const fault = (found: string, cause?: unknown): ConfigError => badPairs(file, found, cause);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw fault('nothing that can be read there', cause);
  });
  const [header = [], ...lines] = csvRows(text, fault);
  const columns = header.map((cell) => cell.trim().toLowerCase());
  const [imageAt, labelAt, patientAt] = ['image', 'label', 'patient'].map((name) =>
    columns.indexOf(name),
  ) as [number, number, number];
  if (imageAt < 0 || labelAt < 0)
    throw fault(columns.length === 0 ? 'no line at all' : `the columns ${columns.join(', ')}`);
  const placed = async (name: string | undefined): Promise<string | undefined> => {
    if (!name) return undefined;
    const beside = path.resolve(path.dirname(file), name);
    return (await isFile(beside)) ? beside : path.resolve(root, name);
  };
  const rows: PairRow[] = [];
  for (const line of lines) {
    const cell = (at: number): string | undefined => line[at]?.trim() || undefined;
    const image = await placed(cell(imageAt));
    if (image === undefined) {
      if (cell(labelAt) !== undefined) throw fault(`the label ${cell(labelAt)} without an image`);
      continue;
    }
    rows.push({ image, label: await placed(cell(labelAt)), patient: cell(patientAt) });
  }
  const reals = await Promise.all(rows.map(({ image }) => realPath(image)));
  const twice = reals.find((real, at) => reals.indexOf(real) !== at);
  if (twice !== undefined) throw fault(`the image ${twice} twice`);
  if (rows.length === 0) throw fault('no line but the header');
  return rows;
}

/** However a file is reached; the path as it is where nothing is there. */
export const realPath = (file: string): Promise<string> => realpath(file).catch(() => file);

const badPairs = (subject: string, found: string, cause?: unknown): ConfigError =>
  new ConfigError(
    {
      code: 'bad-pairs',
      subject,
      expected: 'a CSV table with the columns image and label (and patient), one line an image',
      found,
      remedy: 'Write the header "image,label,patient" and one line per image.',
    },
    { cause },
  );
