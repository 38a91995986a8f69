import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { rangedFiles } from '../adapters/ranged-files.ts';
import { zipEntries } from '../adapters/zip.ts';
import { caseIdFromFileName } from '../core/contract/keys.ts';
import { faultText, SammixError } from '../core/errors.ts';
import type { RangedFile } from '../core/ports.ts';
import { type Instance, readInstance } from '../dicom/instance.ts';
import { type AxialStack, type LeftAside, sortSeries } from '../dicom/series.ts';
import type { CaseInput } from './inputs.ts';

export interface FoundDicom {
  readonly cases: readonly CaseInput[];
  /** Series and files that are no axial CT, or that could not be read, and why. */
  readonly leftAside: readonly LeftAside[];
}

const OTHER_FORMAT =
  /\.(nii|nii\.gz|hdr|img|img\.gz|nrrd|mha|mhd|raw|zraw|json|csv|tsv|txt|md|html|png|jpe?g|pdf|xml|zip|gz|onnx)$/i;
const ZIP = /\.zip$/i;
/** Exports of archives lie seven folders deep and more. */
const MAX_DEPTH = 16;

/**
 * The axial CT series of a folder, a zip file, or around a DICOM file that was named. Cases are named
 * by the folder in which the series lies and its number, so that they stay the same when others come
 * beside them.
 */
export async function findDicom(given: string): Promise<FoundDicom> {
  const root = path.resolve(given);
  if (ZIP.test(root)) return readFiles({ root, files: await zipEntries(root), only: undefined });
  if (!(await stat(root)).isDirectory()) return readFiles(await filesAround(root));
  const { names, zips } = await namesBelow(root);
  const found = [await readFiles({ root, files: await rangedFiles(root, names), only: undefined })];
  for (const zip of zips) found.push(await findInZip(path.join(root, zip)));
  return {
    cases: found.flatMap(({ cases }) => cases),
    leftAside: found.flatMap(({ leftAside }) => leftAside),
  };
}

/** A zip file that nobody named may be damaged, or of anything. */
async function findInZip(zip: string): Promise<FoundDicom> {
  try {
    return await findDicom(zip);
  } catch (error) {
    if (!(error instanceof SammixError)) throw error;
    const what = path.basename(zip);
    return { cases: [], leftAside: [{ what, why: faultText(error.fault), files: [what] }] };
  }
}

async function readFiles({ root, files, only }: GivenFiles): Promise<FoundDicom> {
  const instances: Instance[] = [];
  const leftAside: LeftAside[] = [];
  for (const file of files) {
    try {
      const instance = await readInstance(file);
      if (instance) instances.push(instance);
    } catch (error) {
      if (!(error instanceof SammixError)) throw error;
      leftAside.push({ what: file.name, why: faultText(error.fault), files: [file.name] });
    }
  }
  const sorted = sortSeries(instances);
  const stacks = sorted.stacks.filter((stack) => only === undefined || holds(stack, only));
  return {
    cases: named(root, stacks),
    leftAside: [...leftAside, ...sorted.leftAside].filter(
      (one) => only === undefined || one.files.includes(only),
    ),
  };
}

/** A zip file, or a file that holds DICOM. */
export async function isDicom(file: string): Promise<boolean> {
  if (ZIP.test(file)) return true;
  if (OTHER_FORMAT.test(file)) return false;
  const [start] = await rangedFiles(path.dirname(file), [path.basename(file)]);
  return (await readInstance(start!).catch(() => true)) !== undefined;
}

/** Finds a series again, for whoever kept its identifier. */
export async function findSeries(
  given: string,
  series: { readonly uid: string; readonly part: number | null },
): Promise<CaseInput | undefined> {
  const { cases } = await findDicom(given);
  return cases.find(
    ({ dicom }) => dicom?.seriesUid === series.uid && (dicom.part ?? null) === series.part,
  );
}

const holds = ({ slices }: AxialStack, name: string): boolean =>
  slices.some(({ instance }) => instance.file.name === name);

interface GivenFiles {
  /** The folder or zip file that cases name as their image. */
  readonly root: string;
  readonly files: readonly RangedFile[];
  /** The one file that was named: its series alone is meant. */
  readonly only: string | undefined;
}

async function filesAround(given: string): Promise<GivenFiles> {
  const root = path.dirname(given);
  const beside = await readdir(root, { withFileTypes: true });
  const names = beside.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  return { root, files: await rangedFiles(root, names), only: path.basename(given) };
}

async function namesBelow(
  folder: string,
  below = '',
  depth = 0,
): Promise<{ names: string[]; zips: string[] }> {
  const names: string[] = [];
  const zips: string[] = [];
  for (const entry of await readdir(path.join(folder, below), { withFileTypes: true })) {
    const name = path.join(below, entry.name);
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) {
      if (depth === MAX_DEPTH) continue;
      const inside = await namesBelow(folder, name, depth + 1);
      names.push(...inside.names);
      zips.push(...inside.zips);
    } else if (ZIP.test(entry.name)) zips.push(name);
    else if (!OTHER_FORMAT.test(entry.name)) names.push(name);
  }
  return { names: names.sort(), zips: zips.sort() };
}

/** `<folder>-s<series number>`, of the folder that holds all of the series' files. */
function named(root: string, stacks: readonly AxialStack[]): CaseInput[] {
  const names = stacks.map((stack) => {
    const folder = commonFolder(stack.slices.map(({ instance }) => instance.file.name));
    const stem =
      folder === '' ? path.basename(root).replace(ZIP, '') : folder.replace(/[\\/]/g, '-');
    const part = stack.part === undefined ? '' : `-v${stack.part}`;
    return caseIdFromFileName(`${stem}-s${stack.seriesNumber || '0'}${part}`);
  });
  const cases = stacks.map((dicom, n) => {
    const clash = names.filter((name) => name.toLowerCase() === names[n]!.toLowerCase()).length > 1;
    const hash = createHash('sha256').update(dicom.seriesUid).digest('hex').slice(0, 8);
    return { caseId: clash ? `${names[n]!}-${hash}` : names[n]!, image: root, dicom };
  });
  return cases.sort((a, b) => collator.compare(a.caseId, b.caseId));
}

const collator = new Intl.Collator('en', { numeric: true });

function commonFolder(files: readonly string[]): string {
  const folders = files.map((file) => path.dirname(file).split(/[\\/]/));
  const [first = []] = folders;
  const shared = first.findIndex((part, n) => folders.some((folder) => folder[n] !== part));
  const common = (shared < 0 ? first : first.slice(0, shared)).join('/');
  return common === '.' ? '' : common;
}
