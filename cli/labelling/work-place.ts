import path from 'node:path';
import { lockFolder } from '../../adapters/dir-lock.ts';
import { ConfigError } from '../../core/errors.ts';
import { openVolume } from '../case-image.ts';
import { isFile } from '../files.ts';
import { patientsIn } from '../training/dataset.ts';
import {
  drawnValues,
  gridOf,
  type LabelCase,
  readable,
  readLabelSet,
  refuseUnknown,
  scansOf,
  type Unread,
} from './label-set.ts';
import { DatasetLabels, type LabelPlace, placeOf, ResultMasks } from './places.ts';
import { type ResultMask, type Results, readResults } from './results.ts';

export interface PlaceOptions {
  /** Undefined for the only target of `from`. */
  readonly target?: string;
  /** The output folder of a `sammix run`. */
  readonly from?: string;
  readonly cases?: readonly string[];
}

/** Where it is worked, and on what. */
export interface WorkPlace {
  readonly place: LabelPlace;
  readonly target: string;
  readonly cases: readonly LabelCase[];
  readonly unread: Unread[];
  release(): Promise<void>;
}

/**
 * A data set to label, with the masks of `from` to start from; without a data set those masks, to be corrected where they lie.
 *
 * @throws ConfigError where neither is named, or somebody is at work there
 */
export const openPlace = (
  dataset: string | undefined,
  options: PlaceOptions,
): Promise<WorkPlace> =>
  dataset === undefined ? openResults(options) : openDataset(dataset, options);

async function openDataset(root: string, options: PlaceOptions): Promise<WorkPlace> {
  const { target, from } = options;
  if (target === undefined) throw noTarget();
  // Nothing is written into a folder that is no data set.
  const scans = await scansOf(root, options.cases);
  const results = from === undefined ? undefined : await readResults(from, target);
  return lockedIn(path.join(root, '.sammix'), async () => {
    const values = await drawnValues(root, target);
    const { cases, unread } = await readLabelSet(root, target, options.cases);
    const all = [...unread];
    const masks = results ? await masksOn(cases, new Map(scans), results, all) : new Map();
    return { place: new DatasetLabels(root, values, masks), target, cases, unread: all };
  });
}

/** The folder is let go of where it does not come to work. */
async function lockedIn(
  folder: string,
  open: () => Promise<Omit<WorkPlace, 'release'>>,
): Promise<WorkPlace> {
  const release = await lockFolder(folder);
  try {
    return { ...(await open()), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The masks of the scans, by case; one that does not lie on its scan is told of. */
async function masksOn(
  cases: readonly LabelCase[],
  scans: ReadonlyMap<string, string>,
  { masks }: Results,
  unread: Unread[],
): Promise<Map<string, ResultMask>> {
  const byImage = new Map([...masks.values()].map((mask) => [mask.imageFile, mask]));
  const found = new Map<string, ResultMask>();
  for (const { caseId, image } of cases) {
    const mask = byImage.get(path.resolve(scans.get(caseId)!)) ?? masks.get(caseId);
    if (!mask) continue;
    const fits = await readable(caseId, unread, async () => {
      const scan = await openVolume(image);
      await scan.close();
      return placeOf(scan, mask.file);
    });
    if (fits) found.set(caseId, mask);
  }
  return found;
}

async function openResults({ from, target, cases: only }: PlaceOptions): Promise<WorkPlace> {
  if (from === undefined) throw noDataset();
  if (await isFile(path.join(from, 'evaluation.json'))) throw measuredOnly(from);
  const results = await readResults(from, target);
  refuseUnknown(from, only, [...results.masks.keys()]);
  // The lock of a run: both write into the folder.
  return lockedIn(from, () => correctable(from, results, only));
}

async function correctable(
  from: string,
  { target, masks, unread: lost }: Results,
  only: readonly string[] | undefined,
): Promise<Omit<WorkPlace, 'release'>> {
  const place = new ResultMasks(path.resolve(from), target, masks);
  const patientOf = await patientsIn(from);
  const unread = [...lost];
  const cases: LabelCase[] = [];
  for (const [caseId, mask] of masks) {
    if (only && !only.includes(caseId)) continue;
    const one = await readable(caseId, unread, async () => {
      const image = await mask.image();
      return { image, grid: await gridOf(image), states: await place.states(caseId) };
    });
    if (one) cases.push({ caseId, patient: patientOf(caseId), ...one });
  }
  if (cases.length === 0) throw nothingToCorrect(from, unread);
  return { place, target, cases, unread };
}

const noTarget = (): ConfigError =>
  new ConfigError({
    code: 'no-target',
    subject: '--target',
    expected: 'the label to draw, as dataset.json names it',
    found: 'none',
    remedy: 'Add e.g. --target spleen.',
  });

const noDataset = (): ConfigError =>
  new ConfigError({
    code: 'no-dataset',
    subject: 'sammix label',
    expected: 'a data set to label, or --from with the results of a run to correct',
    found: 'neither',
    remedy: 'Name one: sammix label scans --target spleen, or sammix label --from results.',
  });

const measuredOnly = (subject: string): ConfigError =>
  new ConfigError({
    code: 'masks-of-an-evaluation',
    subject,
    expected: 'the output of sammix run',
    found: 'that of an evaluation, which measures what the model draws and would draw it again',
    remedy:
      'Segment the scans with sammix run to correct them; a data set may start from these masks.',
  });

const nothingToCorrect = (subject: string, unread: readonly Unread[]): ConfigError =>
  new ConfigError({
    code: 'nothing-to-correct',
    subject,
    expected: 'a case with its mask and its scan',
    found: unread.map(({ caseId, why }) => `${caseId}: ${why}`).join('; ') || 'none',
    remedy: 'Put the scans back where the run found them, or run it again.',
  });
