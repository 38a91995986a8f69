import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { distinctCaseIds, stemOf } from '../core/dataset/case-id.ts';
import { rolesOf, type SeenFile } from '../core/dataset/layout.ts';
import { ConfigError, type Fault, SammixError } from '../core/errors.ts';
import type { AxialStack } from '../dicom/series.ts';
import { dicomAmong, dicomOf, type FoundDicom, type FoundSeries, isDicom } from './dicom-cases.ts';
import { isWithin, kindFault, unreadableFault } from './files.ts';
import { type LeftOut, type LeftOutReason, leftOutCounts } from './left-out.ts';
import { naturally, walk } from './walk.ts';

/** One image to segment. */
export interface CaseInput {
  readonly caseId: string;
  /** The `.nii`, `.nii.gz` or `.hdr` file; a folder where that is what cannot be read. */
  readonly image: string;
  /** The second file of a `.hdr`/`.img` pair. */
  readonly pairedImage?: string;
  /** Why it cannot even be opened: the case fails with it, and the others are done. */
  readonly fault?: Fault;
  /** The images of a DICOM series; `image` is the folder or zip file that holds it. */
  readonly dicom?: AxialStack;
  /** Its path from the folder that was named, by which its label is found. */
  readonly seen?: SeenFile;
}

export interface FoundInputs {
  readonly cases: readonly CaseInput[];
  /** Files that are labels by name or place, for who looks for the images' labels. */
  readonly labels: readonly SeenFile[];
  /** All else that was seen and not taken; `labels` are not in it. */
  readonly leftOut: readonly LeftOut[];
}

export interface FindOptions {
  /** Folders not to look into for images: results, predictions, a folder of labels. */
  readonly excluded?: readonly (string | undefined)[];
  /** A path without images is nothing to speak of: others were named one by one. */
  readonly mayBeEmpty?: boolean;
}

/**
 * Finds the images below files and folders. Nothing is lost on the way: what is not taken is listed
 * with its reason, and what cannot be opened is a case with a fault. A file that is named itself is
 * taken whatever it is called.
 *
 * @throws ConfigError where there is nothing at all to do
 */
export async function findInputs(
  paths: readonly string[],
  { excluded = [], mayBeEmpty = false }: FindOptions = {},
): Promise<FoundInputs> {
  const not = excluded.filter((folder) => folder !== undefined).map((one) => path.resolve(one));
  const images: Candidate[] = [];
  const labels: SeenFile[] = [];
  const leftOut: LeftOut[] = [];
  const empty: { given: string; fault: Fault }[] = [];
  for (const given of paths) {
    const found = await search(path.resolve(given), not);
    labels.push(...found.labels);
    leftOut.push(...found.leftOut);
    if (found.images.length === 0 && !(mayBeEmpty && found.fault === undefined))
      empty.push({ given, fault: found.fault ?? noImages(given, found) });
    images.push(...found.images);
  }
  if (images.length === 0) throw new ConfigError(empty[0]?.fault ?? noInputs());
  for (const { given, fault } of empty) images.push({ seen: seenAs(path.resolve(given)), fault });
  const distinct = await once(images, leftOut);
  const ids = distinctCaseIds(distinct.map(({ seen }) => partsOf(seen.path)));
  const cases = distinct.map(
    ({ seen, fault, pairedImage, series }, at): CaseInput => ({
      caseId: ids[at]!,
      image: series?.container ?? seen.path,
      seen,
      ...(pairedImage && { pairedImage }),
      ...(series && { dicom: series.stack }),
      ...(fault && { fault }),
    }),
  );
  return { cases, labels, leftOut };
}

interface Candidate {
  readonly seen: SeenFile;
  readonly fault?: Fault | undefined;
  readonly pairedImage?: string | undefined;
  readonly series?: FoundSeries;
}

interface Searched {
  readonly images: Candidate[];
  readonly labels: SeenFile[];
  readonly leftOut: LeftOut[];
  /** Of the path itself. */
  readonly fault?: Fault;
}

/** For ids: which machine and which folder it is does not matter, what lies above the file does. */
const partsOf = (file: string): string[] => file.split(path.sep).filter((part) => part !== '');

/** As if its folder had been named. */
export const seenAs = (file: string): SeenFile => ({
  path: file,
  parts: [path.basename(path.dirname(file)), path.basename(file)],
});

async function search(given: string, excluded: readonly string[]): Promise<Searched> {
  const nothing: Searched = { images: [], labels: [], leftOut: [] };
  const info = await stat(given).catch((cause: NodeJS.ErrnoException) => cause.code ?? 'unknown');
  if (typeof info === 'string') return { ...nothing, fault: unreadableFault(given, info) };
  if (info.isDirectory()) {
    const around = excluded.find((folder) => isWithin(folder, given));
    if (around !== undefined) return { ...nothing, fault: insideOther(given, around) };
    return searchFolder(given, excluded);
  }
  if (info.isFile() && (await isDicom(given))) return searchDicomFile(given);
  const header = await headerOf(given);
  const fault = info.isFile() ? header.fault : kindFault(given, info);
  return { ...nothing, images: [await withPair({ seen: seenAs(header.file), fault })] };
}

async function searchDicomFile(given: string): Promise<Searched> {
  const nothing: Searched = { images: [], labels: [], leftOut: [] };
  try {
    const { series, leftAside } = await dicomOf(given);
    return { ...nothing, images: series.map(ofSeries), leftOut: asides(given, leftAside) };
  } catch (error) {
    if (!(error instanceof SammixError)) throw error;
    return { ...nothing, fault: error.fault };
  }
}

/** As if it were a file of the case's name in the folder, or zip file, that holds it. */
const ofSeries = (series: FoundSeries): Candidate => ({
  seen: {
    path: path.join(series.container, series.name),
    parts: [path.basename(series.container), series.name],
  },
  series,
});

const asides = (given: string, leftAside: FoundDicom['leftAside']): LeftOut[] =>
  leftAside.map(({ what, why }) => ({
    path: path.join(given, what),
    reason: 'no-axial-ct',
    why: `${what}: ${why}`,
  }));

async function searchFolder(root: string, excluded: readonly string[]): Promise<Searched> {
  const seen = await walk(root, excluded);
  const dicom = await dicomAmong(root, seen.others);
  const { images, labels, furtherChannels } = rolesOf(seen.nifti);
  const leave = (reason: LeftOutReason, files: readonly string[]): LeftOut[] =>
    files.map((file) => ({ path: file, reason }));
  const candidates = await Promise.all(images.map((file) => withPair({ seen: file })));
  const unreadable = seen.unreadable.map(({ file, fault }) => ({ seen: file, fault }));
  return {
    images: [...candidates, ...dicom.series.map(ofSeries), ...unreadable].sort((a, b) =>
      naturally(a.seen.path, b.seen.path),
    ),
    labels: [...labels],
    leftOut: [
      ...seen.leftOut,
      ...leave(
        'further-channel',
        furtherChannels.map((file) => file.path),
      ),
      ...asides(root, dicom.leftAside),
      ...leave(
        'other-format',
        seen.others.filter((file) => !dicom.known.has(file)),
      ),
    ],
  };
}

/** The `.img` of a pair stands for its `.hdr`. */
async function headerOf(file: string): Promise<{ file: string; fault?: Fault }> {
  if (!/\.img(\.gz)?$/i.test(file)) return { file };
  const header = await sibling(file, /\.img(\.gz)?$/i, ['.hdr', '.hdr.gz']);
  return header === undefined
    ? { file, fault: incomplete(file, 'header', '.hdr') }
    : { file: header };
}

/** The `.img` of a header, or a fault where there is none. */
async function withPair(candidate: Candidate): Promise<Candidate> {
  const { path: file } = candidate.seen;
  if (candidate.fault || !/\.hdr(\.gz)?$/i.test(file)) return candidate;
  const pairedImage = await pairedImageOf(file);
  return pairedImage === undefined
    ? { ...candidate, fault: incomplete(file, 'image', '.img') }
    : { ...candidate, pairedImage };
}

/** The `.img` beside a `.hdr`; undefined for any other file, and where there is none. */
export const pairedImageOf = async (header: string): Promise<string | undefined> =>
  /\.hdr(\.gz)?$/i.test(header)
    ? sibling(header, /\.hdr(\.gz)?$/i, ['.img', '.img.gz'])
    : undefined;

/** The file beside this one that has another ending, in whatever case of letters. */
async function sibling(
  file: string,
  ending: RegExp,
  wanted: readonly string[],
): Promise<string | undefined> {
  const stem = path.basename(file).replace(ending, '');
  const names = await readdir(path.dirname(file)).catch(() => []);
  for (const suffix of wanted) {
    const found = names.find((name) => name.toLowerCase() === `${stem}${suffix}`.toLowerCase());
    if (found !== undefined) return path.join(path.dirname(file), found);
  }
  return undefined;
}

const incomplete = (file: string, what: string, suffix: string): Fault => ({
  code: 'pair-incomplete',
  subject: file,
  expected: `its ${what} ${stemOf(path.basename(file))}${suffix} beside it`,
  found: 'no such file',
  remedy: 'Put both files of the pair into one folder.',
});

/** A file that is named twice, or reached by two links, is one case. */
async function once(images: readonly Candidate[], leftOut: LeftOut[]): Promise<Candidate[]> {
  const known = new Map<string, Candidate>();
  for (const image of images) {
    const file = image.seen.path;
    const real = await realpath(file).catch(() => file);
    const first = known.get(real);
    if (first === undefined) known.set(real, image);
    else if (first.seen.path !== file) leftOut.push({ path: file, reason: 'seen-twice' });
  }
  return [...known.values()];
}

function noImages(given: string, { labels, leftOut }: Searched): Fault {
  const counts = leftOutCounts([
    ...leftOut,
    ...labels.map((file): LeftOut => ({ path: file.path, reason: 'label' })),
  ]);
  const dicom = leftOut.flatMap(({ why }) => (why === undefined ? [] : [why.replace(/\.$/, '')]));
  return {
    code: 'no-images',
    subject: given,
    expected: 'at least one NIfTI image (.nii, .nii.gz, .hdr) or axial CT series of DICOM',
    found:
      counts.length === 0
        ? 'none'
        : [
            `none, but ${counts.map(({ meaning, count }) => `${count} ${meaning}`).join(', ')}`,
            ...dicom,
          ].join('; '),
    remedy:
      dicom.length > 0
        ? 'Export the axial reconstruction of the abdomen.'
        : 'Name the folder with the images, or the files themselves: a file that is named is taken whatever it is called.',
  };
}

const insideOther = (given: string, around: string): Fault => ({
  code: 'input-inside-other',
  subject: given,
  expected: 'a folder of images outside those of --out, --predictions and --label',
  found: given === around ? 'one of them' : `a part of ${around}`,
  remedy: 'Write results into a folder of their own; it may lie below the images.',
});

const noInputs = (): Fault => ({
  code: 'no-images',
  subject: 'the command line',
  expected: 'files or folders',
  found: 'none',
  remedy: 'Name what is to be looked at.',
});
