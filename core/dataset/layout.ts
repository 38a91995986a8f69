import { stemOf } from './case-id.ts';

/**
 * What a file of a dataset is by its name and place: an image, a label, or neither. The layouts are
 * those of public datasets; docs/inputs.md lists them. Nothing is opened.
 */

/** One file below a folder that was named. */
export interface SeenFile {
  /** How the caller opens it. */
  readonly path: string;
  /** The path from the folder that was named; the file's name last. */
  readonly parts: readonly string[];
  /** Name of the folder that was named: the case's, where its files lie right in it. */
  readonly root?: string;
}

/** A name without its separators' meaning: what a rule compares. */
export interface CaseName {
  /** Lower case, without what says image or label: the patient, mostly. */
  readonly name: string;
  /** Folders above it that are not a layout's own, outermost first, lower case. */
  readonly folders: readonly string[];
}

const WORD = {
  label:
    'labels?|labelmaps?|segs?|segmentations?|masks?|gts?|ground[-_ ]?truths?|truth|annotations?|dseg|organs',
  image: 'cts?|images?|imaging|imgs?|volumes?|vol|scans?',
} as const;
const SPLIT = '[-_. ]';
const SUBSET = '(tr|ts|va|val|train|training|test|testing|validation)';

const folderOf = (words: string): RegExp =>
  new RegExp(`^(${SUBSET}${SPLIT}?)?(${words})(${SPLIT}?(${SUBSET})?\\d*)?$`, 'i');
const LABEL_FOLDER = folderOf(WORD.label);
const IMAGE_FOLDER = folderOf('images?|imgs?|volumes?');
/** Folders that say nothing of whose the files are. */
const LAYOUT_FOLDER = new RegExp(
  `${LABEL_FOLDER.source}|${IMAGE_FOLDER.source}|^(ct|nifti|nii|derivatives|dicom_anon|ground|anat|seg)$`,
  'i',
);

/** `liver.nii.gz` in a folder per case; `x_liver`, `x-label`, `x.seg`, `x gt`; `segmentation-7`, `label0007`. */
const LABEL_WORDS = `liver|${WORD.label}`;
const LABEL_STEM = new RegExp(`^(${LABEL_WORDS})$`, 'i');
const LABEL_END = new RegExp(`^(.+)${SPLIT}(${LABEL_WORDS})$`, 'i');
/** Not `liver`: the Decathlon's images are called `liver_7`. */
const LABEL_START = new RegExp(`^(?:${WORD.label}|lbl)(${SPLIT}(?=.)|(?=\\d))`, 'i');
const IMAGE_END = new RegExp(`^(.+)${SPLIT}(?:${WORD.image})$`, 'i');
/** NIH calls its scans `PANCREAS_0001`, their labels `label0001`. */
const IMAGE_START = new RegExp(`^(?:${WORD.image}|pancreas)(${SPLIT}(?=.)|(?=\\d))`, 'i');

/** Drawn beside livers: labels where the case they belong to is there as well. */
const OTHER_STRUCTURE =
  /^(.+)[-_. ](tumou?rs?|lesions?|cysts?|vessels?|veins?|artery|aorta|spleen|kidneys?|pancreas|stomach|gallbladder|lungs?|bones?|bod(?:y|ies)|uncertainty|prob(?:s|seg)?|cam)$/i;

/** BIDS: `sub-01_ct_desc-liver_mask`, `sub-01_ct_label-liver_dseg`. */
const BIDS_ENTITY = /_(desc|label|space|res|seg)-([a-z0-9]+)/gi;
const BIDS_END = /_(mask|dseg|probseg)$/i;

const CHANNEL = /^(.*)_(\d{4})$/;

const inFolder = (file: SeenFile, pattern: RegExp): boolean =>
  file.parts.slice(0, -1).some((folder) => pattern.test(folder));

const stemOfFile = (file: SeenFile): string => stemOf(file.parts.at(-1)!);

/** What each file is. */
export interface Roles {
  readonly images: readonly SeenFile[];
  readonly labels: readonly SeenFile[];
  readonly furtherChannels: readonly SeenFile[];
}

/** Tells images from labels; `files` are all NIfTI files below one folder. */
export function rolesOf(files: readonly SeenFile[]): Roles {
  const images: SeenFile[] = [];
  const labels: SeenFile[] = [];
  const furtherChannels: SeenFile[] = [];
  for (const siblings of byFolder(files).values()) {
    const names = new Set(siblings.map((file) => rawStem(file).toLowerCase()));
    const taken = siblings.filter((file) => {
      if (!isFurtherChannel(file, names)) return true;
      furtherChannels.push(file);
      return false;
    });
    const isLabel = labelTest(taken, names);
    for (const file of taken) (isLabel(file) ? labels : images).push(file);
  }
  return { images, labels, furtherChannels };
}

function byFolder(files: readonly SeenFile[]): Map<string, SeenFile[]> {
  const folders = new Map<string, SeenFile[]>();
  for (const file of files) {
    const folder = file.parts.slice(0, -1).join('/');
    const siblings = folders.get(folder);
    if (siblings) siblings.push(file);
    else folders.set(folder, [file]);
  }
  return folders;
}

/** With its channel. */
const rawStem = (file: SeenFile): string =>
  file.parts.at(-1)!.replace(/\.(nii|nii\.gz|hdr|hdr\.gz)$/i, '');

/** nnU-Net numbers channels from `_0000`; without that one beside it, a number is a case's own. */
function isFurtherChannel(file: SeenFile, names: ReadonlySet<string>): boolean {
  const [, stem, number] = CHANNEL.exec(rawStem(file)) ?? [];
  return number !== undefined && number !== '0000' && names.has(`${stem!.toLowerCase()}_0000`);
}

function labelTest(
  siblings: readonly SeenFile[],
  names: ReadonlySet<string>,
): (file: SeenFile) => boolean {
  const hasCase = (stem: string): boolean =>
    ['', '_0000', '_ct', '-ct', '.ct', ' ct'].some((end) =>
      names.has(`${stem.toLowerCase()}${end}`),
    );
  const plain = siblings.filter((file) => !LABEL_STEM.test(stemOfFile(file)) && !endsAsLabel(file));
  return (file) => {
    const stem = stemOfFile(file);
    if (inFolder(file, LABEL_FOLDER)) return true;
    const structure = OTHER_STRUCTURE.exec(stem)?.[1];
    if (structure !== undefined && (hasCase(structure) || endsAsLabelOf(siblings, structure)))
      return true;
    if (LABEL_STEM.test(stem)) return !isCaseOfItsOwn(stem, siblings, plain);
    if (!endsAsLabel(file)) return LABEL_START.test(stem) && !inFolder(file, IMAGE_FOLDER);
    // In a folder of images a name may end so: only beside the image it would belong to is it a label.
    return !inFolder(file, IMAGE_FOLDER) || hasCase(LABEL_END.exec(stem)?.[1] ?? stem);
  };
}

function endsAsLabel(file: SeenFile): boolean {
  const stem = stemOfFile(file);
  return LABEL_END.test(stem) || BIDS_END.test(stem);
}

const endsAsLabelOf = (siblings: readonly SeenFile[], stem: string): boolean =>
  siblings.some(
    (file) => LABEL_END.exec(stemOfFile(file))?.[1]?.toLowerCase() === stem.toLowerCase(),
  );

/** `Liver.nii` beside `Liver-mask.nii`, and no other image there, is what was masked. */
const isCaseOfItsOwn = (
  stem: string,
  siblings: readonly SeenFile[],
  plain: readonly SeenFile[],
): boolean =>
  endsAsLabelOf(siblings, stem) && plain.every((file) => OTHER_STRUCTURE.test(stemOfFile(file)));

/** The names under which an image may be looked for, the most exact first. */
export function imageNames(file: SeenFile): CaseName[] {
  const stem = stemOfFile(file).toLowerCase();
  const folders = caseFolders(file);
  const named = imageStems(stem).map((name) => ({ name, folders }));
  return isGenericImage(stem) ? [...nameOfFolder(file, folders), ...named] : named;
}

/** The case's name where its files are called alike in all folders; `''` is a folder of one case. */
function nameOfFolder({ root }: SeenFile, folders: readonly string[]): CaseName[] {
  if (folders.length > 0) return [{ name: folders.at(-1)!, folders: folders.slice(0, -1) }];
  const alone: CaseName[] = [{ name: '', folders }];
  return root === undefined ? alone : [...alone, { name: root.toLowerCase(), folders }];
}

const isGenericImage = (stem: string): boolean => new RegExp(`^(${WORD.image})$`, 'i').test(stem);

function imageStems(stem: string): string[] {
  const stems = [stem];
  const end = IMAGE_END.exec(stem)?.[1];
  if (end !== undefined) stems.push(end);
  for (const known of [...stems])
    if (IMAGE_START.test(known)) stems.push(known.replace(IMAGE_START, ''));
  return [...new Set(stems)];
}

/** The names of the images that a label may belong to, the most exact first; none: another organ's. */
export function labelNames(file: SeenFile): CaseName[] {
  const stem = stemOfFile(file).toLowerCase();
  const folders = caseFolders(file);
  if (LABEL_STEM.test(stem)) return nameOfFolder(file, folders);
  const bare = withoutBids(stem);
  if (bare === undefined) return [];
  const stems = [bare];
  for (let rest = LABEL_END.exec(bare)?.[1]; rest !== undefined; rest = LABEL_END.exec(rest)?.[1])
    stems.push(rest);
  for (const known of [...stems])
    if (LABEL_START.test(known)) stems.push(known.replace(LABEL_START, ''));
  return [...new Set(stems.flatMap(imageStems))].map((name) => ({ name, folders }));
}

function withoutBids(stem: string): string | undefined {
  if (!BIDS_END.test(stem) || !stem.includes('-')) return stem;
  const described = [...stem.matchAll(BIDS_ENTITY)].filter(([, key]) => key !== 'space');
  if (described.some(([, , value]) => OTHER_STRUCTURE.test(`x_${value}`))) return undefined;
  const rest = stem.replace(BIDS_ENTITY, '');
  return BIDS_END.test(rest) ? rest.replace(BIDS_END, '') : rest;
}

/** `tr`, `ts` or `va` of `imagesTr`, `train_images`, `labelsTs`; undefined where no folder says. */
export function subsetOf(file: SeenFile): string | undefined {
  for (const folder of file.parts.slice(0, -1)) {
    const found = LABEL_FOLDER.exec(folder) ?? IMAGE_FOLDER.exec(folder);
    const subset = found?.[2] ?? found?.[5];
    if (subset !== undefined) return SUBSET_NAMES[subset.toLowerCase().slice(0, 2)];
  }
  return undefined;
}

const SUBSET_NAMES: Readonly<Record<string, string>> = { tr: 'tr', te: 'ts', ts: 'ts', va: 'va' };

/** Whether a file is the liver's by its name's end: `liver`, `x_liver`, `x_desc-liver_mask`; not `liver_7`. */
export function isCalledLiver(fileName: string): boolean {
  const stem = stemOf(fileName).toLowerCase();
  return /(^|[-_. ])liver$/.test(
    LABEL_END.exec(stem)?.[2] === 'liver' ? stem : (LABEL_END.exec(stem)?.[1] ?? stem),
  );
}

/** How well a label's name says that it is the liver's: smaller is better. */
export function labelRank(file: SeenFile): number {
  const stem = stemOfFile(file).toLowerCase();
  if (/(^|[-_. ])liver([-_. ]|$)/.test(stem)) return 0;
  return LABEL_STEM.test(stem) || endsAsLabel(file) || LABEL_START.test(stem) ? 1 : 2;
}

function caseFolders(file: SeenFile): string[] {
  return file.parts
    .slice(0, -1)
    .map((folder) => folder.toLowerCase())
    .filter((folder) => !LAYOUT_FOLDER.test(folder))
    .map((folder) => stemOf(folder).replace(IMAGE_START, '').replace(LABEL_START, ''));
}
