import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { rangedFile, rangedFiles } from '../adapters/ranged-files.ts';
import { zipEntries } from '../adapters/zip.ts';
import { caseIdOf } from '../core/dataset/case-id.ts';
import { faultText, InputError } from '../core/errors.ts';
import type { RangedFile } from '../core/ports.ts';
import { readInstance } from '../dicom/instance.ts';
import { type AxialStack, isStack, type LeftAside } from '../dicom/series.ts';
import { sortFiles } from '../dicom/sort-files.ts';
import type { CaseInput } from './inputs.ts';
import { naturally, walk } from './walk.ts';

/** A series that is a case. */
export interface FoundSeries {
  /** Of the case, unique among those that were found with it. */
  readonly name: string;
  /** The folder or zip file that holds it. */
  readonly container: string;
  readonly stack: AxialStack;
}

export interface FoundDicom {
  readonly series: readonly FoundSeries[];
  /** Series and files that are no axial CT, or that could not be read, and why. */
  readonly leftAside: readonly LeftAside[];
  /** Files that are DICOM, or hold it, by their full path. */
  readonly known: ReadonlySet<string>;
}

const OTHER_FORMAT =
  /\.(nii|nii\.gz|hdr|img|img\.gz|nrrd|mha|mhd|raw|zraw|json|csv|tsv|txt|md|html|png|jpe?g|pdf|xml|gz|onnx)$/i;
const ZIP = /\.zip$/i;

/** The axial CT series among files below a folder, and in the zip files there. */
export async function dicomAmong(root: string, files: readonly string[]): Promise<FoundDicom> {
  const zips = files.filter((file) => ZIP.test(file));
  const rest = files.filter((file) => !ZIP.test(file) && !OTHER_FORMAT.test(file));
  const names = rest.map((file) => path.relative(root, file));
  const found = [await readFiles({ root, files: await rangedFiles(root, names), only: undefined })];
  for (const zip of zips) found.push(await dicomInZip(zip));
  return {
    series: found.flatMap(({ series }) => series),
    leftAside: found.flatMap(({ leftAside }) => leftAside),
    known: new Set(found.flatMap(({ known }) => [...known])),
  };
}

/** A zip file that nobody named may be damaged, or of anything. */
async function dicomInZip(zip: string): Promise<FoundDicom> {
  try {
    return await dicomOf(zip);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const what = path.basename(zip);
    const leftAside = [{ code: error.code, what, why: faultText(error.fault), files: [zip] }];
    return { series: [], leftAside, known: new Set([zip]) };
  }
}

/**
 * The series of a zip file, or around a DICOM file, that was named.
 *
 * @throws InputError `not-a-zip`, `zip-too-large`
 */
export async function dicomOf(file: string): Promise<FoundDicom> {
  if (!ZIP.test(file)) return readFiles(await filesAround(file));
  const found = await readFiles({
    root: file,
    files: await zipEntries(await rangedFile(file)),
    only: undefined,
  });
  const known = new Set(found.known.size > 0 ? [file] : []);
  return { ...found, known };
}

/** Reads headers; cases are named by the folder of a series and its number, whatever lies beside it. */
async function readFiles({ root, files, only }: GivenFiles): Promise<FoundDicom> {
  const sorted = await sortFiles(files);
  const stacks = sorted.stacks.filter((stack) => only === undefined || holds(stack, only));
  return {
    series: named(root, stacks),
    leftAside: sorted.leftAside.filter((one) => only === undefined || one.files.includes(only)),
    known: new Set(sorted.dicom.map((name) => path.join(root, name))),
  };
}

/** A zip file, or a file that holds DICOM. */
export async function isDicom(file: string): Promise<boolean> {
  if (ZIP.test(file)) return true;
  if (OTHER_FORMAT.test(file)) return false;
  const [start] = await rangedFiles(path.dirname(file), [path.basename(file)]);
  return (await readInstance(start!).catch(() => true)) !== undefined;
}

/**
 * Finds a series again, for whoever kept its identifier.
 *
 * @throws InputError `series-missing`, with the remedy of who asks
 */
export async function findSeries(
  container: string,
  series: { readonly uid: string; readonly part: number | null },
  remedy: string,
): Promise<CaseInput> {
  const found = ZIP.test(container)
    ? await dicomOf(container)
    : await dicomAmong(container, (await walk(container, [])).others);
  const one = found.series.find(({ stack }) => isStack(stack, series.uid, series.part));
  if (one) return { caseId: one.name, image: one.container, dicom: one.stack };
  throw new InputError({
    code: 'series-missing',
    subject: container,
    expected: 'the DICOM series that was segmented',
    found: 'others, or none',
    remedy,
  });
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

/** `<folder>-s<series number>`, of the folder that holds all of the series' files. */
function named(root: string, stacks: readonly AxialStack[]): FoundSeries[] {
  const names = stacks.map((stack) => {
    const folder = commonFolder(stack.slices.map(({ instance }) => instance.file.name));
    const stem =
      folder === '' ? path.basename(root).replace(ZIP, '') : folder.replace(/[\\/]/g, '-');
    const part = stack.part === undefined ? '' : `-v${stack.part}`;
    return caseIdOf(`${stem}-s${stack.seriesNumber || '0'}${part}`);
  });
  const series = stacks.map((stack, n) => {
    const clash = names.filter((name) => name.toLowerCase() === names[n]!.toLowerCase()).length > 1;
    const hash = createHash('sha256').update(stack.seriesUid).digest('hex').slice(0, 8);
    return { name: clash ? `${names[n]!}-${hash}` : names[n]!, container: root, stack };
  });
  return series.sort((a, b) => naturally(a.name, b.name));
}

function commonFolder(files: readonly string[]): string {
  const folders = files.map((file) => path.dirname(file).split(/[\\/]/));
  const [first = []] = folders;
  const shared = first.findIndex((part, n) => folders.some((folder) => folder[n] !== part));
  const common = (shared < 0 ? first : first.slice(0, shared)).join('/');
  return common === '.' ? '' : common;
}
