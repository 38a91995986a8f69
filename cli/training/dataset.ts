import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { type ClassTable, datasetJsonTable } from '../../core/dataset/class-tables.ts';
import {
  type CountedCase,
  type SliceCounts,
  type TargetValues,
  type TrainingSet,
  targetValues,
} from '../../core/dataset/training-set.ts';
import { ConfigError } from '../../core/errors.ts';
import { patientTable } from '../../core/evaluation/csv.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { exists, readFile as streamOf } from '../files.ts';
import type { Progress } from '../progress.ts';

/**
 * Reads every label of a data set in nnU-Net's layout and counts its slices.
 *
 * @throws ConfigError where the folder is no such data set or lacks the target
 * @throws InputError where a label cannot be read
 */
export async function readTrainingSet(
  root: string,
  target: string,
  progress: Progress,
): Promise<TrainingSet> {
  const images = await casesIn(path.join(root, 'imagesTr'));
  const labels = await casesIn(path.join(root, 'labelsTr'));
  if (images.size === 0 || labels.size === 0)
    throw noDataset(root, images.size === 0 ? 'no images in imagesTr' : 'no labels in labelsTr');
  const values = targetValues(await namesOf(root), target, path.join(root, 'dataset.json'));
  const patientOf = await patientsIn(root);
  const labelled: CountedCase[] = [];
  for (const [caseId, file] of labels) {
    if (!images.has(caseId)) throw noDataset(root, `no image in imagesTr for the label ${file}`);
    progress.begin(caseId, `[${labelled.length + 1}/${labels.size}]`);
    labelled.push({ caseId, patient: patientOf(caseId), counts: await countSlices(file, values) });
  }
  const loose = [...images.keys()].filter((caseId) => !labels.has(caseId)).length;
  const unlabelledCases = loose + (await casesIn(path.join(root, 'imagesUn'))).size;
  return { labelled, unlabelledCases, training: await trainingSide(root) };
}

const ENDING = /\.nii(\.gz)?$/i;
const CHANNEL = /_(\d{4})$/;

/** Case id -> file; of several channels the first. */
export async function casesIn(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder).catch((): string[] => [])).sort();
  const found = new Map<string, string>();
  for (const name of names) {
    if (!ENDING.test(name) || name.startsWith('.')) continue;
    const stem = name.replace(ENDING, '');
    const isImage = path.basename(folder).startsWith('images');
    const channel = isImage ? CHANNEL.exec(stem)?.[1] : undefined;
    if (channel !== undefined && channel !== '0000') continue;
    found.set(channel === undefined ? stem : stem.slice(0, -5), path.join(folder, name));
  }
  return found;
}

/** Undefined without a dataset.json. */
export async function namesOf(root: string): Promise<ClassTable | undefined> {
  const file = path.join(root, 'dataset.json');
  if (!(await exists(file))) return undefined;
  const table = datasetJsonTable(await readFile(file, 'utf8'), 'dataset.json');
  if (table === undefined) throw noDataset(file, 'no labels by name');
  return table;
}

export async function patientsIn(root: string): Promise<(caseId: string) => string> {
  const file = path.join(root, 'patients.csv');
  if (!(await exists(file))) return (caseId) => caseId;
  const table = patientTable(await readFile(file, 'utf8'), file);
  return (caseId) => table.get(caseId) ?? caseId;
}

const Splits = z.array(z.object({ train: z.array(z.string()) })).min(1);

/** The first fold of nnU-Net's splits_final.json. */
async function trainingSide(root: string): Promise<ReadonlySet<string> | undefined> {
  const file = path.join(root, 'splits_final.json');
  if (!(await exists(file))) return undefined;
  try {
    const [fold] = Splits.parse(JSON.parse(await readFile(file, 'utf8')));
    return new Set(fold!.train);
  } catch (cause) {
    throw noDataset(file, 'no folds with the cases that train', cause);
  }
}

async function countSlices(file: string, values: TargetValues): Promise<SliceCounts> {
  const states = await sliceStates(file, values);
  const count = (state: SliceState): number => states.filter((one) => one === state).length;
  return { shown: count('shown'), empty: count('empty'), unlabelled: count('unlabelled') };
}

export type SliceState = keyof SliceCounts;

/** What a label says of the target in each canonical slice. */
export async function sliceStates(
  file: string,
  { target, ignore }: TargetValues,
): Promise<SliceState[]> {
  const { size: fileBytes } = await stat(file);
  const reader = await openNifti(streamOf(file), { subject: file, fileBytes });
  const states: SliceState[] = [];
  for await (const { index, hu } of reader.axialSlices()) {
    const found = valuesOf(hu);
    if (found.some((value) => ignore.has(value))) states[index] = 'unlabelled';
    else states[index] = found.some((value) => target.has(value)) ? 'shown' : 'empty';
  }
  return states;
}

/** Distinct values, whole numbers; runs of equal values are long in labels. */
function valuesOf(slice: Float32Array): number[] {
  const found = new Set<number>();
  let last = Number.NaN;
  for (const value of slice) {
    if (value === last) continue;
    last = value;
    found.add(Math.round(value));
  }
  return [...found];
}

const noDataset = (subject: string, found: string, cause?: unknown): ConfigError =>
  new ConfigError(
    {
      code: 'no-training-set',
      subject,
      expected: "a data set in nnU-Net's layout (imagesTr, labelsTr, dataset.json)",
      found,
      remedy: 'See docs/train.md for what the folder must look like.',
    },
    { cause },
  );
