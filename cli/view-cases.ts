import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { DirStore } from '../adapters/dir-store.ts';
import { type RunKeys, runKeys } from '../core/contract/keys.ts';
import {
  CaseSources,
  PREDICTION,
  type ViewCase,
  ViewedReport,
  viewFacts,
} from '../core/contract/view.ts';
import { ConfigError } from '../core/errors.ts';
import { fromJsonBytes } from '../core/json.ts';
import { readTargets } from '../core/stage/join-targets.ts';
import { exists, isFile } from './files.ts';
import { pairedImageOf } from './inputs.ts';
import { visible } from './progress.ts';
import { firstFile, type OtherMask, otherMasks, refuseUnfound } from './view-others.ts';

type ViewFile =
  | 'report'
  | 'overlay'
  | 'mask'
  | 'cam'
  | 'image'
  | 'label'
  | 'others'
  | 'beside'
  | 'page';

/** A case's files on this machine, absolute; null where there is none. */
export interface LocalCase {
  /** Of the case, whichever target it is. */
  readonly name: string;
  readonly facts: Omit<ViewCase, ViewFile>;
  readonly report: string;
  readonly overlay: string | null;
  readonly mask: string | null;
  readonly cam: string | null;
  readonly image: string | null;
  /** The `.img` of a `.hdr`/`.img` pair. */
  readonly pairedImage: string | null;
  /** Where the image is a DICOM folder or zip: which series of it. */
  readonly series: CaseSources['series'];
  readonly label: string | null;
  /** Masks to compare with. */
  readonly others: readonly OtherMask[];
  /** Masks of the case's other targets. */
  readonly beside: readonly { readonly target: string; readonly file: string }[];
  /** `report.html` */
  readonly page: string | null;
}

export interface SourceOptions {
  readonly image?: string;
  readonly label?: string;
  /** Each a mask of the one case, a folder of masks named by case, or another run's folder. */
  readonly other?: readonly string[];
}

/** Where cases lie below an output folder: of `sammix run` and `sammix site fetch`, and of an evaluation. */
const CASE_FOLDERS = ['', 'cases'];

/**
 * The cases of a folder: one case's own, or one that holds cases.
 *
 * @throws ConfigError where there is none, or files are named for several cases
 */
export async function findCases(dir: string, options: SourceOptions): Promise<LocalCase[]> {
  const found = (await hasResults(dir)) ? [dir] : await caseFolders(dir);
  if (found.length === 0) throw noCases(dir);
  const folders = (await Promise.all(found.map(targetsIn))).flat();
  const named = options.image ?? options.label ?? (await firstFile(options.other));
  if (found.length > 1 && named !== undefined) throw oneFileForMany(dir, found.length);
  const cases: LocalCase[] = [];
  const damaged: ConfigError[] = [];
  for (const folder of folders)
    try {
      cases.push(await readCase(folder, options));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      damaged.push(error);
    }
  // One report that cannot be read costs its case; the others are shown.
  if (cases.length === 0) throw damaged[0];
  for (const { message } of damaged) process.stderr.write(`not shown: ${visible(message)}\n`);
  refuseUnfound(options.other, cases);
  return cases;
}

async function caseFolders(dir: string): Promise<string[]> {
  const found: string[] = [];
  for (const below of CASE_FOLDERS) {
    const parent = path.join(dir, below);
    for (const entry of await readdir(parent, { withFileTypes: true }).catch(() => [])) {
      const folder = path.join(parent, entry.name);
      if (entry.isDirectory() && (await hasResults(folder))) found.push(folder);
    }
  }
  return found.sort();
}

/** Where a case of an evaluation of masks made elsewhere has what stands for its report. */
const predictionOf = (folder: string): string =>
  path.join(folder, PREDICTION.folder, PREDICTION.report);

const hasResults = async (folder: string): Promise<boolean> =>
  (await isFile(path.join(folder, 'report.json'))) || (await isFile(predictionOf(folder)));

/** What is shown as one: the results of a case, or of one of its targets. */
interface ResultFolder {
  /** Absolute. */
  readonly folder: string;
  readonly report: string;
  /** What another run, or a folder of masks, calls it. */
  readonly name: string;
  readonly caseId: string;
  readonly target?: string;
  readonly beside: LocalCase['beside'];
}

/** A folder for each target of a case that has several. */
async function targetsIn(given: string): Promise<ResultFolder[]> {
  const folder = path.resolve(given);
  const caseId = path.basename(folder);
  const own = path.join(folder, 'report.json');
  const alone = { folder, report: own, name: caseId, caseId, beside: [] };
  if (!(await isFile(own))) {
    const report = predictionOf(folder);
    return [{ ...alone, folder: path.dirname(report), report }];
  }
  const joined = await readTargets(new DirStore(path.dirname(folder)), caseId);
  if (!joined) return [alone];
  const masks = joined.targets.flatMap(({ target, folder: below, report }) => {
    const file = path.join(folder, below, 'mask.nii.gz');
    return report.status === 'failed' ? [] : [{ target, file }];
  });
  return joined.targets.map(({ target, folder: below }) => ({
    folder: path.join(folder, below),
    report: path.join(folder, below, 'report.json'),
    name: caseId,
    caseId: `${caseId}, ${target}`,
    target,
    beside: masks.filter((mask) => mask.target !== target),
  }));
}

async function readCase(
  { folder, report: reportFile, name, caseId, target, beside }: ResultFolder,
  options: SourceOptions,
): Promise<LocalCase> {
  const store = new DirStore(path.dirname(folder));
  const keys = runKeys(path.basename(folder));
  const report = parseReport(
    await new DirStore(path.dirname(reportFile)).get(path.basename(reportFile)),
    reportFile,
  );
  const present = async (key: keyof RunKeys & ('mask' | 'cam' | 'overlay' | 'reportHtml')) => {
    const file = path.join(store.root, keys[key]);
    return (await isFile(file)) ? file : null;
  };
  const recorded = await readSources(path.join(store.root, keys.sources));
  const image = options.image ?? recorded?.image ?? null;
  const series = options.image === undefined ? recorded?.series : undefined;
  const imageFound = image !== null && (series ? await exists(image) : await isFile(image));
  if (options.image !== undefined && !imageFound) throw noFile(options.image, '--image');
  if (options.label !== undefined && !(await isFile(options.label)))
    throw noFile(options.label, '--label');
  const label = options.label ?? recorded?.label ?? null;
  return {
    name,
    facts: {
      ...viewFacts(report),
      caseId,
      ...(target !== undefined && { target }),
      imageMissing: imageFound || report.status === 'failed' ? null : missingImage(image),
    },
    report: reportFile,
    overlay: await present('overlay'),
    mask: report.status === 'failed' ? null : await present('mask'),
    cam: report.status === 'failed' ? null : await present('cam'),
    image: imageFound ? path.resolve(image) : null,
    // Beside its header, whatever is recorded: results from elsewhere may name any file.
    pairedImage: (imageFound && series === undefined && (await pairedImageOf(image))) || null,
    series,
    label: label !== null && (await isFile(label)) ? path.resolve(label) : null,
    others: await otherMasks(options.other, name, target && path.basename(folder)),
    beside,
    page: await present('reportHtml'),
  };
}

const missingImage = (recorded: string | null): string =>
  recorded === null
    ? 'The image is not known here: only mask and CAM are shown. Name it with --image FILE.'
    : `The image is no longer at ${recorded}: only mask and CAM are shown. Name it with --image FILE.`;

async function readSources(file: string): Promise<CaseSources | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return CaseSources.parse(JSON.parse(text));
  } catch {
    return undefined; // Of another version, or damaged: --image says it as well.
  }
}

function parseReport(bytes: Uint8Array, file: string): ViewedReport {
  try {
    return fromJsonBytes(ViewedReport, bytes);
  } catch (cause) {
    throw new ConfigError(
      {
        code: 'bad-report',
        subject: file,
        expected: 'a report of sammix',
        found: 'something else, or that of an incompatible version',
        remedy: 'Run the case again.',
      },
      { cause },
    );
  }
}

const noCases = (dir: string): ConfigError =>
  new ConfigError({
    code: 'no-cases',
    subject: dir,
    expected: 'the folder of a case (with report.json), or a folder of such folders',
    found: 'neither',
    remedy: 'Give the folder that was named with --out, or one case of it.',
  });

const oneFileForMany = (dir: string, count: number): ConfigError =>
  new ConfigError({
    code: 'one-file-for-many',
    subject: dir,
    expected: 'one case with --image, --label or a file as --other',
    found: `${count} cases`,
    remedy: 'Give the folder of the one case.',
  });

const noFile = (file: string, option: string): ConfigError =>
  new ConfigError({
    code: 'no-such-file',
    subject: file,
    expected: `a file for ${option}`,
    found: 'none',
    remedy: 'Check the path.',
  });
