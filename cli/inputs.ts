import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { caseIdFromFileName } from '../core/contract/keys.ts';
import { ConfigError, InputError } from '../core/errors.ts';
import type { AxialStack, LeftAside } from '../dicom/series.ts';
import { type FoundDicom, findDicom, isDicom } from './dicom-cases.ts';

/** One image to segment. */
export interface CaseInput {
  readonly caseId: string;
  /** The `.nii`, `.nii.gz` or `.hdr` file; of a DICOM series, the folder or zip that it lies in. */
  readonly image: string;
  /** The second file of a `.hdr`/`.img` pair. */
  readonly pairedImage?: string;
  /** The images of a DICOM series. */
  readonly dicom?: AxialStack;
}

export interface FoundInputs {
  readonly cases: readonly CaseInput[];
  /** Files that look like labels or further channels and were left out, so that we can say so. */
  readonly leftOut: readonly string[];
  /** What DICOM holds besides axial CT, and why it is none. */
  readonly leftAside: readonly LeftAside[];
}

export const leftAsideLine = ({ what, why }: LeftAside): string => `not taken: ${what}: ${why}`;

const IMAGE = /\.(nii|nii\.gz|hdr)$/i;
const LABEL_FOLDER = /^(labels?(tr|ts|va)?|segmentations?|masks?|gt)$/i;
const LABEL_FILE =
  /^(segmentation-\d+|.*[_-](label|labels|seg|segmentation|mask|liver))\.(nii|nii\.gz|hdr)$/i;
/** nnU-Net writes channels as `_0000`, `_0001`, ...; CT is the first. */
const FURTHER_CHANNEL = /_000[1-9]\.(nii|nii\.gz)$/i;
/** Datasets with a folder per case name the image the same everywhere (TotalSegmentator: `ct`). */
const GENERIC_STEM = /^(ct|image|img|volume|scan)$/i;
const MAX_DEPTH = 4;

/**
 * Finds the images below files and folders: LiTS (`volume-N.nii`), nnU-Net and Medical Segmentation
 * Decathlon (`imagesTr/`), a folder per case (`s0001/ct.nii.gz`) or any NIfTI.
 *
 * @param labelFolder is searched for no image, whatever its name
 * @throws InputError for a path that does not exist or a folder without images
 */
export async function findInputs(
  paths: readonly string[],
  labelFolder?: string,
): Promise<FoundInputs> {
  const images: string[] = [];
  const leftOut: string[] = [];
  const series: CaseInput[] = [];
  const leftAside: LeftAside[] = [];
  const isLabelFolder = (folder: string): boolean =>
    LABEL_FOLDER.test(path.basename(folder)) ||
    (labelFolder !== undefined && folder === path.resolve(labelFolder));
  for (const given of paths) {
    const found = await imagesOf(given, isLabelFolder, leftOut);
    const dicom = await seriesOf(given, found);
    if (found.length + dicom.cases.length === 0) throw noImages(given, leftOut, dicom.leftAside);
    images.push(...found);
    series.push(...dicom.cases);
    leftAside.push(...dicom.leftAside);
  }
  const cases = await Promise.all([...new Set(images)].map(toCase));
  return { cases: distinct([...cases, ...series]), leftOut, leftAside };
}

async function imagesOf(
  given: string,
  isLabelFolder: (folder: string) => boolean,
  leftOut: string[],
): Promise<string[]> {
  const info = await stat(given).catch((cause: unknown) => {
    throw new InputError(
      {
        code: 'input-missing',
        subject: given,
        expected: 'a NIfTI file or a folder of them',
        found: 'nothing that can be read there',
        remedy: 'Check the path and its permissions.',
      },
      { cause },
    );
  });
  if (!info.isDirectory()) return (await isDicom(given)) ? [] : [headerOf(path.resolve(given))];
  return (await walk(path.resolve(given), 0, isLabelFolder, leftOut)).sort(naturally);
}

/** DICOM in a folder or zip, or around a DICOM file; a NIfTI file that was named has none. */
const seriesOf = (given: string, images: readonly string[]): Promise<FoundDicom> =>
  images.length === 1 && path.resolve(given) === images[0]
    ? Promise.resolve({ cases: [], leftAside: [] })
    : findDicom(given);

/** The `.img` of a pair stands for its `.hdr`. */
const headerOf = (file: string): string => file.replace(/\.img$/i, '.hdr');

async function walk(
  folder: string,
  depth: number,
  isLabelFolder: (folder: string) => boolean,
  leftOut: string[],
): Promise<string[]> {
  const images: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) {
      if (isLabelFolder(full)) leftOut.push(full);
      else if (depth < MAX_DEPTH)
        images.push(...(await walk(full, depth + 1, isLabelFolder, leftOut)));
    } else if (IMAGE.test(entry.name)) {
      const isLabel = LABEL_FILE.test(entry.name) || FURTHER_CHANNEL.test(entry.name);
      (isLabel ? leftOut : images).push(full);
    }
  }
  return images;
}

async function toCase(image: string): Promise<CaseInput> {
  const stem = path.basename(image).replace(IMAGE, '');
  const name = GENERIC_STEM.test(stem) ? path.basename(path.dirname(image)) : path.basename(image);
  const caseId = caseIdFromFileName(name);
  if (!/\.hdr$/i.test(image)) return { caseId, image };
  return { caseId, image, pairedImage: await pairOf(image) };
}

async function pairOf(header: string): Promise<string> {
  const stem = header.replace(/\.hdr$/i, '');
  for (const suffix of ['.img', '.img.gz', '.IMG'])
    if (await stat(stem + suffix).catch(() => undefined)) return stem + suffix;
  throw new InputError({
    code: 'pair-incomplete',
    subject: header,
    expected: `its image ${path.basename(stem)}.img beside it`,
    found: 'no such file',
    remedy: 'Put both files of the pair into one folder.',
  });
}

/** Two files of one name in different folders become `<folder>-<name>`. */
function distinct(cases: readonly CaseInput[]): CaseInput[] {
  const count = (id: string, among: readonly CaseInput[]): number =>
    among.filter((other) => other.caseId.toLowerCase() === id.toLowerCase()).length;
  const renamed = cases.map((one) =>
    count(one.caseId, cases) === 1
      ? one
      : {
          ...one,
          caseId: caseIdFromFileName(
            `${path.basename(path.dirname(one.image))}-${path.basename(one.image)}`,
          ),
        },
  );
  const clash = renamed.find((one) => count(one.caseId, renamed) > 1);
  if (!clash) return renamed;
  throw new ConfigError({
    code: 'duplicate-case',
    subject: clash.image,
    expected: 'inputs whose names tell the cases apart',
    found: `another input that also gives the case "${clash.caseId}"`,
    remedy: 'Rename one of them or run them into different output folders.',
  });
}

function noImages(
  given: string,
  leftOut: readonly string[],
  leftAside: readonly LeftAside[],
): InputError {
  if (leftAside.length > 0)
    return new InputError({
      code: 'no-axial-ct',
      subject: given,
      expected: 'an axial CT series',
      found: leftAside.map(({ what, why }) => `${what}: ${why}`).join('; '),
      remedy: 'Export the axial reconstruction of the abdomen.',
    });
  const within = leftOut.filter((file) => file.startsWith(path.resolve(given)));
  return new InputError({
    code: 'no-images',
    subject: given,
    expected: 'at least one NIfTI image (.nii, .nii.gz, .hdr) or DICOM series of axial CT',
    found: within.length > 0 ? `only what looks like labels (${within.length})` : 'none',
    remedy: 'Name the folder with the images, or the files themselves.',
  });
}

const collator = new Intl.Collator('en', { numeric: true });
const naturally = (a: string, b: string): number => collator.compare(a, b);
