import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { PREDICTION } from '../core/contract/view.ts';
import type { SeenFile } from '../core/dataset/layout.ts';
import type { Fault } from '../core/errors.ts';
import { isWithin, kindFault, unreadableFault } from './files.ts';
import type { LeftOut, LeftOutReason } from './left-out.ts';

/** All that lies below one folder. */
export interface Seen {
  readonly nifti: SeenFile[];
  /** NIfTI files and folders that cannot be opened: they become failed cases. */
  readonly unreadable: { readonly file: SeenFile; readonly fault: Fault }[];
  /** Files of no format known here, for whoever knows them. */
  readonly others: string[];
  readonly leftOut: LeftOut[];
}

const IMAGE = /\.(nii|nii\.gz|hdr|hdr\.gz)$/i;
const IMG = /\.img(\.gz)?$/i;

/** Files that describe a data set: read where they say something, and no scan that could be missing. */
const DESCRIPTION = /^(dataset(_description)?|splits_final)\.json$|^patients\.csv$|dseg\.tsv$/i;

/** Deeper than any dataset; below it a mount is meant that nobody wanted searched. */
const MAX_DEPTH = 16;

/**
 * Looks through a folder and its sub-folders, links followed. Nothing is opened but reports of our own.
 *
 * @param excluded folders not to look into, absolute
 */
export async function walk(root: string, excluded: readonly string[]): Promise<Seen> {
  const seen: Seen = { nifti: [], unreadable: [], others: [], leftOut: [] };
  await walkFolder(root, [], [], { seen, excluded, root: path.basename(root) });
  return seen;
}

interface Walk {
  readonly seen: Seen;
  readonly excluded: readonly string[];
  readonly root: string;
}

async function walkFolder(
  folder: string,
  parts: readonly string[],
  above: readonly string[],
  walking: Walk,
): Promise<void> {
  const { seen, excluded } = walking;
  const leave = (reason: LeftOutReason): void => void seen.leftOut.push({ path: folder, reason });
  if (excluded.some((one) => isWithin(one, folder))) return leave('excluded');
  if (parts.length > MAX_DEPTH) return leave('too-deep');
  try {
    const real = await realpath(folder);
    if (above.includes(real)) return leave('link-loop');
    const names = (await readdir(folder)).sort(naturally);
    if (await isOwnResult(folder, names)) return leave('own-result');
    const lower = new Set(names.map((name) => name.toLowerCase()));
    for (const name of names)
      await see(path.join(folder, name), [...parts, name], [...above, real], lower, walking);
  } catch (cause) {
    const fault = unreadableFault(folder, (cause as NodeJS.ErrnoException).code ?? 'unknown');
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    seen.unreadable.push({ file: { path: folder, parts }, fault });
  }
}

async function see(
  full: string,
  parts: readonly string[],
  above: readonly string[],
  siblings: ReadonlySet<string>,
  walking: Walk,
): Promise<void> {
  const { seen, root } = walking;
  const name = parts.at(-1)!;
  const file: SeenFile = { path: full, parts, root };
  const leave = (reason: LeftOutReason): void => void seen.leftOut.push({ path: full, reason });
  const info = await stat(full).catch((cause: NodeJS.ErrnoException) => cause.code ?? 'unknown');
  if (typeof info === 'string') {
    if (IMAGE.test(name) && !name.startsWith('.'))
      seen.unreadable.push({ file, fault: unreadableFault(full, info) });
    else leave('other-format');
  } else if (name.startsWith('.')) {
    // macOS leaves `._ct.nii.gz` beside every file; `.git` and its like are nobody's images.
    leave('hidden');
  } else if (info.isDirectory()) await walkFolder(full, parts, above, walking);
  else if (IMAGE.test(name)) {
    if (info.isFile()) seen.nifti.push(file);
    else seen.unreadable.push({ file, fault: kindFault(full, info) });
  } else if (IMG.test(name)) {
    const header = name.toLowerCase().replace(IMG, '');
    if (!siblings.has(`${header}.hdr`) && !siblings.has(`${header}.hdr.gz`))
      leave('header-missing');
  } else if (!DESCRIPTION.test(name)) seen.others.push(full);
}

/** Of a case: its report says by whom it was made. Of a mask made elsewhere: as an evaluation lays it out. */
async function isOwnResult(folder: string, names: readonly string[]): Promise<boolean> {
  if (!names.includes('report.json'))
    return path.basename(folder) === PREDICTION.folder && names.includes(PREDICTION.report);
  try {
    const report: unknown = JSON.parse(await readFile(path.join(folder, 'report.json'), 'utf8'));
    const { provenance } = report as { provenance?: { sammixVersion?: unknown } };
    return typeof provenance?.sammixVersion === 'string';
  } catch {
    // Half-written, or somebody else's: ours always has its page beside it.
    return names.includes('report.html');
  }
}

const collator = new Intl.Collator('en', { numeric: true });
export const naturally = (a: string, b: string): number =>
  collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
