import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { caseIdFromFileName } from '../core/contract/keys.ts';
import { ConfigError, InputError } from '../core/errors.ts';

/** One image to segment. */
export interface CaseInput {
  readonly caseId: string;
  /** The `.nii`, `.nii.gz` or `.hdr` file. */
  readonly image: string;
  /** The second file of a `.hdr`/`.img` pair. */
  readonly pairedImage?: string;
}

export interface FoundInputs {
  readonly cases: readonly CaseInput[];
  /** Files that look like labels or further channels and were left out, so that we can say so. */
  readonly leftOut: readonly string[];
}

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
  const isLabelFolder = (folder: string): boolean =>
    LABEL_FOLDER.test(path.basename(folder)) ||
    (labelFolder !== undefined && folder === path.resolve(labelFolder));
  for (const given of paths) {
    const found = await imagesOf(given, isLabelFolder, leftOut);
    if (found.length === 0) throw noImages(given, leftOut);
    images.push(...found);
  }
  const cases = await Promise.all([...new Set(images)].map(toCase));
  return { cases: distinct(cases), leftOut };
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
  if (!info.isDirectory()) return [headerOf(path.resolve(given))];
  return (await walk(path.resolve(given), 0, isLabelFolder, leftOut)).sort(naturally);
}

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

function noImages(given: string, leftOut: readonly string[]): InputError {
  const within = leftOut.filter((file) => file.startsWith(path.resolve(given)));
  return new InputError({
    code: 'no-images',
    subject: given,
    expected: 'at least one .nii, .nii.gz or .hdr image',
    found: within.length > 0 ? `only what looks like labels (${within.length})` : 'none',
    remedy: 'Name the folder with the images, or the files themselves.',
  });
}

const collator = new Intl.Collator('en', { numeric: true });
const naturally = (a: string, b: string): number => collator.compare(a, b);
