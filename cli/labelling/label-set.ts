import { readFile as readWhole } from 'node:fs/promises';
import path from 'node:path';
import { DirStore } from '../../adapters/dir-store.ts';
import { type TargetValues, targetValues } from '../../core/dataset/training-set.ts';
import { ConfigError, SammixError } from '../../core/errors.ts';
import { putJson } from '../../core/json.ts';
import { type DrawnValues, namesWith } from '../../core/labelling/label-plane.ts';
import type { Grid } from '../../core/volume/grid.ts';
import { type ImageFiles, openVolume } from '../case-image.ts';
import { casesIn, namesOf, patientsIn, type SliceState, sliceStates } from '../training/dataset.ts';

/** A scan that is being labelled. */
export interface LabelCase {
  readonly caseId: string;
  readonly patient: string;
  readonly image: ImageFiles;
  readonly grid: Grid;
  /** By canonical slice, as its label file says; undefined where there is none, or none that names the target. */
  readonly states: readonly SliceState[] | undefined;
}

/** Something of a case that cannot be used; the others can. */
export interface Unread {
  readonly caseId: string;
  readonly why: string;
}

export interface LabelSet {
  readonly cases: readonly LabelCase[];
  readonly unread: readonly Unread[];
}

/** Goes on with the other cases where one cannot be read; a defect ends everything. */
export async function readable<T>(
  caseId: string,
  unread: Unread[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SammixError)) throw error;
    unread.push({ caseId, why: error.message });
    return undefined;
  }
}

/** @throws InputError where the scan's header cannot be read */
export async function gridOf(image: ImageFiles): Promise<Grid> {
  const reader = await openVolume(image);
  await reader.close();
  return reader.geometry.grid;
}

/**
 * The scans of a data set in nnU-Net's layout, by case id.
 *
 * @param only ids of the cases to look at; undefined for all
 * @throws ConfigError where there are no scans, or not the cases that were named
 */
export async function scansOf(
  root: string,
  only?: readonly string[],
): Promise<(readonly [caseId: string, image: string])[]> {
  const all = await casesIn(path.join(root, 'imagesTr'));
  if (all.size === 0) throw noScans(root);
  refuseUnknown(root, only, [...all.keys()]);
  return [...all].filter(([caseId]) => only?.includes(caseId) ?? true);
}

/** @throws ConfigError where a case was named that is not among those known */
export function refuseUnknown(
  subject: string,
  only: readonly string[] | undefined,
  known: readonly string[],
): void {
  for (const caseId of only ?? [])
    if (!known.includes(caseId)) throw noCase(subject, caseId, known);
}

/**
 * `scansOf` with what is labelled of the target, for which every label is read. A target that `dataset.json` does
 * not name yet is labelled nowhere.
 */
export async function readLabelSet(
  root: string,
  target: string,
  only?: readonly string[],
): Promise<LabelSet> {
  const images = await scansOf(root, only);
  const labels = await casesIn(path.join(root, 'labelsTr'));
  const values = await valuesOf(root, target);
  const patientOf = await patientsIn(root);
  const unread: Unread[] = [];
  const cases: LabelCase[] = [];
  for (const [caseId, image] of images) {
    const one = await readable(caseId, unread, async () => {
      const label = labels.get(caseId);
      const states = label === undefined || !values ? undefined : await sliceStates(label, values);
      return { states, grid: await gridOf({ image }) };
    });
    if (one) cases.push({ caseId, patient: patientOf(caseId), image: { image }, ...one });
  }
  return { cases, unread };
}

async function valuesOf(root: string, target: string): Promise<TargetValues | undefined> {
  const table = await namesOf(root);
  const named = (name: string): boolean => table!.classes.some((one) => one.name === name);
  if (table && !target.split('+').every(named)) return undefined;
  return targetValues(table, target, path.join(root, 'dataset.json'));
}

/**
 * Puts the target and `ignore` into dataset.json, which is made where there is none; says what they are.
 *
 * @throws ConfigError where the target is not one value; nothing is written then
 */
export async function drawnValues(root: string, target: string): Promise<DrawnValues> {
  const file = path.join(root, 'dataset.json');
  if (target.includes('+')) throw notOneValue(file, target, 'several joined by "+"');
  const text = await readWhole(file, 'utf8').catch(() => undefined);
  const known = text === undefined ? undefined : await namesOf(root);
  const own = known?.classes.find(({ name }) => name === target)?.values;
  if (own && (own.length !== 1 || own[0] === 0)) throw notOneValue(file, target, own.join(', '));
  const before = text === undefined ? {} : JSON.parse(text.replace(/^\uFEFF/, ''));
  const labels = namesWith(before.labels, target);
  if (JSON.stringify(labels) !== JSON.stringify(before.labels)) {
    const fresh = { channel_names: { '0': 'CT' }, file_ending: '.nii.gz' };
    const numTraining = (await casesIn(path.join(root, 'imagesTr'))).size;
    const made = text === undefined ? { ...fresh, numTraining } : before;
    await putJson(new DirStore(root), 'dataset.json', { ...made, labels });
  }
  const values = targetValues(await namesOf(root), target, file);
  return { target: [...values.target][0]!, ignore: [...values.ignore][0]! };
}

const notOneValue = (subject: string, target: string, found: string): ConfigError =>
  new ConfigError({
    code: 'target-not-one-value',
    subject,
    expected: `one value for ${target}, from 1, to draw with`,
    found,
    remedy:
      'Label the parts one after the other, each by its own name; sammix train takes them joined (--target a+b).',
  });

const noScans = (root: string): ConfigError =>
  new ConfigError({
    code: 'no-scans',
    subject: path.join(root, 'imagesTr'),
    expected: "scans as NIfTI in nnU-Net's layout, e.g. imagesTr/case01_0000.nii.gz",
    found: 'none',
    remedy:
      'Put the scans into a folder imagesTr; convert DICOM to NIfTI first, e.g. with dcm2niix.',
  });

const noCase = (root: string, caseId: string, known: readonly string[]): ConfigError =>
  new ConfigError({
    code: 'no-such-case',
    subject: root,
    expected: `a scan of the case ${caseId}`,
    found: `${known.slice(0, 5).join(', ')}${known.length > 5 ? ', ...' : ''}`,
    remedy:
      'Name cases as the files in imagesTr, or the folders of a run, are called, without _0000.',
  });
